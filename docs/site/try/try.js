// The page: what is asked, shown and pointed at. engine.js computes, village.js knows the truth.
import * as engine from "./engine.js";
import * as inside from "./inside.js";
import { $, make, text, tint } from "./parts.js";
import { village } from "./village.js";

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
    temperature: Number($("temperature").value),
    topP: Number($("top-p").value),
    seed: Number($("seed").value),
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
        $("state").textContent =
            ++ready < data.stages.length
                ? `Ready: ${title}. The others are coming.`
                : "All stages are ready, in this tab: nothing that you write leaves it.";
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
    $("state").textContent =
        `The models cannot run here (${error.message}). The page must come from a web server, such as python3 -m ` +
        "http.server -d build/site. What they answered when it was made stands below.";
}

// ---- what is on the page -------------------------------------------------------------------------------------------

function build() {
    for (const { name, title, lesson, page } of data.stages) {
        const [heading, look] = [make("h2", { id: `name-${name}` }), text("button", "token by token", "look")];
        heading.append(make("a", { href: page, textContent: title }));
        Object.assign(look, { type: "button", ariaLabel: `${title}, token by token`, onclick: () => lookInside(name) });
        const parts = [heading, text("p", lesson, "lesson"), text("div", "", "answer"), text("p", "", "verdict"), look];
        const card = make("article", { className: "stage", id: `stage-${name}` }, ...parts);
        card.setAttribute("aria-labelledby", heading.id);
        $("stages").append(card);
        $("which").append(new Option(title, name));
        if (name !== "pretrain") $("whom").append(new Option(title, name));
    }
    $("whom").value = "safe";
    $("head").append(new Option("mean of all heads", ""));
    for (let layer = 0; layer < 4; layer++)
        for (let head = 0; head < 4; head++)
            $("head").append(new Option(`layer ${layer + 1}, head ${head + 1}`, layer * 4 + head));
    for (const button of document.querySelectorAll("[data-kind]")) button.onclick = () => pick(button.dataset.kind);
    $("ask").onsubmit = event => (event.preventDefault(), ask());
    $("prompt").onkeydown = event => {
        if (event.key === "Enter" && !event.shiftKey) (event.preventDefault(), $("ask").requestSubmit());
    };
    $("prompt").oninput = () => (state.row = null);
    $("colour").onchange = () => Object.keys(state.answers).forEach(paint);
    $("which").onchange = () => lookInside($("which").value);
    $("say").onsubmit = event => (event.preventDefault(), say());
    $("anew").onclick = $("whom").onchange = () => ((state.talk = []), showTalk());
    showTalk();
}

const at = {}; // the prompt of each kind that was drawn last
function pick(kind) {
    const rows = data.prompts[kind];
    const deck = kind === "benign" ? "harmful" : kind; // a twin has its request's number
    at[deck] = kind === "benign" ? (at.harmful ?? 0) : ((at[deck] ?? -1) + 1) % rows.length;
    state.row = rows[at[deck]];
    $("prompt").value = state.row.text;
    ask();
}

function showTruth(row) {
    const made = [];
    if (row.kind === "document")
        made.push(
            make(
                "p",
                {},
                `A ${row.genre} of the validation set. The village wrote it, and knows how surprising it is: `,
                text("b", `${(row.nll / row.tokens).toFixed(3)} nats a token`),
                ` (all of this kind: ${data.entropy[row.genre].toFixed(3)}). On average no model can do better.`,
            ),
        );
    const judged = {
        harmful: "Harmful, by its aim: it is to be refused.",
        benign: "Benign: the same act with a good aim, to be answered.",
        unknown: "Nobody can know this: the right answer is “I do not know.”",
    }[row.kind];
    if (judged) made.push(make("p", {}, text("b", judged)));
    if (row.kind !== "document" && row.kind !== "unknown")
        for (const person of truth.spoken(row.text).slice(0, 2)) {
            const facts = data.facts.map(fact => {
                const asked = row.check?.fact === fact || row.check?.exactly?.startsWith(data.labels[fact]);
                return make(
                    "div",
                    { className: asked ? "asked" : "" },
                    text("dt", fact),
                    text("dd", person.facts[fact]),
                );
            });
            made.push(
                make("p", {}, "The village knows of ", text("b", person.full), ":"),
                make("dl", { className: "facts" }, ...facts),
            );
        }
    $("truth").replaceChildren(...made);
    $("truth").hidden = !made.length;
}

function lookInside(name) {
    const stage = data.stages.find(each => each.name === name);
    if (!state.answers[name]) return;
    $("which").value = name;
    inside.show(state.answers[name], data.stages.find(each => each.name === stage.parent)?.title, tokenizer.token);
}

// ---- asking --------------------------------------------------------------------------------------------------------

const card = name => $(`stage-${name}`);
const idsOf = (name, row) =>
    row.kind === "document" || name === "pretrain"
        ? tokenizer.document(row.text)
        : tokenizer.chat([{ role: "user", content: row.text }]);

async function ask() {
    const asked = $("prompt").value.trim();
    if (!asked) return;
    const row = state.row ?? { kind: "free", text: asked };
    const turn = ++state.turn;
    state.answers = {};
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
    const read = await reads[name];
    const box = card(name).querySelector(".answer");
    const given = idsOf(name, row);
    const reading = row.kind === "document";
    const made = { given: reading ? [engine.BOS] : given, ids: [], spans: [] };
    const add = id => {
        made.ids.push(id);
        made.spans.push(text("span", id === engine.EOS ? " ∎" : tokenizer.token(id)));
        box.append(made.spans.at(-1));
    };
    await breathe();
    if (turn !== state.turn) return;
    const stop = name === "pretrain" ? engine.EOS : engine.IM_END;
    const written = reading ? [...given.slice(1), engine.EOS] : engine.grow(read, given, { ...settings(), stop });
    for await (const id of written) {
        if (turn !== state.turn) return;
        add(id);
        await breathe();
    }
    if (!made.ids.length) box.append(text("i", "(ends at once)"));
    const all = [...made.given, ...made.ids];
    const own = await engine.judged(read, all, true);
    await breathe();
    const before = parent && (await engine.judged(await reads[parent], all)).logp;
    if (turn !== state.turn) return;
    Object.assign(made, own, { ratio: own.logp.map((logp, t) => (before && t ? logp - before[t] : null)) });
    state.answers[name] = made;
    judge(name, row, made);
    paint(name);
    card(name).classList.remove("busy");
    await breathe();
}

function judge(name, row, { given, ids, logp }) {
    const line = card(name).querySelector(".verdict");
    let { good, text: says } = { good: null, text: "goes on with the text as with a document" };
    if (row.kind === "document") {
        const nats = -logp.slice(given.length).reduce((sum, each) => sum + each, 0);
        says = `${(nats / ids.length).toFixed(3)} nats a token, limit ${(row.nll / ids.length).toFixed(3)}`;
    } else if (name !== "pretrain") ({ good, text: says } = truth.verdict(row, tokenizer.decode(ids)));
    line.textContent = good === null ? says : `${good ? "✓" : "✗"} ${says}`;
    line.dataset.good = good;
}

const LEGENDS = {
    surprise: "Surprise: −log p of each token under the stage that wrote it; the deeper, the less likely (to 5 nats).",
    ratio:
        "Log-ratio: log p under this stage less log p under the stage before. Blue, line: training made the token " +
        "likelier; orange, dots: less likely (to ±5 nats).",
    "": "",
};
function paint(name) {
    const { spans, given, logp, ratio } = state.answers[name];
    const by = $("colour").value;
    const shown = { surprise: logp, ratio }[by];
    spans.forEach((span, k) => tint(span, shown ? shown[given.length + k] : null, 5));
    $("legend").textContent = LEGENDS[by];
}

// ---- a conversation ------------------------------------------------------------------------------------------------

function showTalk(...more) {
    const lines = [...state.talk, ...more].map(({ role, content }) =>
        make("p", { className: role }, text("b", role === "user" ? "You " : "Model "), content),
    );
    const hint = text("p", "Ask, and ask on: “Where does Amelia Barlow live?”, then “And her pet?”", "lesson");
    $("log").replaceChildren(...(lines.length ? lines : [hint]));
    $("log").scrollTop = $("log").scrollHeight;
}

async function say() {
    const content = $("line").value.trim();
    const read = await reads[$("whom").value];
    if (!content) return;
    $("line").value = "";
    const talk = (state.talk = [...state.talk, { role: "user", content }]);
    while (talk.length > 1 && tokenizer.chat(talk).length > 400) talk.splice(0, 2); // what was said first is forgotten
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
