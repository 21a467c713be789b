"""What an LMS's LTI 1.3 services are asked, and how: with a token of an hour or so, patiently, and page by page.

Sources: 1EdTech Security Framework 1.0 (tokens), Assignment and Grade Services 2.0 (line items, scores, results), Names
and Role Provisioning Services 2.0 (members). No token and no assertion is ever in a message.
"""

import re
import sys
import time
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from course_lib.grading.lms import lti_key
from course_lib.grading.people.table import one_line
from course_lib.grading.records import store
from course_lib.grading.reports.page import visible

LIS = "application/vnd.ims.lis."
LINE_ITEM, LINE_ITEMS = f"{LIS}v2.lineitem+json", f"{LIS}v2.lineitemcontainer+json"
SCORE, RESULTS = f"{LIS}v1.score+json", f"{LIS}v2.resultcontainer+json"
MEMBERS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
SECURE = re.compile(r"https://[^\s/]|http://(?:localhost|127\.0\.0\.1)(?::\d+)?/")  # where a token may be sent
WAITS = (1, 2, 4, 8, 16)  # s before each further try, where the LMS does not say how long
LONGEST = 900  # s that an LMS may ask us to wait
TIMEOUT = 10, 60  # s to connect, to answer


def patient(ask, what, twice=True):
    """The reply of ask(), which is called again while the LMS is busy (429) and, where it may arrive `twice`, fails
    (5xx) or cannot be reached. StoreError where that does not end.
    """
    for wait in (*WAITS, None):
        try:
            reply = ask()
            if reply.status_code != 429 and reply.status_code < 500:
                return reply
            why, asked, busy = f"it answers {reply.status_code}", wait_asked(reply), reply.status_code == 429
        except requests.RequestException as error:
            why, asked, busy = f"it cannot be reached ({type(error).__name__})", None, False
        if wait is None or not (twice or busy) or (asked or 0) > LONGEST:
            later = f", and asks to wait {asked:g} s" if asked else ""
            raise store.StoreError(f"the LMS could not be asked for {what}: {why}{later}. Run the same command later")
        if asked:
            print(f"the LMS asks to wait {asked:g} s", file=sys.stderr)
        time.sleep(asked or wait)


def wait_asked(reply):
    """Seconds that the header Retry-After names, as a number or a date; None where it names none."""
    try:
        header = reply.headers.get("Retry-After")
        return Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):
        return None


def below(url, name):
    """The address of a line item's scores or results: one more step of the path, before the query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


class Service:
    """The services of one LMS. settings: `lti` of course.yaml."""

    def __init__(self, settings, key):
        self.settings, self.key = settings, key
        self.session, self.token, self.until = requests.Session(), "", 0.0

    def ask_for_token(self):
        settings = self.settings
        audience = settings.get("audience") or settings["token_url"]
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": lti_key.assertion(self.key, settings["client_id"], audience),
            "scope": " ".join(lti_key.SCOPES),
        }
        # without an auth of ours requests would send what ~/.netrc has for the host
        return self.session.post(
            settings["token_url"], data=form, auth=lambda r: r, timeout=TIMEOUT, allow_redirects=False
        )

    def renew(self):
        reply = patient(self.ask_for_token, "a token")
        told = self.read(reply, dict, "a token")
        self.token, seconds = told.get("access_token"), told.get("expires_in")
        if not isinstance(self.token, str) or not self.token:
            raise store.StoreError("the LMS's token_url gives no access_token: is the address right?")
        granted = told.get("scope")
        missing = [s for s in lti_key.SCOPES[:3] if isinstance(granted, str) and s not in granted.split()]
        if missing:
            raise store.StoreError(f"the LMS does not allow {', '.join(missing)}: ask its admin to add the scope")
        self.until = time.time() + 0.9 * (seconds if isinstance(seconds, (int, float)) else 3600)

    def sign(self, request):
        if time.time() >= self.until:
            self.renew()
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def ask(self, method, url, what, twice=True, **more):
        """The reply, whatever its status is below 500; a token that the LMS takes no more is renewed once."""
        if not SECURE.match(url):
            raise store.StoreError(f"the LMS names an address without https:// for {what}: {visible(url, 100)}")

        def once():
            return self.session.request(method, url, auth=self.sign, timeout=TIMEOUT, allow_redirects=False, **more)

        reply = patient(once, what, twice)
        if reply.status_code == 401:
            self.until = 0.0
            reply = patient(once, what, twice)
        return reply

    def read(self, reply, kind, what):
        """The JSON of a reply, which must be a `kind`. StoreError for a refusal, or for something else."""
        if not 200 <= reply.status_code < 300:
            raise store.StoreError(f"the LMS refuses {what}: {self.said(reply)}")
        try:
            told = reply.json()
        except ValueError:
            told = None
        if not isinstance(told, kind):
            raise store.StoreError(f"the LMS answers something that is not {what}: is the address right?")
        return told

    def said(self, reply):
        """The status, and what a refusal says in one short line, without whatever may be a token."""
        text = reply.text.replace(self.token, "…") if self.token else reply.text
        text = re.sub(r"[^\s\"'{}<>,:]{32,}", "…", re.sub(r"<[^>]*>", " ", text[:4000]))
        return visible(one_line(f"{reply.status_code} {' '.join(text.split())}"), 160)

    def pages(self, url, media, kind, what):
        """Each page of a container; the header Link says where the next one is."""
        seen = set()
        while url and url not in seen:
            seen.add(url)
            reply = self.ask("GET", url, what, headers={"Accept": media})
            yield self.read(reply, kind, what)
            following = reply.links.get("next", {}).get("url")
            url = urljoin(url, following) if following else None

    def line_items(self):
        pages = self.pages(self.settings["lineitems_url"], LINE_ITEMS, list, "line items")
        found = [item for page in pages for item in page if isinstance(item, dict)]
        return [item for item in found if isinstance(item.get("id"), str)]

    def create(self, item):
        url, headers = self.settings["lineitems_url"], {"Content-Type": LINE_ITEM, "Accept": LINE_ITEM}
        reply = self.ask("POST", url, "a line item", twice=False, json=item, headers=headers)
        made = self.read(reply, dict, "a line item")
        if not isinstance(made.get("id"), str):
            raise store.StoreError("the LMS made a line item and does not say where: run the same command again")
        return item | made

    def members(self):
        pages = self.pages(self.settings["memberships_url"], MEMBERS, dict, "members")
        found = [member for page in pages for member in page.get("members") or [] if isinstance(member, dict)]
        return [member for member in found if isinstance(member.get("user_id"), (str, int))]

    def results(self, item):
        """{user: share of the maximum} of those who have a score there."""
        found = {}
        for page in self.pages(below(item["id"], "results"), RESULTS, list, "results"):
            for result in page:
                score, most = (
                    result.get(k) if isinstance(result, dict) else None for k in ("resultScore", "resultMaximum")
                )
                if isinstance(score, (int, float)):
                    found[str(result.get("userId"))] = score / (most or 1)  # where none is said it is 1
        return found

    def post(self, item, score):
        """The reply to a score: 2xx, or 409 where the LMS has a newer one, or another refusal."""
        headers = {"Content-Type": SCORE}
        return self.ask("POST", below(item["id"], "scores"), "a score", json=score, headers=headers)
