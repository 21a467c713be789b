"""Bytes that are nearly what they were: what is tried next, by `make fuzz` and by the tests.

changed(data, draw, shape, words, most) knows four shapes: "json", "zip", "frame" (8 bytes of length, JSON, tensors) and
"text" (lines of YAML or CSV). What is changed stays whole around the change, so that it gets past the parser.
"""

import copy
import io
import json
import warnings
import zipfile

# fmt: off
VALUES = [None, True, False, 0, -1, 1, 2, 0.5, 2**31, 2**53, 2**63, 2**64, 10**40, -2**31, 1e308, -1e308, float("nan"),
    float("inf"), "", " ", "\n", "\0", "\ud800", "\u202e", "\u2028", "1", "no", "x" * 300, [], {}, [[]], [None], [{}],
    {"": None}, {"a": []}]
TEXTS = ["", " ", "\n", "\r\n", "\r", "\t", "\0", "\x1b[2J", "\x85", "\u2028", "\u202e", "\ud800", "\ufeff", "é", "İ",
    "ß", "ﬁ", "\N{COMBINING ACUTE ACCENT}", "١", "０", "x" * 100, "9" * 30, "1e9", "1e400", "nan", "../",
    *"\"'\\/,;:=-()[]{}<>#%!?&*10."]
# fmt: on
NAMES = ["a.ipynb", "../a.ipynb", "/a", "C:\\a", ".", "..", "a/../../b.ipynb", "a\0.ipynb", "work/x/model.safetensors"]
NAMES += ["manifest.json", "work/pretrain/record.json", "a/.git/HEAD", "torch.py", "helper.py", "a.zip", "ann/a.ipynb"]


def changed(data, draw, shape, words, most):
    """data after one to four changes, at most `most` bytes. draw: random.Random."""
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        data = SHAPES[shape](data, draw, words, most)
    return data[:most]


def of_bytes(data, draw, words, most):
    """Bytes cut, doubled, overwritten, or with something put in."""
    data = bytearray(data)
    at, n = draw.randint(0, len(data)), draw.choice((1, 1, 2, 4, 8, 40, 400))
    match draw.randint(0, 6):
        case 0:
            del data[at : at + n]
        case 1:
            data[at:at] = draw.randbytes(n)
        case 2:
            data[at : at + n] = draw.randbytes(min(n, len(data) - at))
        case 3:
            data[at:at] = data[at : at + n]
        case 4:
            del data[at:]
        case 5:
            data[at:at] = draw.choice([*words, *TEXTS]).encode("utf-8", "surrogatepass")
        case 6 if data[at : at + n]:
            data[at:at] = data[at : at + n] * draw.choice((10, 100, min(most, 3 * 10**5) // n))
    return bytes(data)


def of_text(data, draw, words, most):
    """A line doubled, moved or dropped, a field exchanged for another one or for a word; else as bytes."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randint(0, 9):
        case 0:
            lines.insert(j, lines[i])
        case 1:
            lines[i], lines[j] = lines[j], lines[i]
        case 2:
            del lines[i]
        case 3:
            lines[j:j] = [lines[i]] * draw.choice((10, 1000, 10_000))
        case 4 | 5 | 6:
            mark = draw.choice([c for c in (",", ";", ": ", " ", "\t") if c in lines[i]] or [","])
            fields, others = lines[i].split(mark), lines[j].split(mark)
            with_this = [*others, *words, draw.choice(TEXTS)]
            fields[draw.randrange(len(fields))] = draw.choice(with_this)
            lines[i] = mark.join(fields)
        case 7:
            lines[i] = " " * draw.choice((1, 2, 4)) + lines[i]
        case 8:
            at = draw.randint(0, len(lines[i]))
            lines[i] = lines[i][:at] + draw.choice([*words, *TEXTS]) + lines[i][at:]
        case _:
            return of_bytes(data, draw, words, most)
    try:
        return "\n".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return of_bytes(data, draw, words, most)


def places(value, path=()):
    """Every path into a JSON value but the empty one."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def of_json(data, draw, words, most):
    """A part of a JSON text replaced, doubled, dropped, renamed or nested; one in eight times as bytes."""
    try:
        tree = json.loads(data)
        ways = list(places(tree))
    except (ValueError, RecursionError):
        return of_bytes(data, draw, words, most)
    if not ways or draw.randrange(8) == 0:
        return of_bytes(data, draw, words, most)
    *way, last = draw.choice(ways)
    inside = tree
    for key in way:
        inside = inside[key]
    value = inside[last]
    match draw.randint(0, 6):
        case 0:
            inside[last] = draw.choice([*VALUES, *words])
        case 1:
            inside[last] = copy.deepcopy(part(tree, draw.choice(ways)))
        case 2:
            del inside[last]
        case 3 if isinstance(inside, dict):
            inside[draw.choice([*words, *TEXTS, str(last) + " "])] = value
        case 3:
            inside[last:last] = [value] * draw.choice((1, 2, 50, 3000))
        case 4:
            for _ in range(draw.choice((1, 2, 20, 200))):
                value = [value] if draw.randrange(2) else {"a": value}
            inside[last] = value
        case _ if isinstance(value, str):
            inside[last] = of_text(value.encode("utf-8", "replace"), draw, words, most).decode("utf-8", "replace")
        case _ if type(value) in (int, float):
            inside[last] = draw.choice([value + 1, -value, value * 2, str(value), [value], *VALUES[3:16]])
        case _:
            inside[last] = draw.choice(words) if words else None
    try:
        return json.dumps(tree).encode()
    except (ValueError, RecursionError):
        return data


def part(tree, way):
    for key in way:
        tree = tree[key]
    return tree


def of_frame(data, draw, words, most):
    """A frame whose JSON or whose tail was changed, its length put right nine times of ten."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        return of_bytes(data, draw, words, most)
    text, rest = data[8 : 8 + size], data[8 + size :]
    match draw.randint(0, 9):
        case 0:
            return of_bytes(data, draw, words, most)
        case 1 | 2 if rest:
            rest = of_frame(rest, draw, words, most)
        case _:
            text = of_json(text, draw, words, most)
    return len(text).to_bytes(8, "little") + text + rest


def of_zip(data, draw, words, most):
    """A zip with a member renamed, changed, doubled or dropped; one in four times as bytes."""
    members = members_of(data)
    if not members or draw.randrange(4) == 0:
        return of_bytes(data, draw, words, most)
    at = draw.randrange(len(members))
    info, inside = members[at]
    match draw.randint(0, 6):
        case 0:
            info.filename = draw.choice([*NAMES, *words])
        case 1:
            info.filename = of_bytes(info.filename.encode("utf-8", "replace"), draw, words, 200).decode(
                "utf-8", "ignore"
            )
        case 2:
            del members[at]
        case 3:
            members.append((zipfile.ZipInfo(draw.choice([*NAMES, *words]), info.date_time), inside))
        case 4:
            info.external_attr = draw.choice((0, 0o120777 << 16, 0o060666 << 16, 0o100644 << 16, 16, 2**32 - 1))
        case _:
            kinds = {".ipynb": "json", ".json": "json", ".zip": "zip", ".yml": "text"}
            shape = kinds.get(info.filename[info.filename.rfind(".") :], "bytes")
            members[at] = info, SHAPES[shape](inside, draw, words, most)
    return zipped(members) or of_bytes(data, draw, words, most)


def members_of(data):
    """[(info, bytes)] of a zip; none of one that cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(info, archive.read(info) if info.file_size < 2**20 else b"") for info in archive.infolist()]
    except Exception:  # whatever a broken one raises
        return []


def zipped(members):
    """The bytes of a zip; none where one has a name that no zip may have."""
    out = io.BytesIO()
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # of names that stand there twice
            for info, inside in members:
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, inside)
    except Exception:
        return b""
    return out.getvalue()


SHAPES = {"bytes": of_bytes, "text": of_text, "json": of_json, "frame": of_frame, "zip": of_zip}


def pumped(data, draw, shape, words):
    """A function of a number of bytes: data with one small piece, or one word, repeated until it is so long. What costs
    more than its length shows in two of them.
    """
    place = text_in(data, draw, shape)
    inside = place[0] if place else data.decode("utf-8", "replace")
    at, n = draw.randint(0, len(inside)), draw.choice((1, 1, 1, 2, 3, 5, 8, 13, 40))
    piece = inside[at : at + n] if draw.randrange(3) else draw.choice([*words, *TEXTS])
    piece = (piece or " ") + draw.choice(("", "", "", "\n", " ", ","))

    def made(length):
        long = inside[:at] + piece * (length // len(piece)) + inside[at:]
        return place[1](long) if place else long.encode("utf-8", "replace")

    return made


def text_in(data, draw, shape):
    """(a text of a JSON or zip, function that gives the bytes with another one in its place), or None."""
    if shape == "zip":
        return member_in(data, draw)
    size = int.from_bytes(data[:8], "little") if shape == "frame" else 0
    head, tail = (data[8 : 8 + size], data[8 + size :]) if shape == "frame" else (data, b"")
    try:
        tree = json.loads(head)
        ways = [way for way in places(tree) if type(part(tree, way)) is str]
    except (ValueError, RecursionError):
        return None
    if not ways:
        return None
    *way, last = draw.choice(ways)

    def replaced(text):
        part(tree, way)[last] = text
        made = json.dumps(tree).encode()
        return len(made).to_bytes(8, "little") + made + tail if shape == "frame" else made

    return part(tree, way)[last], replaced


def member_in(data, draw):
    """As text_in, of a zip: the name of a member, or what is in it."""
    members = members_of(data)
    if not members:
        return None
    at, named = draw.randrange(len(members)), draw.randrange(2) == 0
    info, inside = members[at]

    def replaced(text):
        name = text[:60_000] if named else info.filename
        changed = zipfile.ZipInfo(name), inside if named else text.encode("utf-8", "replace")
        return zipped([*members[:at], changed, *members[at + 1 :]]) or data

    return (info.filename if named else inside.decode("utf-8", "replace")), replaced
