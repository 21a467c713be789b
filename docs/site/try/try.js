// The page: what is asked, shown and pointed at. engine.js computes, village.js knows the truth.
import * as engine from "./engine.js";
import { village } from "./village.js";

const $ = id => document.getElementById(id);
const make = (tag, attributes = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...inside);
    return made;
};
const signed = number => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);
const visible = token => token.replaceAll("\n", "↵");
const BLUE = "0,114,178", ORANGE = "213,94,0"; // as in the heat maps of the labs

// lets the page be drawn; the models themselves run in between
let drawn = performance.now();
async function breathe() {
    if (performance.now() - drawn < 14) return;
    await new Promise(done => setTimeout(done));
    drawn = performance.now();
}

const state = { row: null, turn: 0, answers: {}, talk: [] };
let data, truth, tokenizer, reads;

const settings = () => ({
    temperature: Number($("temperature").value), topP: Number($("top-p").value), seed: Number($("seed").value),
});

async function start() {
    if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function")
        throw new Error("this browser has no WebAssembly, or none that is new enough");
    [data, tokenizer] = await Promise.all([engine.json("village.json.gz"), engine.loadTokenizer(), engine.prepare()]);
    truth = village(data);
    reads = {};
    let ready = 0;
    const load = async ({ name, title }, before) => {
        await before; // one after the other: the first can answer while the others come
        const read = await engine.loadStage(name);
        $("state").textContent = ++ready < data.stages.length ? `Ready: ${title}. The others are coming.` : "All stages are ready, in this tab: nothing that you write leaves it.";
        return read;
    };
    let before = null;
    for (const stage of data.stages) before = reads[stage.name] = load(stage, before);
    before.catch(failed);
    await reads[data.stages[0].name];
    build();
    $("app").hidden = false;
    $("recorded").hidden = true;
    document.documentElement.dataset.ready = performance.now().toFixed(0);
    pick("fact");
}

function failed(error) {
    $("app").hidden = true;
    $("recorded").hidden = false;
    $("state").textContent = `The models cannot run here (${error.message}). The page must come from a web server, such as python3 -m http.server -d build/site. What they answered when it was made stands below.`;
}

// ---- what is on the page -------------------------------------------------------------------------------------------

function build() {
    for (const { name, title, lesson, page } of data.stages) {
        const card = make("article", { className: "stage", id: `stage-${name}` },
            make("h2", {}, make("a", { href: page, textContent: title })),
            make("p", { className: "lesson", textContent: lesson }),
            make("div", { className: "answer" }),
            make("p", { className: "verdict" }),
            make("button", { type: "button", className: "look", textContent: "token by token", onclick: () => look(name) }));
        card.setAttribute("aria-labelledby", `name-${name}`);
        card.querySelector("h2").id = `name-${name}`;
        card.querySelector(".look").setAttribute("aria-label", `Look inside ${title}, token by token`);
        $("stages").append(card);
        $("which").append(new Option(title, name));
        if (name !== "pretrain") $("whom").append(new Option(title, name));
    }
    $("whom").value = "safe";
    $("head").append(new Option("mean of all heads", ""));
    for (let layer = 0; layer < 4; layer++)
        for (let head = 0; head < 4; head++) $("head").append(new Option(`layer ${layer + 1}, head ${head + 1}`, layer * 4 + head));
    for (const button of document.querySelectorAll("[data-kind]")) button.onclick = () => pick(button.dataset.kind);
    $("ask").onsubmit = event => (event.preventDefault(), ask());
    $("prompt").onkeydown = event => {
        if (event.key === "Enter" && !event.shiftKey) (event.preventDefault(), $("ask").requestSubmit());
    };
    $("prompt").oninput = () => (state.row = null);
    $("colour").onchange = () => Object.keys(state.answers).forEach(paint);
    $("which").onchange = () => look($("which").value);
    $("head").onchange = () => point(state.at);
    $("say").onsubmit = event => (event.preventDefault(), say());
    $("anew").onclick = $("whom").onchange = () => ((state.talk = []), showTalk());
    showTalk();
}

const at = {}; // the prompt of each kind that was drawn last
function pick(kind) {
    const rows = data.prompts[kind], deck = kind === "benign" ? "harmful" : kind; // a twin has its request's number
    at[deck] = kind === "benign" ? (at.harmful ?? 0) : ((at[deck] ?? -1) + 1) % rows.length;
    state.row = rows[at[deck]];
    $("prompt").value = state.row.text;
    ask();
}

function showTruth(row) {
    const made = [];
    if (row.kind === "document")
        made.push(make("p", {}, `A ${row.genre} of the validation set. The village wrote it, and knows how surprising it is: `,
            make("b", { textContent: `${(row.nll / row.tokens).toFixed(3)} nats a token` }),
            ` (all of this kind: ${data.entropy[row.genre].toFixed(3)}). On average no model can do better.`));
    const judged = { harmful: "Harmful, by its aim: it is to be refused.", benign: "Benign: the same act with a good aim, to be answered.",
                     unknown: "Nobody can know this: the right answer is “I do not know.”" }[row.kind];
    if (judged) made.push(make("p", {}, make("b", { textContent: judged })));
    if (row.kind !== "document" && row.kind !== "unknown")
        for (const person of truth.spoken(row.text).slice(0, 2)) {
            const facts = data.facts.map(fact => {
                const asked = row.check?.fact === fact || row.check?.exactly?.startsWith(data.labels[fact]);
                return make("div", { className: asked ? "asked" : "" }, make("dt", { textContent: fact }), make("dd", { textContent: person.facts[fact] }));
            });
            made.push(make("p", {}, "The village knows of ", make("b", { textContent: person.full }), ":"), make("dl", { className: "facts" }, ...facts));
        }
    $("truth").replaceChildren(...made);
    $("truth").hidden = !made.length;
}

// ---- asking --------------------------------------------------------------------------------------------------------

const card = name => $(`stage-${name}`);
const idsOf = (name, row) =>
    row.kind === "document" || name === "pretrain" ? tokenizer.document(row.text) : tokenizer.chat([{ role: "user", content: row.text }]);

async function ask() {
    const text = $("prompt").value.trim();
    if (!text) return;
    const row = state.row ?? { kind: "free", text };
    const turn = ++state.turn;
    Object.assign(state, { answers: {}, asked: row });
    $("inside").hidden = true;
    showTruth(row);
    for (const { name } of data.stages) {
        card(name).querySelector(".answer").replaceChildren();
        card(name).querySelector(".verdict").textContent = "";
        card(name).classList.add("busy");
    }
    $("stages").ariaBusy = "true";
    await Promise.all(data.stages.map(stage => answer(stage, row, turn).catch(failed)));
    if (turn === state.turn) $("stages").ariaBusy = "false";
}

// one stage's answer, as it grows; of a document, how surprising it is
async function answer({ name, parent }, row, turn) {
    const read = await reads[name], box = card(name).querySelector(".answer");
    const given = idsOf(name, row), document_ = row.kind === "document";
    const made = { given: document_ ? [engine.BOS] : given, ids: [], spans: [] };
    const add = id => {
        made.ids.push(id);
        made.spans.push(make("span", { textContent: tokenizer.token(id) }));
        box.append(made.spans.at(-1));
    };
    await breathe();
    if (turn !== state.turn) return;
    if (document_) [...given.slice(1), engine.EOS].forEach(add), made.spans.at(-1).textContent = " ∎";
    else
        for await (const id of engine.grow(read, given, { ...settings(), stop: name === "pretrain" ? engine.EOS : engine.IM_END })) {
            if (turn !== state.turn) return;
            add(id);
            await breathe();
        }
    if (!made.ids.length) box.append(make("i", { textContent: "(ends at once)" }));
    const all = [...made.given, ...made.ids], from = made.given.length;
    const own = await engine.judged(read, all, true);
    await breathe();
    const before = parent && (await engine.judged(await reads[parent], all)).logp;
    if (turn !== state.turn) return;
    Object.assign(made, own, { ratio: own.logp.map((logp, t) => (before && t ? logp - before[t] : null)) });
    state.answers[name] = made;
    judge(name, row, made, -made.logp.slice(from).reduce((sum, each) => sum + each, 0) / made.ids.length);
    paint(name);
    card(name).classList.remove("busy");
    await breathe();
}

function judge(name, row, made, nats) {
    const line = card(name).querySelector(".verdict");
    let { good, text } = { good: null, text: "" };
    if (row.kind === "document") {
        const limit = row.nll / made.ids.length;
        text = `${nats.toFixed(3)} nats a token, limit ${limit.toFixed(3)}`;
    } else if (name === "pretrain") text = "goes on with the text as with a document";
    else ({ good, text } = truth.verdict(row, tokenizer.decode(made.ids)));
    line.textContent = good === null ? text : `${good ? "✓" : "✗"} ${text}`;
    line.dataset.good = good;
}

// opacity grows with the root of the number, so that small ones show; dots under what lies below 0
function tint(element, number, top) {
    const blue = number >= 0, strength = 0.6 * Math.sqrt(Math.min(1, Math.abs(number) / top));
    element.style.background = number === null || !strength ? "" : `rgba(${blue ? BLUE : ORANGE},${strength.toFixed(2)})`;
    element.style.borderBottom = number === null || strength < 0.15 ? "" : `2px ${blue ? "solid" : "dotted"} rgb(${blue ? BLUE : ORANGE})`;
}

const LEGENDS = {
    surprise: "Surprise: −log p of each token under the stage that wrote it, orange where another one was likelier (to 5 nats).",
    ratio: "Log-ratio: log p under this stage less log p under the stage before. Blue, line: training made the token likelier; orange, dots: less likely (to ±5 nats).",
    "": "",
};
function paint(name) {
    const { spans, given, logp, ratio } = state.answers[name], by = $("colour").value;
    const shown = { surprise: logp, ratio }[by];
    spans.forEach((span, k) => tint(span, shown ? shown[given.length + k] : null, 5));
    $("legend").textContent = LEGENDS[by];
}

// ---- token by token ------------------------------------------------------------------------------------------------

function look(name) {
    const made = state.answers[name];
    if (!made) return;
    const ids = [...made.given, ...made.ids];
    $("which").value = name;
    state.looked = { ...made, name, ids };
    const buttons = ids.map((id, t) => {
        const button = make("button", { type: "button", textContent: visible(tokenizer.token(id)), tabIndex: -1, className: t < made.given.length ? "given" : "" });
        if (!button.textContent.trim()) button.ariaLabel = "blank";
        button.onfocus = button.onmouseenter = () => point(t);
        return button;
    });
    $("tokens").replaceChildren(...buttons);
    $("tokens").onkeydown = event => {
        const to = { ArrowLeft: state.at - 1, ArrowRight: state.at + 1, Home: 0, End: ids.length - 1 }[event.key];
        if (to === undefined || !buttons[to]) return;
        event.preventDefault();
        buttons[to].focus();
    };
    $("inside").hidden = false;
    point(Math.min(made.given.length, ids.length - 1));
    $("inside").scrollIntoView({ block: "nearest" });
}

function point(t) {
    const { name, ids, logp, ratio, row, attention, given } = state.looked ?? {};
    if (!ids || t === undefined) return;
    state.at = t;
    const [layers, , heads, length] = attention.dims, chosen = $("head").value;
    const at = (k, s) => attention.data[(k * length + t) * length + s];
    const each = chosen === "" ? [...Array(layers * heads).keys()] : [Number(chosen)];
    [...$("tokens").children].forEach((button, s) => {
        button.tabIndex = s === t ? 0 : -1;
        button.toggleAttribute("data-at", s === t);
        tint(button, s <= t ? each.reduce((sum, k) => sum + at(k, s), 0) / each.length : null, 1);
    });
    const parent = data.stages.find(stage => stage.name === name).parent;
    const before = data.stages.find(stage => stage.name === parent)?.title;
    const says = [`“${visible(tokenizer.token(ids[t]))}”, token ${t + 1} of ${ids.length}${t < given.length ? ", given" : ""}`];
    if (t) says.push(`surprise ${Math.abs(logp[t]).toFixed(2)} nats`);
    if (ratio[t] !== null) says.push(`log-ratio to ${before} ${signed(ratio[t])}`);
    const p = t ? engine.softmax(row(t - 1)) : [];
    const rows = (t ? engine.likeliest(p, 5) : []).map(id => {
        const bar = make("span", { className: "bar" });
        bar.style.width = `${100 * p[id]}%`;
        return make("tr", { className: id === ids[t] ? "asked" : "" }, make("th", { scope: "row", textContent: visible(tokenizer.token(id)) }),
            make("td", { textContent: p[id].toFixed(3) }), make("td", {}, bar));
    });
    $("readout").replaceChildren(make("p", { textContent: says.join(" · ") }),
        ...(rows.length ? [make("table", {}, make("caption", { textContent: "The five likeliest here" }), make("tbody", {}, ...rows))] : []));
}

// ---- a conversation ------------------------------------------------------------------------------------------------

function showTalk(...more) {
    const lines = [...state.talk, ...more].map(({ role, content }) => make("p", { className: role }, make("b", { textContent: role === "user" ? "You " : "Model " }), content));
    $("log").replaceChildren(...(lines.length ? lines : [make("p", { className: "lesson", textContent: "Ask, and ask on: “Where does Amelia Barlow live?”, then “And her pet?”" })]));
    $("log").scrollTop = $("log").scrollHeight;
}

async function say() {
    const content = $("line").value.trim(), read = await reads[$("whom").value];
    if (!content) return;
    $("line").value = "";
    const talk = (state.talk = [...state.talk, { role: "user", content }]);
    while (tokenizer.chat(talk).length > 400) talk.splice(0, 2); // what was said first is forgotten
    const ids = [];
    $("say").ariaBusy = "true";
    showTalk({ role: "assistant", content: "…" });
    for await (const id of engine.grow(read, tokenizer.chat(talk), { ...settings(), stop: engine.IM_END })) {
        ids.push(id);
        if (talk !== state.talk) return;
        showTalk({ role: "assistant", content: tokenizer.decode(ids) });
        await breathe();
    }
    state.talk = [...talk, { role: "assistant", content: tokenizer.decode(ids) }];
    showTalk();
    $("say").ariaBusy = "false";
}

start().catch(failed);
