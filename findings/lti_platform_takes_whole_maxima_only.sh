#!/usr/bin/env bash
# lti-consumer-xblock 11.4.4 (Open edX's LTI 1.3 platform): a line item's scoreMaximum must be a whole number, though the
# specification (LTI AGS 2.0) allows any number above 0. A tool that makes a line item of 7.5 points gets 400 "A valid integer is
# required."; a score of 6.75 of a scoreMaximum of 7.5 in a score message is taken. Scale the item to a whole maximum, or round
# it up and leave the fraction to the scores.
# Ours sends a maximum without a fraction as an integer; the labs have no other: tests/grading/test_lti.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q lti-consumer-xblock==11.4.4 setuptools
cat >"$place/look.py" <<'PYTHON'
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "lti_consumer"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from lti_consumer.lti_1p3.extensions.rest_framework.serializers import LtiAgsLineItemSerializer, LtiAgsScoreSerializer


def taken(kind, **data):
    serializer = kind(data=data)
    return serializer.is_valid(), {key: [str(e) for e in errors] for key, errors in serializer.errors.items()}


item = dict(label="Lab 02", resourceId="lab-02", tag="grade")
whole, fraction = (taken(LtiAgsLineItemSerializer, **item, scoreMaximum=most) for most in (8, 7.5))
score = taken(
    LtiAgsScoreSerializer, userId="1", scoreGiven=6.75, scoreMaximum=7.5, timestamp="2026-11-30T10:00:00.000Z",
    activityProgress="Completed", gradingProgress="FullyGraded",
)
print("line item of 8:", whole)
print("line item of 7.5:", fraction)
print("score 6.75 of 7.5:", score)
assert whole[0] and not fraction[0] and fraction[1] == {"scoreMaximum": ["A valid integer is required."]}
assert score[0]
PYTHON
"$place/venv/bin/python" "$place/look.py"
