"""An LMS on this machine that takes scores by LTI 1.3, as strict as the specifications let it be, with faults to order.

Sources: 1EdTech Security Framework 1.0, Assignment and Grade Services 2.0, Names and Role Provisioning Services 2.0.
What a tool does wrong is a line of `wrong`, besides the refusal.
"""

import datetime
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt

CLIENT = "10000000000007"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPES = {f"{AGS}lineitem", f"{AGS}result.readonly", f"{AGS}score", NRPS}
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
MEDIA = {  # what is asked for: its media type
    "lineitems": "application/vnd.ims.lis.v2.lineitemcontainer+json",
    "lineitem": "application/vnd.ims.lis.v2.lineitem+json",
    "results": "application/vnd.ims.lis.v2.resultcontainer+json",
    "scores": "application/vnd.ims.lis.v1.score+json",
    "memberships": "application/vnd.ims.lti-nrps.v2.membershipcontainer+json",
}
NEEDS = {"lineitems": f"{AGS}lineitem", "results": f"{AGS}result.readonly", "scores": f"{AGS}score"}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:\d\d)")
ACTIVITY = {"Initialized", "Started", "InProgress", "Submitted", "Completed"}
GRADING = {"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"}


def member(user, name="", email="", roles=(LEARNER,), **more):
    return {"user_id": user, "name": name, "email": email, "roles": list(roles), "status": "Active"} | more


class Platform:
    """members: as of NRPS; jwks: the tool's public keys. Settings of the tests: `lasts` (s of a token), `strict` (as
    Moodle: only complete scores are shown, and an equal timestamp is refused), `audience`, `scopes`, `page` (size).
    """

    def __init__(self, members=(), jwks=None):
        self.members, self.jwks = list(members), jwks
        self.items, self.results, self.stamps = [], {}, {}
        self.tokens, self.jtis, self.wrong, self.log, self.faults = {}, set(), [], [], []
        self.lasts, self.strict, self.audience, self.scopes, self.page = 3600, False, None, SCOPES, 2
        self.posted = []  # (user, scoreGiven, gradingProgress) of scores that were kept
        self.on_score = lambda body: None
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                platform.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def settings(self):
        """The lines of course.yaml."""
        return {
            "client_id": CLIENT,
            "token_url": f"{self.url}/token.php",
            "lineitems_url": f"{self.url}/services.php/5/lineitems?type_id=7",
            "memberships_url": f"{self.url}/services.php/5/memberships?type_id=7",
        }

    def fault(self, name, status, times=1, after=False, body="", **headers):
        """The next `times` requests of a kind (token, lineitems, create, results, scores, memberships) get this status;
        None hangs up. after: what they asked for is done all the same.
        """
        self.faults += [{"name": name, "status": status, "after": after, "body": body, "headers": headers}] * times

    def score_of(self, user):
        found = self.results.get((self.items[0]["id"], user)) if self.items else None
        return found and found["resultScore"]

    def put_score(self, user, score, at=None):
        """A teacher enters a score."""
        item = self.items[0]
        self.results[item["id"], user] = {"userId": user, "resultScore": score, "resultMaximum": item["scoreMaximum"]}
        self.stamps[item["id"], user] = at or time.time()

    # ---- requests

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body, parts = request.rfile.read(length).decode(), urlsplit(request.path)
        name = parts.path.rsplit("/", 1)[-1].removesuffix(".php")
        kind = "create" if (name, request.command) == ("lineitems", "POST") else name
        self.log.append(kind)
        fault = next((f for f in self.faults if f["name"] == kind), None)
        if fault:
            self.faults.remove(fault)
        if fault is None or fault["after"]:
            status, told, headers = self.served(request, kind, body, parts)
        if fault is not None:
            status, told, headers = fault["status"], fault["body"], fault["headers"]
        if status is None:
            request.close_connection = True
            return
        data = (told if isinstance(told, str) else json.dumps(told)).encode()
        request.send_response(status)
        for key, value in {"Content-Length": len(data), **headers}.items():
            request.send_header(key.replace("_", "-"), str(value))
        request.end_headers()
        request.wfile.write(data)

    def served(self, request, kind, body, parts):
        if kind == "token":
            return self.token(request, body)
        if why := self.not_allowed(request, {"create": "lineitems"}.get(kind, kind)):
            return 401, {"error": why}, {}
        query = parse_qs(parts.query)
        if query.get("type_id") != ["7"]:
            return self.no(400, f"{kind}: the query of the address is lost")
        accept, sent = request.headers.get("Accept"), request.headers.get("Content-Type")
        if kind == "create":
            return self.create(accept, sent, body)
        if kind == "scores":
            if (request.command, sent) != ("POST", MEDIA["scores"]):
                return self.no(415, f"a score comes as {request.command} of {sent}")
            return self.score(parts, json.loads(body))
        if request.command != "GET" or kind not in MEDIA:
            return self.no(404, f"{request.command} {parts.path}")
        if accept != MEDIA[kind]:
            return self.no(406, f"{kind} asked for as {accept}")
        rows = {"lineitems": self.items, "memberships": self.members}.get(kind)
        if kind == "results":
            item = f"{self.url}{parts.path.removesuffix('/results')}?type_id=7"
            rows = [result for (of, _), result in self.results.items() if of == item]
        start = int(query.get("from", ["0"])[0])
        page, headers = rows[start : start + self.page], {"Content-Type": MEDIA[kind]}
        if start + self.page < len(rows):
            following = f"{self.url}{parts.path}?type_id=7&from={start + self.page}"
            headers["Link"] = f'<{self.url}{parts.path}?type_id=7>; rel="first", <{following}>; rel="next"'
        if kind == "memberships":
            page = {"id": f"{self.url}{parts.path}", "context": {"id": "5"}, "members": page}
        return 200, page, headers

    def no(self, status, why):
        self.wrong.append(why)
        return status, {"error": why}, {}

    def token(self, request, body):
        form = {key: values for key, values in parse_qs(body).items()}
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self.no(400, "the form of a token request")
        if any(len(values) != 1 for values in form.values()):
            return self.no(400, "a field twice")
        form = {key: values[0] for key, values in form.items()}
        fixed = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        if {key: form.get(key) for key in fixed} != fixed or form.keys() != {*fixed, "client_assertion", "scope"}:
            return self.no(400, f"fields of a token request: {sorted(form)}")
        if "Authorization" in request.headers:
            return self.no(400, "a token request with an Authorization")
        try:
            header = jwt.get_unverified_header(form["client_assertion"])
            keys = {key["kid"]: jwt.PyJWK(key) for key in self.jwks["keys"] if key["alg"] == "RS256"}
            claims = jwt.decode(
                form["client_assertion"],
                keys[header["kid"]],
                algorithms=["RS256"],
                audience=self.audience or f"{self.url}/token.php",
                options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
                leeway=2,
            )
        except (jwt.PyJWTError, KeyError) as error:
            return 400, {"error": "invalid_client", "error_description": f"{error!r} {form['client_assertion']}"}, {}
        if header["alg"] != "RS256" or header["typ"] != "JWT":
            return self.no(400, f"the header {header}")
        if not claims["iss"] == claims["sub"] == CLIENT:
            return 400, {"error": "invalid_client", "error_description": "unknown client"}, {}
        if not 0 < claims["exp"] - claims["iat"] <= 3600 or abs(claims["iat"] - time.time()) > 60:
            return self.no(400, f"times {claims}")
        if claims["jti"] in self.jtis or len(claims["jti"]) < 16:
            return self.no(400, "a jti twice, or one that can be guessed")
        self.jtis.add(claims["jti"])
        asked = set(form["scope"].split(" "))
        if not asked <= SCOPES:
            return self.no(400, f"scopes {asked}")
        token = f"secret-{uuid.uuid4().hex}"
        self.tokens[token] = (time.time() + self.lasts, asked & self.scopes)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self.lasts}
        return 200, told | {"scope": " ".join(sorted(asked & self.scopes))}, {"Cache_Control": "no-store"}

    def not_allowed(self, request, name):
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        until, scopes = self.tokens.get(token, (0, set()))
        if kind != "Bearer" or time.time() > until:
            return f"invalid_token {token}"
        return None if NEEDS.get(name, NRPS) in scopes else f"no scope for {name}"

    def create(self, accept, sent, body):
        item = json.loads(body)
        if accept != MEDIA["lineitem"] or sent != MEDIA["lineitem"]:
            return self.no(415, f"a line item comes as {sent} and is asked for as {accept}")
        fit = isinstance(item.get("label"), str) and item["label"].strip() and item.get("scoreMaximum", 0) > 0
        if not fit or "id" in item or not isinstance(item.get("resourceId"), str):
            return self.no(400, f"the line item {item}")
        item = {"id": f"{self.url}/services.php/5/lineitems/{len(self.items) + 1}/lineitem?type_id=7"} | item
        self.items.append(item)
        return 201, item, {"Content-Type": MEDIA["lineitem"]}

    def score(self, parts, score):
        at = f"{self.url}{parts.path.removesuffix('/scores')}?type_id=7"
        item = next((item for item in self.items if item["id"] == at), None)
        if item is None or not parts.path.endswith("/lineitem/scores"):
            return self.no(404, f"scores of {at}")
        given, most = score.get("scoreGiven"), score.get("scoreMaximum")
        if type(given) not in (int, float) or type(most) not in (int, float) or given < 0 or most <= 0:
            return self.no(400, f"the score {score}")
        if score.get("activityProgress") not in ACTIVITY or score.get("gradingProgress") not in GRADING:
            return self.no(400, f"the progress of {score}")
        if not STAMP.fullmatch(score.get("timestamp", "")):
            return self.no(400, f"the timestamp of {score}")
        if score.get("userId") not in [str(m["user_id"]) for m in self.members]:
            return 404, {"error": "no such member"}, {}
        moment = datetime.datetime.fromisoformat(score["timestamp"]).timestamp()
        last = self.stamps.get((at, score["userId"]), 0.0)
        if moment < last or (self.strict and int(moment) <= int(last)):
            return 409, "Refusing score with an earlier timestamp", {}
        self.on_score(score)
        self.stamps[at, score["userId"]] = moment
        self.posted.append((score["userId"], given, score["gradingProgress"]))
        result = {"id": f"{at}#{score['userId']}", "scoreOf": at, "userId": score["userId"]}
        if self.strict and score["gradingProgress"] != "FullyGraded":
            self.results.pop((at, score["userId"]), None)
        else:
            shown = round(given / most * item["scoreMaximum"], 5)
            self.results[at, score["userId"]] = result | {"resultScore": shown, "resultMaximum": item["scoreMaximum"]}
        return 200, "", {}
