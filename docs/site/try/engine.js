// What the page computes: the course's tokenizer and its stages, run in this tab by onnxruntime-web. Nothing is sent
// anywhere. stages/generate.py and stages/sft.py (encode_chat) are what this follows.
import * as ort from "./ort.wasm.bundle.min.mjs";
import { Tokenizer } from "./tokenizers.min.mjs";

export const [PAD, BOS, EOS, IM_START, IM_END] = [0, 1, 2, 3, 4];
const CONTEXT = 512;

// files lie here as gzip, so that they are small from any server; one that unpacks them on the way is fine, too
async function fetched(name) {
    const answer = await fetch(new URL(name, import.meta.url));
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

export const json = async name => JSON.parse(new TextDecoder().decode(await fetched(name)));

ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
let runtime;
export const prepare = () =>
    (runtime ??= fetched("ort-wasm-simd-threaded.wasm.gz").then(binary => (ort.env.wasm.wasmBinary = binary.buffer)));

// ids of texts and conversations, and back

export async function loadTokenizer() {
    const made = new Tokenizer(await json("tokenizer.json.gz"), {});
    const encode = text => (text ? made.encode(text, { add_special_tokens: false }).ids : []);
    const turn = ({ role, content }) => [IM_START, ...encode(role + "\n"), ...encode(content), IM_END, ...encode("\n")];
    return {
        encode,
        decode: ids => (ids.length ? made.decode(ids, { skip_special_tokens: true }) : ""),
        token: id => made.decode([id], { skip_special_tokens: false }),
        document: text => [BOS, ...encode(text)],
        chat: messages => [BOS, ...messages.flatMap(turn), IM_START, ...encode("assistant\n")],
    };
}

// A stage: `read(ids, past)` gives logits [T, V] of the tokens after `past`, and the past of the next call.

export async function loadStage(name) {
    const [bytes] = await Promise.all([fetched(`${name}.onnx.gz`), prepare()]);
    // errors only: the runtime warns of each shape of `attention` that it has not foreseen
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], logSeverityLevel: 3 });
    const nothing = new ort.Tensor("float32", new Float32Array(0), [4, 2, 1, 4, 0, 32]);
    return async (ids, past = nothing, attention = false) => {
        const feeds = { ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]), past };
        const made = await session.run(feeds, ["logits", "present", ...(attention ? ["attention"] : [])]);
        const [, length, width] = made.logits.dims;
        // row(-1) is the last
        const row = t => made.logits.data.subarray(((t + length) % length) * width).subarray(0, width);
        return { row, past: made.present, attention: made.attention };
    };
}

// Sampling: softmax(logits / temperature), cut to the smallest set of tokens that holds top-p; a token is the first
// whose cumulative probability passes a uniform number. Temperature 0 takes the likeliest.

export function softmax(logits, temperature = 1) {
    let most = -Infinity,
        total = 0;
    for (const each of logits) most = Math.max(most, each);
    const made = new Float64Array(logits.length);
    for (let k = 0; k < made.length; k++) total += made[k] = Math.exp((logits[k] - most) / temperature);
    for (let k = 0; k < made.length; k++) made[k] /= total;
    return made;
}

export const likeliest = (values, n) => [...values.keys()].sort((a, b) => values[b] - values[a] || a - b).slice(0, n);

function greedy(logits) {
    let best = 0;
    for (let k = 1; k < logits.length; k++) if (logits[k] > logits[best]) best = k;
    return best;
}

export function draw(logits, temperature, topP, uniform) {
    if (temperature <= 0) return greedy(logits);
    const p = softmax(logits, temperature);
    let kept = 1;
    if (topP < 1) {
        kept = 0;
        for (const [rank, k] of likeliest(p, p.length).entries()) {
            if (rank && kept >= topP) p[k] = 0;
            kept += p[k];
        }
    }
    for (let k = 0, sum = 0; k < p.length; k++) if ((sum += p[k]) > uniform * kept) return k;
    return greedy(logits);
}

// mulberry32: uniform numbers from a seed; every stage draws with the same ones
export function numbers(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

// ids of the next tokens, one at a time, without `stop`
export async function* grow(read, ids, { most = 80, temperature = 0, topP = 1, seed = 0, stop = EOS } = {}) {
    const uniform = numbers(seed);
    let state = await read(ids);
    for (let left = Math.min(most, CONTEXT - ids.length); left > 0; left--) {
        const id = draw(state.row(-1), temperature, topP, uniform());
        if (id === stop) return;
        yield id;
        if (left > 1) state = await read([id], state.past);
    }
}

// log p of each token given those before it; the first one is given
export async function judged(read, ids, attention = false) {
    const made = await read(ids, undefined, attention);
    const logp = ids.map((id, t) => (t ? Math.log(softmax(made.row(t - 1))[id]) : null));
    return { logp, row: made.row, attention: made.attention };
}
