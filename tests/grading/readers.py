"""A `course review` in this process, and requests as its page makes them."""

import contextlib
import http.client
import json
import threading
from urllib.parse import urlsplit

from people import LAB

from course_lib.grading.reports.review import server as review


@contextlib.contextmanager
def serving(**options):
    """(the instructor's address, {reader: address}) of a server of the folder we are in."""
    server, address, others = review.server(LAB, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield address, others
    finally:
        server.shutdown(), server.server_close(), thread.join()


def ask(address, path="", wish=None, method=None, **headers):
    """(status, body) of a request as the page makes it, unless told otherwise."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    own = {"Host": parts.netloc} | (
        {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"} if wish is not None else {}
    )
    connection.request(
        method or ("GET" if wish is None else "POST"),
        (path if path.startswith("/") else parts.path + path),
        wish if wish is None or type(wish) is bytes else json.dumps(wish),
        {k: v for k, v in (own | headers).items() if v is not None},
    )
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, json.loads(body) if "json" in reply.getheader("Content-Type") else body
