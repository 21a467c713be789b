"""Honest notebooks have no flag and all their points; `course bench honest` hands in all of them, this a few."""

import pytest

from course_lib.bench import honest
from course_lib.questions import core

SAMPLE = {
    "00_start_here": ("shell lines", "captured stdout", "checks in a loop", "names like builtins"),
    "02_pretraining": ("compile", "threads of a DataLoader", "progress bars"),
}


def test_the_corpus_has_every_lab_in_four_styles_with_all_that_people_put_around():
    assert len(core.labs()) * len(honest.AROUND) >= 150
    for lab in core.labs():
        styles = honest.styles(lab)
        assert len({tuple(sorted(style.items())) for style in styles}) == 4, lab


@pytest.mark.parametrize("lab", SAMPLE)
def test_honest_notebooks_are_not_flagged_and_lose_nothing(box, lab):
    figures, said = honest.survey(honest.corpus([lab], SAMPLE[lab]))
    assert figures == {"notebooks": len(SAMPLE[lab]), "flagged": 0, "lost_points": 0.0}, said


def test_what_is_flagged_or_loses_points_is_counted(box):
    answers = honest.styles("00_start_here")[0]
    wrong = answers | {"entropy": "# EXERCISE entropy\nimport torch\ntorch.equal = None\ndef entropy(p): return 1.0"}
    figures, said = honest.survey({"00_start_here": {"ada": honest.notebook("00_start_here", wrong, "nothing")}})
    assert figures == {"notebooks": 1, "flagged": 1, "lost_points": 0.75}
    assert any("patched library" in line for line in said) and any("entropy" in line for line in said)
