"""Handing in to a JupyterHub: `submit()` puts its zip to the service `course serve-hub` where COURSE_SUBMIT_URL says
that there is one. Who it is says the token of the student's own server.
"""

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request

MAX_ZIP = 128 * 2**20  # bytes that the service takes
SECONDS = 60  # without an answer


def hand_in(path, lab):
    """Puts a zip to the hub's service. Returns the receipt, or one line that says what to do; the zip stays in both."""
    try:
        return receipt_in_words(put(path, lab))
    except urllib.error.HTTPError as error:
        why = message_of(error)
    except (OSError, http.client.HTTPException) as error:  # URLError, a timeout and a connection that ends are OSErrors
        why = f"the hub's service cannot be reached ({getattr(error, 'reason', '') or error or type(error).__name__})"
    except ValueError as error:
        why = str(error)
    return f"Not handed in, {' '.join(why.split())}. Run this cell again later, or hand in {path} in another way."


def put(path, lab):
    """The service's receipt for the file at path. Raises OSError, http.client.HTTPException, ValueError."""
    token, size = os.environ.get("JUPYTERHUB_API_TOKEN"), path.stat().st_size
    if not token:
        raise ValueError("this kernel was not started by a JupyterHub (there is no JUPYTERHUB_API_TOKEN)")
    if size > MAX_ZIP:
        raise ValueError(f"the zip has {size >> 20} MB, more than the {MAX_ZIP >> 20} that the hub's service takes")
    headers = {"Authorization": f"token {token}", "Content-Type": "application/zip", "Content-Length": str(size)}
    with open(path, "rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        address = f"{os.environ['COURSE_SUBMIT_URL'].rstrip('/')}/{lab}"
        request = urllib.request.Request(address, file, headers, method="PUT")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            receipt = json.loads(answer.read(2**16))
    if type(receipt) is not dict or receipt.get("sha256") != sha:
        raise ValueError("what answers at COURSE_SUBMIT_URL gave no receipt for this zip: tell your instructor")
    return receipt


def message_of(error):
    """Why a service refused, in its own words if it is ours."""
    try:
        return str(json.loads(error.read(2**16))["message"])[:300]
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        return f"the hub answered {error.code} ({error.reason})"


def receipt_in_words(receipt):
    received = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(receipt["received"]))
    return f"Handed in: {receipt['lab']}, attempt {receipt['attempt']}, received {received}. Keep this receipt."
