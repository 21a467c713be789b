import ast
import builtins
import functools
import random
import re
import time
from pathlib import Path

import classroom  # noqa: F401  (it knows where tally is)
import pytest
import tally
from people import LAB, graded

from course_lib.grading.records import store
from course_lib.grading.reports import outside, similarity
from course_lib.grading.reports.prints import fingerprints

ROOT = Path(__file__).parents[2]
LABS = [
    lab for lab in tally.LABS if lab != "00_start_here"
]  # two answers of one line each: too short to tell anybody apart


class Renamed(ast.NodeTransformer):
    """Another name for whatever is neither imported, Python's own, a keyword nor a top-level function."""

    def __init__(self, tree, word):
        self.kept, self.made, self.word = set(dir(builtins)), {}, word
        for node in ast.walk(tree):
            self.kept |= (
                {a.asname or a.name.split(".")[0] for a in node.names}
                if isinstance(node, (ast.Import, ast.ImportFrom))
                else set()
            )
            self.kept |= (
                {node.name}
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                else {node.arg}
                if isinstance(node, ast.keyword)
                else set()
            )

    def other(self, name):
        return name if name in self.kept else self.made.setdefault(name, f"{self.word}{len(self.made)}")

    def visit_Name(self, node):
        node.id = self.other(node.id)
        return node

    def visit_arg(self, node):
        node.arg, node.annotation = self.other(node.arg), None
        return node


@functools.lru_cache(100_000)
def disguised(source, word="item"):
    """The same answer with other names, other comments, another layout, and a changed number of blank lines."""
    tree = ast.parse(source)
    return f"# {word}, all my own work\n\n" + ast.unparse(Renamed(tree, word).visit(tree)).replace("\n", "\n\n", 3)


def prints_of(answers):
    return fingerprints([(n, "code", source) for n, source in enumerate(answers)])


def a_class(lab, students=60, copies=6):
    """(prints, answers): students who draw an answer of the bank to each question (7 of 10 a right one), and copies of
    whole submissions and of every second answer, disguised and in another order.
    """
    draw, bank, answers = random.Random(lab), tally.bank(lab), {}
    pick = lambda entry: draw.choice(sorted(entry["right" if draw.random() < 0.7 else "wrong"].values()))
    for k in range(students):
        answers[f"student {k:02}"] = [pick(entry) for entry in bank.values()]
    for k in range(copies):
        whole = [disguised(source) for source in answers[f"student {k:02}"]]
        half = [
            disguised(source) if n % 2 else pick(entry)
            for n, (source, entry) in enumerate(zip(answers[f"student {k + 20:02}"], bank.values()))
        ]
        for made in (whole, half):
            draw.shuffle(made)
        answers |= {f"copy of {k:02}": whole, f"half of {k + 20:02}": half}
    return {student: prints_of(made) for student, made in answers.items()}, answers


def kind_of(pair):
    a, b = sorted(pair)
    return (
        "whole"
        if a.startswith("copy") and b == a.replace("copy of", "student")
        else "half"
        if a.startswith("half") and b == a.replace("half of", "student")
        else "none"
    )


def rates(lab):
    """{"whole", "half": copies found of 6, "separate": pairs of students without an equal answer, "accused" of them,
    "equal": all pairs of students, "accused_equal" of them}
    """
    prints, answers = a_class(lab)
    _, _, stub = similarity.read(lab, [])
    found = [entry["pair"] for entry in similarity.pairs_of(prints, stub)]
    students = [name for name in prints if name.startswith("student")]
    pairs = [(a, b) for n, a in enumerate(students) for b in students[n + 1 :]]
    separate = {pair for pair in pairs if not any(x == y for x, y in zip(answers[pair[0]], answers[pair[1]]))}
    kinds = [kind_of(pair) for pair in found]
    return {
        "whole": kinds.count("whole"),
        "half": kinds.count("half"),
        "separate": len(separate),
        "accused": sum(pair in separate for pair in found),
        "equal": len(pairs),
        "accused_equal": sum(pair in set(pairs) for pair in found),
    }


@pytest.mark.parametrize("lab", LABS)
def test_copies_are_found_and_separate_work_is_not(lab):
    found = rates(lab)
    assert found["whole"] == 6 and found["accused"] == 0 and found["separate"] >= 30, found
    assert found["accused_equal"] <= 0.1 * found["equal"], found


@pytest.mark.parametrize(
    "change",
    [
        lambda s: disguised(s),
        lambda s: s.replace("# ", "# other "),
        lambda s: s.replace("total", "acc").replace("values", "xs"),
        lambda s: s.replace("import torch", "import torch as t").replace("torch.", "t."),
        lambda s: "\n".join(reversed(s.split("\n\n"))),
        lambda s: s.replace("7.5", "8").replace('"a"', "'bcd'"),
        lambda s: s.replace("    ", "        "),
        lambda s: s.replace("values):", "values: list) -> float:"),
        lambda s: s.replace('"""Doc."""', '"""Something else."""'),
    ],
    ids=["all", "comments", "names", "alias", "order", "literals", "layout", "annotations", "docstring"],
)
def test_what_does_not_count(change):
    source = (
        'import torch\n\ndef mean(values):\n    """Doc."""\n    total = 0.0  # sum\n    for value in values:\n        '
        'total += torch.sqrt(value) * 7.5 if value > 2 else len("a")\n    return total / max(1, len(values))\n\ndef '
        "other(values):\n    return [torch.log(v).item() for v in sorted(values) if v is not None and v > 1]"
    )
    changed = change(source)
    assert changed != source and set(prints_of([source])) == set(prints_of([changed]))


def test_what_counts():
    one, two = (
        set(prints_of([f"def f(x):\n    y = {body}\n    return y"]))
        for body in ("torch.softmax(x @ x.T, -1).sum(0).max()", "torch.relu(x * x.mT, -1).mean(0).min()")
    )
    assert len(one & two) <= 0.2 * len(one)
    assert prints_of(["x = 1"]) == {} and prints_of(["def f(:"]) == {}


def test_the_stub_and_the_idiom_of_the_class_do_not_count():
    given, _, stub = similarity.read("04_lora_and_qlora", [])
    untouched = fingerprints(similarity.notebooks.read_cells(ROOT / "labs" / "04_lora_and_qlora.ipynb"))
    assert (
        given == {} and len(untouched) > 50 and similarity.pairs_of({str(k): untouched for k in range(4)}, stub) == []
    )
    prints, _ = a_class("02_pretraining", students=20, copies=0)
    idiom = prints_of([next(iter(entry["right"].values())) for entry in tally.bank("02_pretraining").values()])
    same = {f"same {k}": dict(idiom) for k in range(10)}  # a third of the class: what the lecture has shown, say
    assert not [e for e in similarity.pairs_of(prints | same) if e["pair"][0].startswith("same")]
    assert ("same 0", "same 1") in [e["pair"] for e in similarity.pairs_of(prints | {"same 0": idiom, "same 1": idiom})]


def test_three_hundred_submissions_take_seconds():
    prints, _ = a_class("04_lora_and_qlora", students=288, copies=6)
    began = time.process_time()
    found = similarity.pairs_of(prints)
    assert len(prints) == 300 and found and time.process_time() - began < 10


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Twelve with answers of their own, and zoe with ada's, disguised and in another order."""
    monkeypatch.chdir(tmp_path)
    draw, bank = random.Random(1), tally.bank("02_pretraining")
    mine = [next(iter(entry["right"].values())) for entry in bank.values()]
    graded(tmp_path, "ada", cells=["# <script>alert(1)</script>\n" + source for source in mine])
    graded(tmp_path, "zoe", cells=[disguised(source) for source in reversed(mine)])
    for k in range(11):
        graded(
            tmp_path,
            f"student {k}",
            cells=[
                draw.choice(sorted(entry["right"].values() if draw.random() < 0.5 else entry["wrong"].values()))
                for entry in bank.values()
            ],
        )
    graded(tmp_path, "broken", status="ungradable", reason="empty")
    next(store.Path(store.SUBMISSIONS, LAB, "broken").glob("*/notebook.ipynb")).write_text("{")
    return tmp_path


def test_the_command_and_its_page(course, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert similarity.main([LAB, "--html", "pairs.html"]) == 0
    out, text = capsys.readouterr().out, (course / "pairs.html").read_text()
    assert [
        line for line in out.splitlines() if line.startswith("100 %") and line.endswith("ada and zoe")
    ] and "of 78 pairs share 50 % or more" in out
    assert "<script" not in text
    assert text.count('class="sides"') >= 5 and re.search(r"cell \d+, lines", text)


def test_a_copy_of_the_solution_or_the_library_is_found_and_own_work_is_not():
    made, answers = a_class("07_rlhf", copies=0)
    _, _, stub = similarity.read("07_rlhf", [])
    texts, ours = outside.course("07_rlhf")
    solved = [
        source for _, kind, source in texts["solutions/07_rlhf"] if source.startswith("# EXERCISE") and kind == "code"
    ]
    copies = {f"copy {k}": prints_of(map(disguised, solved)) for k in range(60)}  # half the class: no idiom here
    found = outside.pairs(made | copies, ours, stub, similarity.THRESHOLD, similarity.LEAST)
    assert {entry["pair"] for entry in found if entry["pair"][1] == "solutions/07_rlhf"} == {
        (name, "solutions/07_rlhf") for name in copies
    }
    gae = (ROOT / "course_lib" / "stages" / "ppo.py").read_text()
    taken = made | {"library": prints_of([disguised(gae)])}
    assert ("library", "course_lib/stages/ppo.py") in [
        entry["pair"] for entry in outside.pairs(taken, ours, stub, similarity.THRESHOLD, similarity.LEAST)
    ]


def test_what_is_left_out_is_said():
    prints_of_all = {"ann": {k: () for k in range(40)}, "bob": {k: () for k in range(30, 45)}, "eve": {1: ()}}
    lines = outside.left_out(prints_of_all, stub={1, 99}, common=set(range(35, 45)), unread=["tom"], least=12)
    assert lines[0].startswith("Left out: 1 passage that the lab's notebook gives, imports,")
    assert lines[1].startswith("Left out between students: 10 passages that more than a quarter of the class has.")
    assert lines[2:] == [
        "Left out, too short to tell (fewer than 12 passages of their own): eve.",
        "Left out, with little that others have not, too: bob.",
        "Left out, that cannot be read: tom.",
    ]


@pytest.mark.parametrize(
    "place", ["last/submissions/{lab}/old/1/notebook.ipynb", "last/{lab}/old/1/notebook.ipynb", "last/old.ipynb"]
)
def test_another_years_class(course, capsys, monkeypatch, place):
    monkeypatch.setenv("COLUMNS", "200")
    text = next(Path(store.SUBMISSIONS, LAB, "ada").glob("*/notebook.ipynb")).read_bytes()
    store.write_atomic(course / place.format(lab=LAB), text)
    assert similarity.main([LAB, "--against", "last"]) == 0
    out, page = capsys.readouterr().out, Path(f"similarity_{LAB}.html").read_text()
    assert re.search(r"^100 %, \d+ passages +ada and last: old", out, re.M), out
    assert "Left out, that cannot be read: broken." in out and "Left out, that cannot be read: broken." in page
    assert "last: old" in page and "Solution, library, other years" in page


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([LAB, "--against", "nowhere"], "no notebook in nowhere: --against takes another year"),
        (["99_nothing"], "there is no lab"),
        (["01_data_and_tokenizer"], "no submissions of"),
        ([LAB, "--threshold", "2"], "is no share"),
    ],
)
def test_what_cannot_be_done_is_one_line(course, arguments, words):
    with pytest.raises(store.StoreError, match=words):
        similarity.main(arguments)
