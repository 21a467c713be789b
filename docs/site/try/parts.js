// Small things that the page is made of.

export const $ = id => document.getElementById(id);

export function make(tag, attributes = {}, ...inside) {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...inside);
    return made;
}

export const text = (tag, textContent, className = "") => make(tag, { textContent, className });

// a token as it is shown, a number with its sign
export const visible = token => token.replaceAll("\n", "↵");
export const signed = number => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);

// Colours of the labs' heat maps: opacity grows with the root of the number, so that small ones show; what lies below 0
// is orange with dots under it.
export function tint(element, number, top) {
    const strength = number === null ? 0 : 0.6 * Math.sqrt(Math.min(1, Math.abs(number) / top));
    const [colour, line] = number >= 0 ? ["0,114,178", "solid"] : ["213,94,0", "dotted"];
    element.style.background = strength ? `rgba(${colour},${strength.toFixed(2)})` : "";
    element.style.borderBottom = strength < 0.15 ? "" : `2px ${line} rgb(${colour})`;
}
