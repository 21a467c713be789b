"""What came by `course serve-hub` (hub.py), as it came: hub/LAB/USER/0001/{submission.zip, receipt.json}.

The bytes are hashed and kept, never opened here: `course collect LAB hub --from hub` does that, in the room.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from course_lib.grading.intake.unpacking import synced
from course_lib.grading.records import policy, store

INBOX = Path("hub")
MOST = 200  # attempts of one student at one lab: each is kept
LONGEST = 60  # characters of a user's name
KEEPING = threading.Lock()


class Refused(Exception):
    """A request that is not granted: (HTTP status, one line that says what to do)."""


def home_of(inbox, lab, user):
    """The folder of a user's attempts, which nobody else's name leads to. Raises Refused."""
    try:
        policy.known_lab(lab)
    except store.StoreError as error:
        raise Refused(404, str(error)) from None
    if user.strip(". ") != user or not user.isprintable() or re.search(r"[/\\]", user) or not 0 < len(user) <= LONGEST:
        raise Refused(403, "the hub's name for you cannot be the name of a folder: hand in the zip in another way")
    return Path(inbox, lab, quote(user, safe="@ "))


def receipts(inbox, lab, user):
    """The receipts of a user's attempts at a lab, the first one first."""
    return [json.loads(path.read_bytes()) for path in sorted(home_of(inbox, lab, user).glob("*/receipt.json"))]


def keep(inbox, lab, user, stream, size):
    """Keeps `size` bytes of a stream as the user's next attempt, all of it or nothing. Returns (receipt, the attempt's
    folder; None where the same bytes are here already, whose receipt it is then). Raises Refused, OSError.
    """
    home, incoming = home_of(inbox, lab, user), Path(inbox, ".incoming")
    incoming.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=incoming) as place:
        attempt = Path(place, "attempt")
        attempt.mkdir()
        sha = streamed(stream, size, attempt / "submission.zip")
        with KEEPING:
            before = receipts(inbox, lab, user)
            for receipt in before:
                if receipt["sha256"] == sha:
                    return receipt, None
            if len(before) >= MOST:
                raise Refused(409, f"{len(before)} attempts are here already: ask your instructor")
            number = before[-1]["attempt"] + 1 if before else 1
            receipt = {"user": user, "lab": lab, "attempt": number, "received": round(time.time(), 3)}
            receipt |= {"sha256": sha, "bytes": size}
            synced(attempt / "receipt.json", json.dumps(receipt, ensure_ascii=False).encode())
            home.mkdir(parents=True, exist_ok=True)
            return receipt, settled(attempt, home / f"{number:04}")


def streamed(stream, size, path):
    """Writes `size` bytes of a stream to a file, on disk when this returns. Returns their sha256."""
    digest, left = hashlib.sha256(), size
    with open(path, "wb") as file:
        while left:
            part = stream.read(min(left, 2**20))
            if not part:
                raise Refused(400, "the upload broke off")
            digest.update(part)
            file.write(part)
            left -= len(part)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def settled(made, place):
    """Moves a folder to where nothing is yet; the new name, too, is on disk when this returns."""
    os.rename(made, place)
    parent = os.open(place.parent, os.O_RDONLY)
    with contextlib.suppress(OSError):  # a network's file system may not know how
        os.fsync(parent)
    os.close(parent)
    return place
