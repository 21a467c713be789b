"""Variants of what comes beside the notebook (numbers 32 to 35 and 43 to 46): each function draws one."""

import io
import json
import pickle
import struct

from bad import ways
from bad.drawn_plain import ALL, right
from bad.files import Runs, pickle_loaded
from bad.make import LARGE, Bad, Files, Handed, book, model, notebook, outputs, stub, zipped
from bad.ways import one_of, some_of

FUNCTIONS = 8.0  # points of lab 02 without the model
NO_MODEL = {"pretrained_model": "error"}


def with_file(data):
    def make(place):
        folder = model(place)
        (folder / "model.safetensors").write_bytes(data(folder) if callable(data) else data)
        return Handed(book(lab=LARGE), folder)

    return make


def saved_by_torch(folder):
    import torch

    out = io.BytesIO()
    torch.save({"model.norm.weight": Runs()}, out, pickle_protocol=2)
    return out.getvalue()


def saved_by_numpy(folder):
    import numpy as np

    out = io.BytesIO()
    np.save(out, np.array([Runs()], dtype=object), allow_pickle=True)
    return out.getvalue()


def pickles(rng):
    protocol, cut = rng.randrange(6), rng.randrange(20)
    plain = pickle.dumps(Runs(), protocol)
    header = json.dumps({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}).encode()
    forms = {
        f"protocol {protocol}": plain,
        "torch.save": saved_by_torch,
        "numpy": saved_by_numpy,
        "a zip of a pickle": zipped({"archive/data.pkl": plain, "archive/version": "3"}),
        "a tar of a pickle": b"data.pkl" + bytes(92) + b"0000644\0" + bytes(148) + b"ustar\x0000" + plain,
        "behind a header": struct.pack("<Q", len(header)) + header + plain[:4] + plain,
        f"protocol {protocol}, cut": plain[cut:],
        "gzip": __import__("gzip").compress(plain, mtime=0),
        "HDF5": b"\x89HDF\r\n\x1a\n" + plain,
    }
    label, data = one_of(rng, forms)
    return Bad(32, label, with_file(data), "Q0", FUNCTIONS, lab=LARGE, statuses=NO_MODEL, after=pickle_loaded)


# ---- a header, any value in any place --------------------------------------------------------------------------------

PLACES = (
    "the header",
    "the metadata",
    "a text of the metadata",
    "the record",
    "an entry",
    "a dtype",
    "a shape",
    "a size",
    "the offsets",
    "an offset",
    "the model",
    "a setting",
    "the stage",
    "the log",
    "an adapter",
    "a rank",
    "one more entry",
    "one more key",
)


def header_with(raw, place, value, rng):
    """The bytes of a safetensors file whose header has this value in this place."""
    size = int.from_bytes(raw[:8], "little")
    head, rest = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    names = [name for name in head if name != "__metadata__"]
    entry = head[rng.choice(names)]
    record = json.loads(head["__metadata__"]["littlebrook"])
    if place == "the header":
        head = value
    elif place == "the metadata":
        head["__metadata__"] = value
    elif place == "a text of the metadata":
        head["__metadata__"]["littlebrook"] = value
    elif place == "an entry":
        head[rng.choice(names)] = value
    elif place == "one more entry":
        head[rng.choice(["", "model.norm.weight ", "x", "__class__"])] = value
    elif place == "one more key":
        entry["x"] = value
    elif place in ("a dtype", "a shape", "the offsets"):
        entry[{"a dtype": "dtype", "a shape": "shape", "the offsets": "data_offsets"}[place]] = value
    elif place == "a size":
        entry["shape"][0] = value
    elif place == "an offset":
        entry["data_offsets"][rng.randrange(2)] = value
    else:
        if place == "the record":
            record = value
        elif place == "the model":
            record["model"] = value
        elif place == "a setting":
            record["model"][rng.choice([*record["model"], "other"])] = value
        elif place == "the stage":
            record["stage"] = value
        elif place == "the log":
            record["log"] = value
        elif place == "an adapter":
            record["lora"] = value
        elif place == "a rank":
            record["lora"] = {"rank": value, "alpha": 8, "targets": ["q_proj"]}
        head["__metadata__"]["littlebrook"] = json.dumps(record)
    text = json.dumps(head).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + rest


def headers(rng):
    place, (label, value), seed = rng.choice(PLACES), one_of(rng, ways.VALUES), rng.random()
    import random

    make = with_file(
        lambda folder: header_with((folder / "model.safetensors").read_bytes(), place, value, random.Random(seed))
    )
    return Bad(
        33,
        f"{label} for {place}",
        make,
        "G",
        FUNCTIONS,
        lab=LARGE,
        flags_ok=True,
        statuses={"pretrained_model": ("error", "fail")},
    )


def damaged(rng):
    """Bytes cut, changed, put behind or doubled; a header whose length, keys or order lie."""
    where, tail = rng.random(), rng.choice([b"\0", b"x", b"\n\n", b"\r\n\r\n", b"PK\x03\x04", bytes(5000)])

    def spoilt(folder):
        raw = (folder / "model.safetensors").read_bytes()
        size, at = int.from_bytes(raw[:8], "little"), int(where * len(raw))
        head = raw[8 : 8 + size]
        return {
            "cut": raw[:at],
            "bytes behind": raw + tail,
            "its length": (size + 1).to_bytes(8, "little") + raw[8:],
            "a length of 2**63": (2**63).to_bytes(8, "little") + raw[8:],
            "twice": raw + raw,
            "empty": b"",
            "a key twice": len(twice := head[:-1].rstrip() + b', "x": {}, "x": {}}').to_bytes(8, "little")
            + twice
            + raw[8 + size :],
            "a gap": raw[: 8 + size] + bytes(4) + raw[8 + size :],
            "no tensors": b"\2" + bytes(7) + b"{}",
            "a deep header": len(deep := b'{"a": ' + b"[" * 50_000).to_bytes(8, "little") + deep,
            "UTF-16": len(wide := head.decode().encode("utf-16")).to_bytes(8, "little") + wide + raw[8 + size :],
        }[way]

    way = rng.choice(
        [
            "cut",
            "bytes behind",
            "its length",
            "a length of 2**63",
            "twice",
            "empty",
            "a key twice",
            "a gap",
            "no tensors",
            "a deep header",
            "UTF-16",
        ]
    )
    return Bad(
        33,
        f"{way} at {where:.2f}, {tail[:4]!r}",
        with_file(spoilt),
        "Q0",
        FUNCTIONS,
        lab=LARGE,
        statuses=NO_MODEL,
        says="not a whole safetensors file|no record",
    )


def bad_models(rng):
    return headers(rng) if rng.random() < 0.7 else damaged(rng)


# ---- copies ----------------------------------------------------------------------------------------------------------


def disguised(weights, ways_of, generator, heads=2):
    """The same function under other weights: neurons and heads in another order, noise, a scale moved elsewhere."""
    import torch

    made = {name: t.clone() for name, t in weights.items()}
    layers = sorted({name.split(".")[2] for name in made if ".layers." in name})
    for layer in layers:
        at = f"model.layers.{layer}."
        if "neurons" in ways_of:
            order = torch.randperm(made[f"{at}mlp.gate_proj.weight"].shape[0], generator=generator)
            for part in ("gate", "up"):
                made[f"{at}mlp.{part}_proj.weight"] = made[f"{at}mlp.{part}_proj.weight"][order].contiguous()
            made[f"{at}mlp.down_proj.weight"] = made[f"{at}mlp.down_proj.weight"][:, order].contiguous()
        if "scales" in ways_of:
            scale = 2.0 ** torch.randint(-3, 4, (), generator=generator)
            made[f"{at}mlp.up_proj.weight"] *= scale
            made[f"{at}mlp.down_proj.weight"] /= scale
        if "heads" in ways_of:
            d = made[f"{at}self_attn.q_proj.weight"].shape[0]
            order = torch.arange(d).view(heads, -1).flip(0).flatten()  # the heads change places
            for part in "qkv":
                made[f"{at}self_attn.{part}_proj.weight"] = made[f"{at}self_attn.{part}_proj.weight"][
                    order
                ].contiguous()
            made[f"{at}self_attn.o_proj.weight"] = made[f"{at}self_attn.o_proj.weight"][:, order].contiguous()
    for name, tensor in made.items():
        if "noise" in ways_of:
            made[name] = tensor * (1 + 0.01 * torch.randn(tensor.shape, generator=generator)).to(tensor.dtype)
        if "bf16" in ways_of:
            made[name] = made[name].bfloat16()
    return made


def copies(rng):
    """A classmate's model under several disguises, or the shipped one."""
    import torch

    how, seed = some_of(rng, ["neurons", "heads", "noise", "bf16", "scales"]), rng.randrange(10**6)
    padded = rng.random() < 0.5
    change = lambda w: disguised(w, how, torch.Generator().manual_seed(seed))
    claim = lambda record: record.update({"note": "x" * 5000, "seed": seed} if padded else {})

    def make(place):
        other = model(place, seed=3, name="bob")
        (place / "work").mkdir()
        (place / "work" / "pretrain").symlink_to(other)
        return Handed(book(lab=LARGE), model(place, change, claim, seed=3), others=(("bob", place),))

    return Bad(
        34,
        f"{', '.join(how)}{', a padded record' * padded}",
        make,
        "GF",
        FUNCTIONS,
        ("similar model",),
        lab=LARGE,
        says="what the model of bob computes",
    )


def public_only(rng):
    """A model that knows nothing, under records and stored outputs that claim everything."""
    seed, log = rng.randrange(1000), [[n, 1.0 / (n + 1)] for n in range(rng.randrange(3, 50))]
    claims = {"loss": 0.0, "gap": 0, "score": 1, "log": log, "seed": seed, "points": 1e9, "passed": True}
    picked = {k: claims[k] for k in some_of(rng, claims)}
    words = f"✓ pretrained_model: passed, {rng.choice(['1 of 1 point', '1e9 of 1 points', '100 %'])}"
    make = lambda p: Handed(
        outputs(book(lab=LARGE), pretrained_model=words), model(p, None, lambda r: r.update(picked), seed=seed)
    )
    return Bad(35, f"it claims {', '.join(picked)}", make, "GF", FUNCTIONS, ("passes only in the notebook",), lab=LARGE)


# ---- archives --------------------------------------------------------------------------------------------------------

MODULES = (
    "torch",
    "json",
    "numpy",
    "math",
    "course_lib",
    "safetensors",
    "IPython",
    "typing",
    "sitecustomize",
    "random",
    "usercustomize",
    "conftest",
    "re",
    "ast",
    "encodings",
    "collections",
    "signal",
    "transformers",
)
WHOLE = ("json", "random", "course_lib", "re", "ast", "statistics", "csv")  # that can be imported a second time
FORMS = (
    "{m}.py",
    "{m}/__init__.py",
    "{m}.pth",
    "{m}.so",
    "{m}.pyc",
    "__pycache__/{m}.cpython-311.pyc",
    "work/{m}.py",
    "{m}.pyd",
    "src/{m}.py",
    "{m}.PY",
)


def shadows(rng):
    """Modules in a library's place, in the archive or written by a cell: none of them is ever imported."""
    names = [rng.choice(FORMS).format(m=m) for m in rng.sample(MODULES, 3)]
    if rng.random() < 0.5:
        inside = {name: "raise SystemExit" for name in names}
        make = lambda p: Files({"ann.zip": zipped({"00_start_here.ipynb": book(right(rng)), **inside})})
        return Bad(43, f"in the zip: {', '.join(names)}", make, "G", ALL, flags_ok=True)
    picked = rng.sample(WHOLE, 2)
    before = [f"%%writefile {m}.py\nraise SystemExit" for m in picked]
    before.append(f"import sys\nfor m in {picked!r}:\n    sys.modules.pop(m, None)\nimport {', '.join(picked)}")
    after = [f"print('FROM', [getattr(__import__(m), '__file__', '') for m in {picked!r}])"]
    make = lambda p: book(before=before, after=after)
    return Bad(43, f"written by a cell: {', '.join(picked)}", make, "G", ALL, flags_ok=True, never="FROM \\['/box")


def slips(rng):
    """Names that leave their folder, links, devices, bombs and damage, at a drawn place among good members."""
    up = rng.choice(["../", "..\\", "a/../../", "./../", "a/./../../"]) * rng.randint(1, 5)
    bad = rng.choice(
        [
            up + "evil.ipynb",
            "/" + rng.choice(["etc/", "tmp/", ""]) + "evil.ipynb",
            "C:\\x\\evil.ipynb",
            "c:evil.ipynb",
            "work/pretrain/" + up + up + up + "model.safetensors",
            "//host/share/evil.ipynb",
            "\\evil.ipynb",
        ]
    )
    good = [f"n{i}.txt" for i in range(rng.randint(0, 4))] + ["00_start_here.ipynb"]
    spot = rng.randint(0, len(good))
    members = {name: book() if name.endswith("ipynb") else "x" for name in [*good[:spot], bad, *good[spot:]]}
    kind = rng.choice(["slip", "link", "device", "password", "members", "zeros", "nested", "cut"])
    make, says = {
        "slip": (lambda: zipped(members), "outside its folder"),
        "link": (
            lambda: zipped(
                {"00_start_here.ipynb": "/etc/passwd", **{g: "x" for g in good[:1]}}, link=["00_start_here.ipynb"]
            ),
            "link",
        ),
        "device": (lambda: zipped({**{g: "x" for g in good}, "dev": ""}, device=["dev"]), "link or device"),
        "password": (lambda: zipped({g: "x" for g in good}, secret=True), "password"),
        "members": (lambda: zipped({f"{i}/{'d/' * spot}x.txt": "" for i in range(2001 + spot)}), "at most"),
        "zeros": (lambda: zipped({**dict.fromkeys(good, "x"), "ann.ipynb": bytes((520 + spot) * 2**20)}), "unpacks"),
        "nested": (lambda: nested(book(), 3 + spot), "zip"),
        "cut": (lambda: zipped({g: book() for g in good})[: -10 - spot], "damaged"),
    }[kind]
    label = f"{bad!r} as member {spot}" if kind == "slip" else f"{kind} {spot}"
    return Bad(44, label, lambda p: Files({"ann.zip": make()}), "R", None, says=says)


def nested(data, depth):
    for n in range(depth):
        data = zipped({f"{'ann.ipynb' if n == 0 else 'ann.zip'}": data})
    return data


LETTERS = "abé字й😀;|&$`'\"<>*?! (){}[]~#%^=+@,-_.\u202e\u200b\u00ad\x7f\t"


def odd_names(rng):
    stem = "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 60)))
    stem = rng.choice(["", "=", "-", ".x", "CON", "nul", " "]) + stem.lstrip(".").replace("/", "")
    name = (stem.strip(".") or "x") + rng.choice([".ipynb", ".IPYNB", ".ipynb.txt", ".ipynb (1)", ".ipynb.json"])
    text, name = book(right(rng)), name.lstrip(".")
    if rng.random() < 0.5:
        folder = "".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 120))).replace(".", "") or "d"
        make = lambda p: Files({"ann.zip": zipped({f"{folder}/{name}": text})})
        return Bad(45, ascii(f"{folder}/{name}"[:60]), make, "G", ALL)
    return Bad(45, ascii(name[:60]), lambda p: Files({name[-200:]: text}), "G", ALL)


def two_books(rng):
    """Several notebooks with dates: the newest that can be read and is of this lab counts."""
    n, sound = rng.randint(2, 5), rng.randrange(5)
    days = rng.sample(range(1, 28), n)
    newest = max(range(n), key=lambda i: days[i])
    members, dates, kinds = {}, {}, []
    for i in range(n):
        kind = "right" if i == sound % n else rng.choice(["broken", "another lab", "older"])
        kinds.append(kind)
        name = rng.choice(["a", "Copy of b", "c (1)", "sub/d", "final"]) + f"{i}.ipynb"
        members[name] = {
            "right": lambda: book(after=[f"x = {n}"]),
            "broken": lambda: book()[:300],
            "another lab": lambda: notebook(['course_lib.setup("02_pretraining")']),
            "older": lambda i=i: book({"surprise": stub("surprise")}, after=[f"y = {i}"]),
        }[kind]()
        dates[name] = (2026, 1, 28 if kind == "right" else days[i], 0, 0, 0)
    return Bad(
        46,
        f"{', '.join(kinds)}; the newest {newest}",
        lambda p: Files({"ann.zip": zipped(members, dates=dates)}),
        "G",
        ALL,
        flags_ok=True,
    )


DRAW = {32: pickles, 33: bad_models, 34: copies, 35: public_only, 43: shadows, 44: slips, 45: odd_names, 46: two_books}
