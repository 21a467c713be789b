"""The check card: what it says, and that it never lets markup through."""

import pytest

from course_lib.notebook.card import headings, plain, render
from course_lib.questions.core import CaseResult, LocalCaller, QuestionResult, questions_of, run


def result(status="fail", **case):
    cases = [CaseResult("the core", "pass"), CaseResult("padding", status, 0.5, **case)]
    return QuestionResult("next_token_loss", 0.5, 1, status, cases)


def test_a_failure_names_the_mistake_and_the_next_step():
    shown = result(message="the loss: yours is 3", mistake="the padding was counted", hint="mask it", reread="§ 5")
    for text in (plain(shown), render(shown)):
        for words in (
            "1 of 2 checks pass",
            "0.5 of 1 point",
            "the padding was counted",
            "mask it",
            "§ 5",
            "Next:",
            "not right yet",
        ):
            assert words in text


def test_a_model_without_full_marks_is_told_what_can_be_done_about_it(monkeypatch):
    shown = QuestionResult("lora_model", 0.2, 1, "fail", [CaseResult("the model", "fail", message="71 % right")])
    for size, words in (("tiny", "COURSE_SIZE=laptop"), ("laptop", "what full marks ask for")):
        monkeypatch.setenv("COURSE_SIZE", size)
        assert words in plain(shown) and words in render(shown)


def test_everything_is_escaped():
    nasty = '<img src=x onerror="alert(1)">'
    shown = QuestionResult(nasty, 0, 1, "fail", [CaseResult(nasty, "fail", 1.0, nasty, nasty, nasty, nasty)])
    assert "<img" not in render(shown) and 'onerror="' not in render(shown)


@pytest.mark.parametrize("status", ["pass", "fail", "error", "timeout", "oom", "killed", "missing", "protocol", "todo"])
def test_each_status_has_words_and_a_sign_beside_the_colour(status):
    shown = QuestionResult("x", 0, 1, status, [CaseResult("core", status, message="message")])
    assert plain(shown)[0] in "✓✗○" and "Next:" in plain(shown)
    assert any(sign in render(shown) for sign in "✓✗○")


def test_a_stub_is_to_do_and_nothing_else():
    question = questions_of("02_pretraining")[0]

    def stub(*args, **kwargs):
        raise NotImplementedError()

    text = plain(run(question, LocalCaller({question.id: stub})))
    assert ": to do" in text and "Traceback" not in text and len(text.splitlines()) == 2


def test_the_card_takes_its_colours_from_the_page():
    assert "color:var(--jp-ui-font-color0,inherit)" in render(result()) and "background:transparent" in render(result())


def test_while_the_core_fails_only_the_core_is_explained():
    cases = [
        CaseResult("the core", "fail", message="core message"),
        CaseResult("gradient", "fail", 0.5, "other message", hint="a hint that would mislead"),
    ]
    for text in (plain(QuestionResult("x", 0, 1, "fail", cases)), render(QuestionResult("x", 0, 1, "fail", cases))):
        assert "core message" in text and "gradient: not right yet" in text and "mislead" not in text


def test_the_card_says_what_each_failed_check_costs():
    def shown(score, *cases):
        return plain(QuestionResult("x", score, 1, "fail", list(cases)))

    core, edge, rule = (CaseResult(name, "fail", cost) for name, cost in (("core", 1.0), ("edge", 0.25), ("rule", 0.5)))
    passed = CaseResult("core", "pass")
    assert "rule: not right yet, costs half of the points" in shown(0.5, passed, rule)
    assert "edge: not right yet, costs a quarter of the points" in shown(0.75, passed, edge)
    both = shown(0.375, passed, edge, rule)
    assert "edge: not right yet, costs a quarter of what is left" in both and "costs half of what is left" in both
    assert "Until then you keep 0.38 of 1 point." in both
    text = shown(0, core, rule)
    assert "core: not right yet; without it the question counts 0" in text and "costs" not in text
    assert "costs" not in shown(0, core) and "without it" not in shown(0, core)


def test_code_in_a_message_is_code_and_stays_escaped():
    shown = render(result(message="use `x < <b>y</b>` here", hint="`a``b`"))
    assert "use <code>x &lt; &lt;b&gt;y&lt;/b&gt;</code> here" in shown and "<b>y" not in shown


def test_what_a_function_gave_back_is_cut_in_the_middle():
    text = plain(result(message="begin " + "x" * 100_000 + " end"))
    assert (
        "begin xxx" in text
        and text.count("x") < 1500
        and "xxx end" in text
        and len(render(result(message="y" * 100_000))) < 5000
    )


def test_long_words_wrap_and_line_breaks_stay():
    assert (
        "overflow-wrap:anywhere" in render(result(message="a\nb"))
        and "white-space:pre-wrap" in render(result(message="a\nb"))
        and "a\nb" in render(result(message="a\nb"))
    )


def test_the_section_to_reread_is_a_link_where_it_is_known(tmp_path, monkeypatch):
    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Lab 02", id="aaaa"),
            nbformat.v4.new_markdown_cell("## § 4 RoPE: where a token stands\n\ntext", id="bbbb"),
        ]
    )
    nbformat.write(notebook, tmp_path / "02_x.ipynb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/labs/02_x.ipynb")
    assert headings() == {"§ 4": "02_x.ipynb#cell-id=bbbb"}
    assert '<b>Re-read:</b> <a href="02_x.ipynb#cell-id=bbbb">§ 4 RoPE</a>' in render(
        result(reread="§ 4 RoPE"), headings()
    )
    assert "<a " not in render(result(reread="§ 5 The loss"), headings()) and "<a " not in render(
        result(message="§ 4", hint="§ 4"), headings()
    )
    for broken in (b"", b"[]", b'{"cells": 3}', b'{"cells": [{}]}', b"\xff"):
        (tmp_path / "02_x.ipynb").write_bytes(broken)
        assert headings() == {}
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert headings() == {}
