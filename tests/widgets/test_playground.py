"""The sampling playground: the same settings give the same text, the first token comes at once, and a click while texts
grow starts anew.
"""

import asyncio
import time

import pytest

from course_lib.evaluation.instructions import respond
from course_lib.stages.generate import generate, generate_ids, token_steps
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import playground, stream
from course_lib.widgets.playground import Playground, Settings, grow, render, samples, table

CONFIG = ModelConfig(hidden=32, intermediate=48, layers=2, heads=2, context=128)
SETTINGS = Settings("Meet <Ada>", temperature=0.9, top_p=0.9, seed=3, max_new_tokens=12)


@pytest.fixture(scope="module")
def models():
    return {"before": Llama(CONFIG, 0).eval(), "after <b>": Llama(CONFIG, 1).eval()}


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def test_growing_texts_end_as_those_made_at_once(models, tokenizer):
    *_, last = grow(models, tokenizer, SETTINGS)
    assert (
        last == {name: generate(model, tokenizer, SETTINGS.prompt, 12, 0.9, 0.9, 3) for name, model in models.items()}
        and last["before"] != last["after <b>"]
    )
    asked = [{"role": "user", "content": "Who is Ada?"}]
    *_, answer = stream.texts(models["before"], tokenizer, asked, 12, temperature=0.9, seed=2)
    assert answer == respond(models["before"], tokenizer, [asked], 12, temperature=0.9, seed=2)[0]


def test_a_step_gives_a_token_to_each_row_that_goes_on(models, tokenizer):
    prompts, model = [[1, 7], [1, 9, 11, 12]], models["before"]
    whole = generate_ids(model, prompts, 9, 1.0, 1.0, 5, stop=17)
    steps = list(token_steps(model, prompts, 9, 1.0, 1.0, 5, stop=17))
    assert [[step[row] for step in steps if row in step] for row in range(2)] == whole and steps[0].keys() <= {0, 1}


def test_the_texts_grow(models, tokenizer):
    made = [texts["before"] for texts in grow(models, tokenizer, SETTINGS)]
    assert len(made) == 13 and all(later.startswith(earlier) for earlier, later in zip(made, made[1:]))


def test_one_dial_at_a_time_in_the_table(models, tokenizer):
    made = samples(models, tokenizer, SETTINGS, (0.0, 1.0))
    assert (
        list(made) == [0.0, 1.0] and made == samples(models, tokenizer, SETTINGS, (0.0, 1.0)) and made[0.0] != made[1.0]
    )
    shown = table(SETTINGS, {**made, 2.0: {"before": "\x07bell", "after <b>": ""}})
    assert (
        "Meet &lt;Ada&gt;" in shown
        and "after &lt;b&gt;" in shown
        and "\x07" not in shown
        and "ends at once" in shown
        and shown.count('scope="row"') == 3
    )


def test_a_click_answers_with_the_settings_first(models, tokenizer):
    widget, seen = Playground(models, tokenizer, SETTINGS), []
    widget.html.observe(lambda change: seen.append(change["new"]), "value")
    widget.temperature.value, widget.seed.value, widget.prompt.value = 0.0, 7, "How to mend"
    widget.button.click()
    assert (
        "temperature 0, top-p 0.9, seed 7" in seen[0] and " …" in seen[0] and " …" not in seen[-1] == widget.html.value
    )
    assert all(
        widget.texts[name] == generate(model, tokenizer, "How to mend", 12, temperature=0.0)
        for name, model in models.items()
    )


def test_in_a_kernel_a_click_returns_at_once_and_a_second_one_starts_anew(models, tokenizer):
    async def kernel():
        widget = Playground(models, tokenizer, SETTINGS)
        started = time.perf_counter()
        widget.button.click()
        took = time.perf_counter() - started
        assert " …" in widget.html.value and widget.texts["before"] == ""
        while not widget.texts["before"]:
            await asyncio.sleep(0)
        first = time.perf_counter() - started
        widget.seed.value = 11
        widget.button.click()
        while " …" in widget.html.value:
            await asyncio.sleep(0)
        return widget, took, first

    widget, took, first = asyncio.run(kernel())
    assert widget.texts == {
        name: generate(model, tokenizer, SETTINGS.prompt, 12, 0.9, 0.9, 11) for name, model in models.items()
    }
    assert took < first


def test_what_stops_is_said(models, tokenizer):
    widget = Playground({"none": object()}, tokenizer, SETTINGS)
    widget.button.click()
    assert "Stopped:" in widget.html.value and 'role="alert"' in widget.html.value


def test_a_question_to_an_assistant_and_a_document(models, tokenizer):
    assert (
        stream.prompt_ids(tokenizer, "Hi", chat=True)[1] == 3 and stream.prompt_ids(tokenizer, "Hi", chat=False)[0] == 1
    )
    assert "<br>" in render(Settings("Hi", chat=True), {"a": "x"}) and "<br>" not in render(Settings("Hi"), {"a": "x"})


def test_no_front_end(models, tokenizer, capsys):
    assert playground.play(models, tokenizer, "Meet", max_new_tokens=2) is None and capsys.readouterr().out == ""
