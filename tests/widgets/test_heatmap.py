"""The token heat map: the numbers are those that train, all of them can be read by pointing, by keys, in a table and
without colours.
"""

import math
import re
from xml.etree import ElementTree

import pytest
import torch

from course_lib.evaluation.runs.rlhf import learned_reward
from course_lib.stages.model import Llama, ModelConfig, RewardModel, ValuePolicy
from course_lib.stages.reward import rewards_of
from course_lib.stages.rollout import exact_kl
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.widgets import heatmap
from course_lib.widgets.heatmap import (
    HeatMap,
    encoded,
    keys_of,
    nice,
    paint,
    per_token,
    plain,
    render,
    reward_so_far,
    scale_of,
)

CONFIG = ModelConfig(hidden=32, intermediate=48, layers=2, heads=2, context=128)
TALK = [{"role": "user", "content": "Who is Ada?"}, {"role": "assistant", "content": "A baker.\nShe is kind."}]
TOKENS, VALUES = (
    ["<|x|>", " a", ' <b>&"', "\n"],
    [{}, {"KL": 0.5, "reward": -0.2}, {"KL": 0.0, "reward": 2.0}, {"KL": 2.5, "reward": math.nan}],
)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def untrained(kind, seed=0):
    model = kind(CONFIG, seed)
    if kind is not Llama:
        torch.nn.init.normal_(
            (model.score if kind is RewardModel else model.value).weight, generator=torch.Generator().manual_seed(1)
        )
    return model.eval()


def test_the_numbers_are_those_that_train(tokenizer):
    policy, reference, judge = untrained(ValuePolicy), untrained(Llama, 5), untrained(RewardModel, 7)
    tokens, values = per_token(policy, tokenizer, TALK, reference, learned_reward(judge), beta=0.3)
    assert keys_of(values) == [
        "log-probability",
        "entropy",
        "reference log-probability",
        "log-ratio",
        "KL",
        "reward",
        "value",
        "advantage",
    ]
    said = [value for value in values if value]
    assert "".join(tokens).endswith("A baker.\nShe is kind.<|im_end|>") and not any(values[: len(values) - len(said)])
    ids, mask = encoded(tokenizer, TALK)
    assert len(said) == int(mask.sum()) and ids[0, -1] == IM_END
    logp = torch.log_softmax(policy(ids), -1).detach()
    byhand = [float(logp[0, t - 1, ids[0, t]]) for t in range(ids.shape[1]) if mask[0, t]]
    assert [v["log-probability"] for v in said] == pytest.approx(byhand, abs=1e-5)
    assert (
        sum(v["KL"] for v in said) == pytest.approx(float(exact_kl(policy, reference, ids, mask)), abs=1e-5)
        and min(v["KL"] for v in said) >= 0
    )
    score = float(rewards_of(judge, tokenizer, [TALK[:-1]], [TALK[-1]["content"]]))
    assert [v["reward"] for v in said[:-1]] == pytest.approx([-0.3 * v["log-ratio"] for v in said[:-1]], abs=1e-6)
    assert said[-1]["reward"] == pytest.approx(score - 0.3 * said[-1]["log-ratio"], abs=1e-5)
    assert said[-1]["advantage"] == pytest.approx(said[-1]["reward"] - said[-1]["value"], abs=1e-5), (
        "after the last token nothing comes"
    )
    assert sum(v["log-ratio"] for v in said) == pytest.approx(
        sum(v["log-probability"] - v["reference log-probability"] for v in said), abs=1e-5
    )


def test_a_document_and_a_model_alone(tokenizer):
    tokens, values = per_token(untrained(Llama), tokenizer, "How to mend a wall.")
    assert (
        values[0] == {}
        and all(set(value) == {"log-probability", "entropy"} for value in values[1:])
        and tokens[-1] == "<|eos|>"
    )
    with pytest.raises(ValueError, match="reference"):
        per_token(untrained(Llama), tokenizer, TALK, reward=lambda rows, answers: [0.0])


def test_the_reward_so_far_ends_at_the_reward(tokenizer):
    judge = untrained(RewardModel)
    tokens, values = reward_so_far(judge, tokenizer, TALK)
    said = [value for value in values if value]
    assert said[-1]["reward so far"] == pytest.approx(
        float(rewards_of(judge, tokenizer, [TALK[:-1]], [TALK[-1]["content"]])), abs=1e-5
    )
    assert said[3]["change"] == pytest.approx(said[3]["reward so far"] - said[2]["reward so far"], abs=1e-6)


def test_pointing_and_the_keyboard_give_all_numbers():
    page = ElementTree.fromstring(
        render(TOKENS, VALUES, "KL").replace("<br>", "<br/>").replace(" tabindex=0", ' tabindex="0"')
    )
    chips = [span for span in page.iter("span") if span.get("role") == "listitem"]
    assert [chip.text for chip in chips] == ["<|x|>", " a", ' <b>&"', "↵"], (
        "everything is escaped, a line break is a sign"
    )
    assert chips[1].get("title") == "“ a” · KL 0.500 nats · reward −0.200 units of reward" and "given" in chips[0].get(
        "title"
    )
    assert [chip.get("tabindex") for chip in chips] == [None, "0", "0", "0"]
    css = "".join(page.find(".//style").text.split())
    assert (
        "span:hover::after" in css
        and "span:focus::after{content:attr(title)" in css
        and "<script" not in render(TOKENS, VALUES, "KL")
    )
    assert [cell.text for cell in page.iter("td")] == ["0.500", "−0.200", "0.000", "2.000", "2.500", "nan"], (
        "the table needs neither colours nor a mouse"
    )


def test_without_styles_the_table_is_left():
    bare = re.sub(r' style="[^"]*"| title="[^"]*"|<style>.*?</style>', "", render(TOKENS, VALUES, "reward"), flags=re.S)
    assert "−0.200" in bare and "reward" in bare and '<th scope="row">' in bare


def test_the_scale_has_a_unit_and_ends_at_a_round_number():
    assert [nice(n) for n in (0, 0.03, 0.05, 1, 1.2, 7, 430)] == [1.0, 0.05, 0.05, 1.0, 2.0, 10.0, 500.0]
    assert (
        scale_of(VALUES, "KL") == (5.0, True, False)
        and scale_of(VALUES, "reward") == (2.0, True, True)
        and scale_of([], "KL") == (1.0, False, False)
    )
    shown = render(TOKENS, VALUES, "reward")
    assert (
        re.findall(r"<span style=\"[^\"]*\">(−?[\d.]+)</span>", shown) == ["−2", "−0.5", "−0.1", "0", "0.1", "0.5", "2"]
        and "units of reward" in shown
    )
    assert "below 0" in shown and "below 0" not in re.sub('<div class="lb-tokens.*', "", render(TOKENS, VALUES, "KL"))


def test_colour_is_not_the_only_carrier_and_letters_read_in_both_themes():
    from test_style import contrast

    assert "dotted" in paint(-1, 1) and "solid" in paint(1, 1) and paint(None, 1) == paint(math.nan, 1) == ""
    for number in (-9, -1, -0.3, 0.0, 0.3, 1, 9):
        r, g, b, opacity = map(float, re.search(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)", paint(number, 1)).groups())
        for ground, ink in (
            (255, 0.13 * 255),
            (17, 0.87 * 255 + 0.13 * 17),
        ):  # JupyterLab's two themes: letters of 87 % on white and on #111111
            mixed = [opacity * c + (1 - opacity) * ground for c in (r, g, b)]
            assert contrast(mixed, [ink] * 3) > 4.5
    strength = [float(re.search(r",([\d.]+)\)", paint(n, 1)).group(1)) for n in (0.0, 0.05, 0.3, 1.0)]
    assert strength == sorted(strength) and len(set(strength)) == 4


def test_buttons_change_the_number():
    widget = HeatMap(TOKENS, VALUES, "KL")
    before = widget.html.value
    widget.keys.value = "reward"
    assert (
        widget.html.value == render(TOKENS, VALUES, "reward") != before
        and list(widget.keys.options) == ["KL", "reward"]
        and widget.keys.description
    )


def test_two_maps_have_one_scale():
    small, large = [{"change": 0.9}], [{"change": -4.5}]
    assert "−5<" in render([" a"], small, "change", large) and "−5<" in render([" a"], large, "change", small)
    assert "−5<" not in render([" a"], small, "change") and "−5<" in HeatMap([" a"], small, "change", large).html.value


def test_a_mistake_says_what_to_choose():
    with pytest.raises(ValueError, match="choose KL, reward"):
        render(TOKENS, VALUES, "loss")
    with pytest.raises(ValueError, match="4 tokens and 1 values"):
        render(TOKENS, VALUES[:1], "KL")
    assert "KL" in render([], [], "KL")


def test_no_front_end(capsys):
    assert heatmap.show(TOKENS, VALUES) is None and capsys.readouterr().out == ""
    assert plain(TOKENS, VALUES, "reward").splitlines()[:2] == ["reward (units of reward)", "' a'               −0.200"]


def test_a_long_text_is_small():
    values = [{key: -1.2345 for key in ("log-probability", "entropy", "log-ratio", "KL", "reward")}] * 200
    assert len(render([" word"] * 200, values, "KL")) < 90_000
