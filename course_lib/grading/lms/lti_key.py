"""`course lti register`: the course's own key, and what to enter where, so that an LMS takes its scores.

It prints a form for the LMS's admin (addresses, public keys, scopes) and the lines that belong into course.yaml. The
private key is grades/.lti.pem, made at first use, for you alone. docs/lti.md tells the whole way.
"""

import argparse
import hashlib
import json
import time
import uuid
from pathlib import Path

from course_lib.grading.records import store
from course_lib.platform import COURSE_REPO

try:
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm
    from jwt.utils import base64url_encode
except ImportError:
    raise store.StoreError("LTI needs pyjwt and cryptography: pip install 'littlebrook-course[grade]'") from None

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPES = (
    f"{AGS}lineitem",
    f"{AGS}result.readonly",
    f"{AGS}score",
    "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
)
ASSERTION_SECONDS = 300
FORM = """For the LMS's admin, a new LTI 1.3 tool (Canvas: Developer Keys → LTI Key; Moodle: Manage tools):

name                Littlebrook grades
redirect URI        {page}
target link URI     {page}
initiate login URL  {page}
                    (the forms ask for these three; nobody opens this tool, it only posts scores)
key                 RS256, key id {kid}
public keys (JWKS)  {jwks}
or as PEM
{pem}
scopes              {scopes}
privacy             names and e-mail addresses of members, by which students are found

For you, into course.yaml; the admin knows the addresses:

lti:
  client_id: …        # Canvas: the number in the column Details; Moodle: Client ID
  token_url: …        # Canvas: https://SCHOOL/login/oauth2/token; Moodle: https://SITE/mod/lti/token.php
  lineitems_url: …    # Canvas: https://SCHOOL/api/lti/courses/COURSE/line_items
                      # Moodle: https://SITE/mod/lti/services.php/COURSE/lineitems?type_id=TOOL
  memberships_url: …  # Canvas: https://SCHOOL/api/lti/courses/COURSE/names_and_roles
                      # Moodle: https://SITE/mod/lti/services.php/CourseSection/COURSE/bindings/TOOL/memberships
                      # without it roster.csv needs a column lti_user_id
  audience: …         # only where the LMS wants another one than token_url (Brightspace)

Then `course export LAB --to lti` shows what it would post. The private key is {path}: yours alone, never in git.
"""


def path_of(grades=store.GRADES):
    return Path(grades, ".lti.pem")


def make_key(grades=store.GRADES):
    """The course's RSA key, made at first use."""

    def pem():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, *form)

    store.made_once(path_of(grades), pem, grades)
    return read_key(grades)


def read_key(grades=store.GRADES):
    """The course's RSA key. StoreError where there is none that can be read."""
    path, cure = path_of(grades), "run `course lti register` and give the LMS's admin what it prints"
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise store.StoreError(f"there is no key {path} yet: {cure}") from None
    except (OSError, ValueError, TypeError):
        raise store.StoreError(f"{path} is damaged: put back the copy you keep, or remove it, {cure}") from None


def public_jwk(key):
    """The public half as a JSON Web Key. Its id is its thumbprint (RFC 7638)."""
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    plain = {name: jwk[name] for name in ("e", "kty", "n")}
    digest = hashlib.sha256(json.dumps(plain, separators=(",", ":")).encode()).digest()
    return plain | {"kid": base64url_encode(digest).decode(), "alg": "RS256", "use": "sig"}


def assertion(key, client_id, audience):
    """Who asks for a token, signed, for one use (1EdTech Security Framework 1.0, 4.1.1)."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + ASSERTION_SECONDS}
    header = {"kid": public_jwk(key)["kid"]}
    return jwt.encode(claims | {"jti": uuid.uuid4().hex}, key, algorithm="RS256", headers=header)


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course lti", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["register"])
    parser.parse_args(argv)
    key = make_key()
    jwk, public = public_jwk(key), (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    form = {
        "page": f"https://github.com/{COURSE_REPO}",
        "kid": jwk["kid"],
        "jwks": json.dumps({"keys": [jwk]}),
        "pem": key.public_key().public_bytes(*public).decode().strip(),
        "scopes": "\n                    ".join(SCOPES),
        "path": path_of(),
    }
    print(FORM.format(**form), end="")
    return 0
