"""google.colab._message: the front end is asked for the notebook, and there is none unless COURSE_FAKE_NOTEBOOK names a
file.
"""

import json
import os


class MessageError(Exception):
    pass


def blocking_request(request_type, request="", timeout_sec=5, parent=None):
    path = os.environ.get("COURSE_FAKE_NOTEBOOK")
    if request_type == "get_ipynb" and path:
        with open(path, encoding="utf-8") as file:
            return {"ipynb": json.load(file)}
    return None  # what Colab's own gives after timeout_sec
