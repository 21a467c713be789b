"""What the model knows: can it complete a sentence about a resident with the right fact, word for word?

A probe's text is the same for every resident but for the name and the pronoun, so nothing but knowledge completes it.
"""

import torch

from course_lib.stages.tokenizer import BOS, PAD
from course_lib.world.documents import OPENERS, SENTENCES
from course_lib.world.residents import Village
from course_lib.world.source import Source


def fact_probes(world: Village, residents=None) -> list[dict]:
    """One probe per resident and fact: {"resident", "fact", "prompt", "answer"}; the answer begins with a space.

    The prompt is a biography's opening and the first phrasing that ends with the fact: "Meet Ada Cobb. She works as" →
    " a baker".
    """
    probes = []
    for person in residents or world.residents:
        for fact in person.facts:
            phrasing = next(s for s in SENTENCES[fact] if s.endswith("{a." + fact + "}."))
            text = Source(world, "probe")  # draws nothing: everybody in the template is bound
            text.fill(
                OPENERS[1].replace("{a:person}", "{a.full}") + " " + phrasing.removesuffix(" {a." + fact + "}."),
                a=person,
            )
            probes.append(
                {"resident": person.first, "fact": fact, "prompt": text.text, "answer": " " + person.facts[fact]}
            )
    return probes


@torch.no_grad()
def knowledge(model, tokenizer, world: Village, residents=None, batch: int = 256) -> dict:
    """Share of facts that the model completes exactly (greedy), {"accuracy", "by_fact", "chance", "probes"}.

    Greedy decoding writes the answer exactly if and only if each of its tokens is the argmax given the true ones before
    it, so one forward pass per probe is enough; the full stop after the answer counts too. `chance` is the accuracy of
    always naming the most common value of each fact.
    """
    probes = fact_probes(world, residents)
    device = next(model.parameters()).device
    right = []
    for start in range(0, len(probes), batch):
        part = probes[start : start + batch]
        prompts = [[BOS, *tokenizer.encode(p["prompt"], add_special_tokens=False).ids] for p in part]
        answers = [tokenizer.encode(p["answer"] + ".", add_special_tokens=False).ids for p in part]
        rows = [torch.tensor(p + a) for p, a in zip(prompts, answers)]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD).to(device)
        predicted = model(ids).argmax(dim=-1)
        right += [
            predicted[k, len(p) - 1 : len(p) - 1 + len(a)].tolist() == a
            for k, (p, a) in enumerate(zip(prompts, answers))
        ]
    facts = sorted({p["fact"] for p in probes})
    by_fact, chance = {}, {}
    for fact in facts:
        mine = [r for r, p in zip(right, probes) if p["fact"] == fact]
        values = [p["answer"] for p in probes if p["fact"] == fact]
        by_fact[fact] = sum(mine) / len(mine)
        chance[fact] = max(values.count(v) for v in set(values)) / len(values)
    return {
        "accuracy": sum(right) / len(right),
        "by_fact": by_fact,
        "chance": sum(chance.values()) / len(chance),
        "probes": len(probes),
    }
