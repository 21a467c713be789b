// Token by token: what one stage thought of each token, what else it might have said, and what each token read.
import { likeliest, softmax } from "./engine.js";
import { $, make, signed, text, tint, visible } from "./parts.js";

let looked, at;

// `made`: an answer of the stage as try.js keeps it; `before`: the title of the stage that it was trained from
export function show(made, before, token) {
    looked = { ...made, before, token, all: [...made.given, ...made.ids] };
    const buttons = looked.all.map((id, t) => {
        const button = text("button", visible(token(id)), t < made.given.length ? "given" : "");
        button.type = "button";
        if (!button.textContent.trim()) button.ariaLabel = "blank";
        button.onfocus = button.onmouseenter = () => point(t);
        return button;
    });
    $("tokens").replaceChildren(...buttons);
    $("tokens").onkeydown = event => {
        const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
        if (!buttons[to]) return;
        event.preventDefault();
        buttons[to].focus();
    };
    $("head").onchange = () => point(at);
    $("inside").hidden = false;
    point(Math.min(made.given.length, buttons.length - 1));
    $("inside").scrollIntoView({ block: "nearest" });
}

function point(t) {
    const { all, given, logp, ratio, row, before, token } = looked;
    at = t;
    readsOf(t);
    const says = [`“${visible(token(all[t]))}”, token ${t + 1} of ${all.length}`];
    if (t < given.length) says.push("given");
    if (t) says.push(`surprise ${Math.abs(logp[t]).toFixed(2)} nats`);
    if (ratio[t] !== null) says.push(`log-ratio to ${before} ${signed(ratio[t])}`);
    $("readout").replaceChildren(text("p", says.join(" · ")));
    if (!t) return;
    const p = softmax(row(t - 1));
    const rows = likeliest(p, 5).map(id => {
        const [name, bar] = [text("th", visible(token(id))), text("span", "", "bar")];
        name.scope = "row";
        bar.style.width = `${100 * p[id]}%`;
        return make(
            "tr",
            { className: id === all[t] ? "asked" : "" },
            name,
            text("td", p[id].toFixed(3)),
            make("td", {}, bar),
        );
    });
    $("readout").append(make("table", {}, text("caption", "The five likeliest here"), make("tbody", {}, ...rows)));
}

// colours each token by how much token t reads it, in the chosen head or on average
function readsOf(t) {
    const { dims, data } = looked.attention;
    const [layers, , heads, length] = dims;
    const chosen = $("head").value;
    const all = chosen === "" ? [...Array(layers * heads).keys()] : [Number(chosen)];
    const weight = s => all.reduce((sum, k) => sum + data[(k * length + t) * length + s], 0) / all.length;
    for (const [s, button] of [...$("tokens").children].entries()) {
        button.tabIndex = s === t ? 0 : -1;
        button.toggleAttribute("data-at", s === t);
        tint(button, s <= t ? weight(s) : null, 1);
    }
}
