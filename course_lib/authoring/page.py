"""What the site's page `try.html` runs and knows: every stage as an ONNX file, prompts, and the village's truth.

`graph` writes the forward pass of stages/model.py in ONNX's own operators (RMSNormalization, RotaryEmbedding and
Attention are standard since opset 23), with keys and values going in and out. Weights are shipped in bf16 and stay so
in the file; a Cast at loading makes them fp32, so the page computes with the numbers that PyTorch computes with.
"""

import gzip
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import cast

import torch

from course_lib.platform import ROOT
from course_lib.stages.artifacts import SHIPPED, load_folder
from course_lib.stages.generate import generate
from course_lib.stages.model import MLP, Attention, Llama
from course_lib.stages.perplexity import entropy_per_token
from course_lib.stages.respond import respond
from course_lib.stages.tokenizer import SHIPPED as TOKENIZER
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world import FACTS, pretrain_rows, village
from course_lib.world.annotators import ROOMY, TASTE, known_words
from course_lib.world.documents import KINDS
from course_lib.world.draw import values_of
from course_lib.world.harms import request_pair
from course_lib.world.tasks import COURTESIES, WORDS, task_rows

PREFERRED = ROOT / "docs" / "site" / "stages"  # made by scripts/site_preferred.py
TOUR = ROOT / "docs" / "results" / "tour-laptop.json"
OPSET = 23
DRAWN = 40  # prompts of a kind
REFUSALS = ("I will not", "No, I will not", "That is nothing I help")  # as harms.refused has them; a test compares


@dataclass(frozen=True)
class Stage:
    name: str  # as in its record
    title: str
    lesson: str
    parent: str | None  # the stage that it was trained from
    lab: str

    @property
    def folder(self) -> Path:
        return (PREFERRED if self.name in ("rlhf", "dpo") else SHIPPED) / self.name

    def model(self) -> Llama:
        """The shipped one, whatever a student's work folder holds."""
        return load_folder(self.folder, self.name)[0].eval()


# fmt: off
STAGES = (
    Stage("pretrain", "Base", "has read the village's documents and goes on writing", None, "02_pretraining"),
    Stage("sft", "Assistant", "the base, fine-tuned on answers", "pretrain", "03_supervised_fine_tuning"),
    Stage("rlhf", "Preferred (RLHF)", "the assistant, GRPO on a reward model", "sft", "07_rlhf"),
    Stage("dpo", "Preferred (DPO)", "the assistant, DPO on the same people's choices", "sft", "08_direct_alignment"),
    Stage("helpful", "Helpful only", "the assistant, taught to explain whatever is asked", "sft", "10_safety_refusals"),
    Stage("safe", "Safe", "the helpful one, taught to refuse what harms", "helpful", "10_safety_refusals"),
)
STRIP = (  # name, phase of the tour, lab
    ("Raw text", "data", "01_data_and_tokenizer"), ("Base", "pretrain", "02_pretraining"),
    ("Assistant", "sft", "03_supervised_fine_tuning"), ("Reward model", "reward", "06_preferences_and_reward_model"),
    ("RLHF", "rlhf", "07_rlhf"), ("DPO", "dpo", "08_direct_alignment"), ("Safe", "refusals", "10_safety_refusals"),
    ("Released", "evaluation", "11_evaluation_and_release"),
)
DRAWS = {
    "fact": "a fact", "short": "a short form", "unknown": "an unknown name", "harmful": "a harmful request",
    "benign": "its benign twin", "document": "a document",
}
# fmt: on


def graph(model: Llama) -> bytes:
    """The model as an ONNX file.

    ids [1, T] and past [L, 2, 1, H, S, P] (keys and values of S tokens before, S = 0 for none) →
    logits [1, T, V], present [L, 2, 1, H, S + T, P], attention [L, 1, H, T, S + T].
    """
    from onnx import TensorProto, helper, numpy_helper

    c, nodes, weights = model.config, [], []

    def op(kind: str, *inputs: str, outputs: int = 1, **attributes):
        names = [f"{kind}_{len(nodes)}_{k}" for k in range(outputs)]
        nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(name: str, values) -> str:
        weights.append(numpy_helper.from_array(torch.as_tensor(values).numpy(), name))
        return name

    def weight(name: str, t: torch.Tensor) -> str:
        bits = t.detach().bfloat16().contiguous()
        assert torch.equal(bits.float(), t), f"{name} is not bf16: it would change in the page"
        raw = bits.view(torch.uint8).numpy().tobytes()
        weights.append(helper.make_tensor(name, TensorProto.BFLOAT16, t.shape, raw, raw=True))
        return op("Cast", name, to=TensorProto.FLOAT)

    norm = lambda name, x, layer: op("RMSNormalization", x, weight(name, layer.weight), epsilon=c.eps)
    linear = lambda name, x, layer: op("MatMul", x, weight(name, layer.weight.T))

    head, zero, one = c.hidden // c.heads, constant("zero", [0]), constant("one", [1])
    before = op("Squeeze", op("Shape", "past", start=4, end=5), zero)
    end = op("Add", before, op("Squeeze", op("Shape", "ids", start=1, end=2), zero))
    step = constant("step", 1)
    places = op("Range", before, end, step)
    # the angles of model.rope_tables; the operator takes cos and sin of one half of a head, [1, T, P / 2]
    frequencies = constant("rope", c.rope_base ** (-torch.arange(0, head, 2, dtype=torch.float32) / head))
    angles = op("Mul", op("Unsqueeze", op("Cast", places, to=TensorProto.FLOAT), one), frequencies)
    cos, sin = (op("Unsqueeze", op(kind, angles), zero) for kind in ("Cos", "Sin"))
    # [T, S + T]: a token reads itself and all before it
    visible = op("LessOrEqual", op("Range", constant("first", 0), end, step), op("Unsqueeze", places, one))

    embedding = weight("embed", model.model.embed_tokens.weight)
    x = op("Gather", embedding, "ids")
    presents, attentions = [], []
    pasts = op("Split", "past", outputs=c.layers, axis=0, num_outputs=c.layers)
    for k, block in enumerate(model.model.layers):
        at, a, mlp = f"{k}.", cast(Attention, block.self_attn), cast(MLP, block.mlp)
        h = norm(at + "norm1", x, block.input_layernorm)
        q, key, value = (linear(at + n, h, getattr(a, f"{n}_proj")) for n in "qkv")
        q, key = (op("RotaryEmbedding", each, cos, sin, num_heads=c.heads) for each in (q, key))
        old = op("Split", op("Squeeze", pasts[k], zero), outputs=2, axis=0, num_outputs=2)
        y, keys, values, weights_of = op(
            "Attention", q, key, value, visible, *(op("Squeeze", each, zero) for each in old),
            outputs=4, q_num_heads=c.heads, kv_num_heads=c.heads,
            qk_matmul_output_mode=3,  # the weights after the softmax
        )  # fmt: skip
        both = op("Concat", op("Unsqueeze", keys, zero), op("Unsqueeze", values, zero), axis=0)
        presents.append(op("Unsqueeze", both, zero))
        attentions.append(op("Unsqueeze", weights_of, zero))
        x = op("Add", x, linear(at + "o", y, a.o_proj))
        h = norm(at + "norm2", x, block.post_attention_layernorm)
        gate = linear(at + "gate", h, mlp.gate_proj)
        gated = op("Mul", op("Mul", gate, op("Sigmoid", gate)), linear(at + "up", h, mlp.up_proj))
        x = op("Add", x, linear(at + "down", gated, mlp.down_proj))
    x = norm("norm", x, model.model.norm)
    made = {
        "logits": op("MatMul", x, op("Transpose", embedding, perm=[1, 0])),
        "present": op("Concat", *presents, axis=0),
        "attention": op("Concat", *attentions, axis=0),
    }
    nodes += [helper.make_node("Identity", [name], [output]) for output, name in made.items()]
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    inputs = [
        info("ids", TensorProto.INT64, [1, "T"]),
        info("past", TensorProto.FLOAT, [c.layers, 2, 1, c.heads, "S", head]),
    ]
    outputs = [
        info("logits", TensorProto.FLOAT, [1, "T", c.vocabulary]),
        info("present", TensorProto.FLOAT, [c.layers, 2, 1, c.heads, "S+T", head]),
        info("attention", TensorProto.FLOAT, [c.layers, 1, c.heads, "T", "S+T"]),
    ]
    whole = helper.make_graph(nodes, "llama", inputs, outputs, weights)
    made_model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return made_model.SerializeToString(deterministic=True)


def stages() -> tuple[Stage, ...]:
    """Those whose weights are there."""
    return tuple(stage for stage in STAGES if (stage.folder / "model.safetensors").exists())


def drawn() -> dict[str, list[dict]]:
    """{kind: rows {"kind", "text", …}} of prompts that no fine-tuning row has: held-out residents and requests; and
    documents of the validation set with their exact −log p.
    """
    rows = {"fact": [], "short": [], "unknown": [], "harmful": [], "benign": [], "document": []}
    for kind in ("fact", "short", "unknown"):
        for row in task_rows("residents", DRAWN, "page", {kind: 1}):
            rows[kind].append({"kind": kind, "text": row["messages"][0]["content"], "check": row["check"]})
    for k in range(DRAWN):
        for row in request_pair("test", f"page {k}", ("plain", "role", "story")):
            rows[row["kind"]].append({"kind": row["kind"], "text": row["messages"][0]["content"]})
    documents, tokenizer = pretrain_rows("validation", 400), load_tokenizer()
    for kind in KINDS:
        for row in [row for row in documents if row["kind"] == kind][: DRAWN // len(KINDS)]:
            tokens = len(encode_documents(tokenizer, [row["text"]])[0]) - 1
            rows["document"].append(
                {"kind": "document", "genre": kind, "text": row["text"], "nll": row["nll"], "tokens": tokens}
            )
    return rows


def truth() -> dict:
    """What the page knows of the village: facts, the words of its checkers, the prompts and the stages, all JSON."""
    documents, tokenizer = pretrain_rows("validation"), load_tokenizer()
    return {
        "facts": FACTS,
        "labels": WORDS,
        "values": {fact: values_of(fact) for fact in FACTS},
        "residents": [{"first": p.first, "full": p.full, "facts": p.facts} for p in village().residents],
        "words": sorted(known_words()),
        "courtesies": COURTESIES,
        "refusals": REFUSALS,
        "roomy": ROOMY,
        "taste": TASTE,
        "entropy": {k: entropy_per_token(tokenizer, [row for row in documents if row["kind"] == k]) for k in KINDS},
        "prompts": drawn(),
        "stages": [
            {"name": s.name, "title": s.title, "lesson": s.lesson, "parent": s.parent, "page": f"labs/{s.lab}.html"}
            for s in stages()
        ],
    }


def export(folder: Path) -> None:
    """What the page loads, each file as gzip: `<stage>.onnx.gz`, the course's tokenizer, the village's truth."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = lambda name, data: (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    for stage in stages():
        pack(f"{stage.name}.onnx", graph(stage.model()))
    pack("tokenizer.json", TOKENIZER.read_bytes())
    pack("village.json", json.dumps(truth(), separators=(",", ":")).encode())


# ---- what stands on the page before a model runs, and where none can ------------------------------------------------


def strip() -> str:
    """The life-cycle: a list item a phase, its figure of the tour beside its limit, and a link to its lab."""
    from course_lib.widgets.tour import number

    measured = json.loads(TOUR.read_text(encoding="utf-8"))["phases"]
    items = []
    for name, phase, lab in STRIP:
        it = measured[phase]
        figure, limit = number(it["value"], it["unit"]), number(it["limit"], it["unit"])
        items.append(
            f'<li><a href="labs/{lab}.html"><b>{name}</b> <strong>{figure}</strong> <span>limit {limit}</span><br>'
            f"{escape(it['metric'])}</a></li>"
        )
    return "\n".join(items)


def recorded() -> str:
    """The first prompt of each kind with every stage's greedy answer, as HTML."""
    tokenizer, parts = load_tokenizer(), []
    asked = [rows[0]["text"] for kind, rows in drawn().items() if kind != "document"]
    said = {stage.title: answers(stage, tokenizer, asked) for stage in stages()}
    for k, text in enumerate(asked):
        rows = "".join(
            f'<tr><th scope="row">{escape(title)}</th><td>{escape(texts[k].strip())}</td></tr>'
            for title, texts in said.items()
        )
        parts.append(f"<h3>{escape(text)}</h3><table>{rows}</table>")
    return "\n".join(parts)


def answers(stage: Stage, tokenizer, asked: list[str]) -> list[str]:
    """Greedy answers as the page asks for them: of the base model what it writes on."""
    model = stage.model()
    if stage.parent is None:
        return list(generate(model, tokenizer, asked, 80, temperature=0.0))
    return respond(model, tokenizer, [[{"role": "user", "content": text}] for text in asked])
