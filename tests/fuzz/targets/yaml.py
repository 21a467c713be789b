"""YAML: the late policy, which an instructor writes, and the metadata of Gradescope's export, which a zip may hold."""

import math
from pathlib import Path

from course_lib.grading.intake import archives, layouts
from course_lib.grading.records import policy, store

SHAPE = "text"
# fmt: off
WORDS = ["timezone: Europe/Berlin", "grace_minutes: 15", "percent_a_day: 10", "max_days: 5", "cap: 50",
    "counts: best", "late_days: 5", "excused: [ann]", "labs:", "02_pretraining:", "deadline:", "extensions:", "lti:",
    "2026-11-20 18:00", "2026-11-20T18:00+01:00", "ann", "UTC", ":submitters:", "- :name: Ann", ":sid:", ":email:",
    ":created_at:", "&a ", "*a", "<<: *a", "!ruby/object:Set", "!!str ", "!!timestamp ", "!!binary ",
    "!!python/name:os.system", "? ", "|\n", ">\n", "---\n", "9999-12-31 23:59", "0001-01-01 00:00"]
# fmt: on
TIMES = (0, 1795197480, 1795197481, 1.9e9, 4e9)
LONGEST = 500  # characters of a name or address


def read(data, scratch):
    return [of_policy(data, Path(scratch)), of_gradescope(data)]


def of_policy(data, scratch):
    path = scratch / "policy.yaml"
    path.write_bytes(data)
    try:
        rules = policy.read(path)
    except store.StoreError as reason:
        assert "\n" not in str(reason) and str(reason).startswith("the policy "), reason
        return str(reason)
    told = []
    for lab, rule in rules.items():
        before = None
        for received in TIMES:
            for student in ("nobody", *rule["extensions"]):
                days, kept, why = policy.penalty(rules, lab, student, received)
                assert days >= 0 and 0 <= kept <= 1 and math.isfinite(kept) and why, (days, kept)
                assert student != "nobody" or before is None or kept <= before, "later is never better"
                before = kept if student == "nobody" else before
                told.append((days, kept))
    late = [(received, lab, days) for received, lab, (days, _) in zip(TIMES, rules, told)]
    taken = policy.free_days(rules, late)
    assert all(taken[lab] <= days for _, lab, days in late) and sum(taken.values()) <= rules[None]["late_days"]
    return [*told, taken]


def of_gradescope(data):
    """What the metadata say of two hand-ins: texts, not endless, and a time or none."""
    metadata = archives.Entry("submission_metadata.yml", len(data), "", "", lambda limit: data[:limit])
    folders = [archives.Entry(f"submission_{n}/a.ipynb", 2, "", "", lambda limit: b"{}") for n in (501, 502)]
    try:
        made, groups = layouts.gradescope([metadata, *folders], "00_start_here")
    except archives.Rejected as reason:
        assert str(reason).isprintable() and len(str(reason)) < 200, reason
        return str(reason)
    assert set(groups) == {"submission_501", "submission_502"} and set(made) <= set(groups)
    for about in made.values():
        assert about["received"] is None or math.isfinite(about["received"])
        for person in (about, *about["others"]):
            texts = [
                person["name"],
                person["email"],
                person["alone"],
                *person["ids"].values(),
                *dict(person["hints"]).values(),
            ]
            assert all(type(text) is str and len(text) <= 3 * LONGEST for text in texts), texts
    return repr(made)
