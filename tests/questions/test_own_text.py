"""The course's own text is known again under other names, and nobody who wrote their own is taken for a copyist."""

import ast
import inspect
import json

import pytest
import tally

from course_lib.notebook.language import UNREADABLE, tree_of
from course_lib.platform import ROOT
from course_lib.questions import core, own_text
from course_lib.stages import bpe, cleaning, retrieval

PASTED = {
    "candidate_pairs": cleaning.candidate_pairs,
    "learn_merges": bpe.learn_merges,
    "bm25_scores": retrieval.bm25_scores,
    "injection_rows": retrieval.injection_rows,
}


def as_a_student(function, name):
    """The text of a function as somebody hands it in who hides that it was pasted: other names, no comment, no type."""
    tree = ast.parse(inspect.getsource(inspect.unwrap(function)))
    definition = tree.body[0]
    own = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in own:
            node.id = f"my_{node.id}"
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = f"my_{node.arg}", None
    definition.name, definition.returns = name, None
    definition.body[0] = ast.Expr(ast.Constant("My own words."))
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize("name", PASTED)
def test_a_pasted_function_is_known_under_other_names(name):
    found = own_text.pasted([ast.parse(as_a_student(PASTED[name], name))], [name])
    assert found == {name: f"course_lib.stages.{PASTED[name].__module__.split('.')[-1]}.{PASTED[name].__name__}"}


def test_no_right_answer_of_the_banks_is_taken_for_a_copy():
    answers = [(question.id, source) for question, kind, _, source, _ in tally.entries() if kind == "right"]
    assert len(answers) > 350
    assert [name for name, source in answers if own_text.pasted([ast.parse(source)], [name])] == []


@pytest.mark.parametrize("lab", tally.LABS)
def test_no_solution_is_taken_for_a_copy(lab):
    ids = [question.id for question in core.questions_of(lab) if isinstance(question, core.Question)]
    trees = []
    for cell in json.loads((ROOT / "solutions" / f"{lab}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            try:
                trees.append(tree_of("".join(cell["source"])))
            except UNREADABLE:
                continue
    assert own_text.pasted(trees, ids) == {}
