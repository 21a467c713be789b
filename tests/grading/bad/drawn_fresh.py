"""Variants of attacks beyond every list (numbers 81 to 93): each function draws one."""

import io
import json
import struct
import zipfile

from bad import attacks, drawn_border, drawn_files, drawn_tricks, ways
from bad.drawn_plain import ALL, HALF, NAMES, right
from bad.make import LARGE, Bad, Files, book, function, stub, with_cell, wrong, zipped
from bad.ways import one_of, some_of

MINE = (
    "apart",
    "moved",
    "agent",
    "wire",
    "helpers",
    "notebook",
    "lab00_start_here",
    "core",
    "invoke",
    "runner",
    "store",
    "check",
    "surprise",
    "utils",
    "__main__",
    "standins",
    "rows",
    "judge",
)
DOES = (
    "raise SystemExit",
    "import os\nos._exit(0)",
    "import torch\ntorch.equal = lambda *a: True",
    "while True:\n    pass",
    "import sys\nsys.modules['json'] = None",
    "x = (",
    "import ctypes\nctypes.string_at(0)",
    "def surprise(x):\n    return 1.0",
    "import os\nos.kill(-1, 9)",
    "print('x' * 10**6)",
    "'''",
    "\x00",
    "from notebook import *\nfrom agent import *",
)


def beside(rng):
    """81. Python files beside the notebook, of hostile names and contents, imported or not."""
    names, texts = rng.sample(MINE, 3), [rng.choice(DOES) for _ in range(3)]
    imported = rng.random() < 0.5
    members = {f"{name}.py": text for name, text in zip(names, texts)}
    cell = "\n".join(f"try:\n    import {n}\nexcept BaseException:\n    pass" for n in names) if imported else "x = 1"
    make = lambda p: Files({"ann.zip": zipped({"00_start_here.ipynb": book(right(rng), before=[cell]), **members})})
    label = ", ".join(f"{n}: {t[:20]!r}" for n, t in zip(names, texts))
    return Bad(81, f"{label}{', imported' * imported}", make, "G", ALL, flags_ok=True, impatient=True)


def manifest(rng):
    """82. Any manifest: the file is its student's, by its name."""
    keys = ("lab", "student", "name", "email", "sha256", "files", "received", "version", "")
    (label, value), key = one_of(rng, ways.VALUES), rng.choice(keys)
    whole = rng.random() < 0.2
    said = value if whole else {key: value, "student": rng.choice(["bob", "../bob", "=cmd", "\u202e", "x" * 199])}
    text = json.dumps(said).encode("utf-8", "surrogatepass")
    text = rng.choice([text, text[:-3], b"\xff\xfe" + text, b"[" * 90_000, text + text])
    make = lambda p: Files(
        {"ann.zip": zipped({"00_start_here.ipynb": book(), "manifest.json": text})},
        roster="student,name\nann,Ann Lee\nbob,Bob Smith\n",
    )
    return Bad(82, f"{label} for {'all of it' if whole else repr(key)}, {len(text)} bytes", make, "G", ALL)


FUTURES = (
    "annotations",
    "division",
    "generator_stop",
    "braces",
    "barry_as_FLUFL",
    "nothing",
    "print_function",
    "annotations, division",
    "unicode_literals as u",
)


def futures(rng):
    """83. __future__ in drawn cells, alone and among others: as in Jupyter, and nobody's answers are lost."""
    picked, late = some_of(rng, FUTURES)[:3], rng.random() < 0.5
    cells = [f"from __future__ import {name}" for name in picked]
    cells = ["x = 1\n" + cells[0], *cells[1:]] if late else cells
    where = rng.choice(["before", "after"])
    make = lambda p: book(right(rng), **{where: cells})
    return Bad(83, f"{', '.join(picked)}{', below a statement' * late}, {where}", make, "G", ALL)


CARRIERS = {
    "%%capture": "%%capture\n{p}",
    "%%time": "%%time\n{p}",
    "%%timeit": "%%timeit -n1 -r1\n{p}",
    "run_cell": "get_ipython().run_cell({r})",
    "ex": "get_ipython().ex({r})",
    "%%writefile, import": "%%writefile carried.py\n{p}",
    "%time": "%time exec({r})",
    "run_cell_magic": "get_ipython().run_cell_magic('time', '', {r})",
    "%%prun": "%%prun\n{p}",
    "a variable": "text = {r}\nexec(text)",
    "ev": "get_ipython().ev('exec(' + repr({r}) + ')')",
    "compile": "code = compile({r}, 'x', 'exec')\nexec(code)",
    "nested": "%%capture\n%%time\n{p}",
    "user_ns": "get_ipython().user_ns['t'] = {r}\nexec(t)",
    "unknown magic": "%%sparkles\n{p}",
    "base64": "import base64\nexec(base64.b64decode({b}))",
    "marshal": "import marshal\nexec(compile({r}, '', 'exec'))",
    "code": "import code\ncode.InteractiveInterpreter(globals()).runsource({r}, symbol='exec')",
}


def transformer(rng):
    """84. Code that IPython carries: what it does is looked for there, too."""
    import base64

    label, carrier = one_of(rng, CARRIERS)
    library = rng.choice([k for k in drawn_tricks.PARTS if "." not in k])
    way = rng.choice(["=", "setattr", "vars()", "sys.modules", "a loop", "mock"])
    payload = (
        drawn_tricks.SETS[way]
        .format(t=library, n=drawn_tricks.PARTS[library][0])
        .replace("F", "(lambda *a, **k: True)")
    )
    text = carrier.format(p=payload, r=repr(payload), b=base64.b64encode(payload.encode()))
    before = [text, "import carried"] if "carried" in text else [text]
    return Bad(
        84,
        f"{label}: {library} by {way}",
        lambda p: book(wrong(), before=before),
        "Q0F",
        0.0,
        (drawn_tricks.TOUCHED,),
        impatient=True,
    )


SHELLS = (
    "!kill -9 $PPID",
    "!kill -9 -1",
    "!sleep 1000",
    "!yes",
    "!yes | head -c 100000000",
    "x = !yes | head -c 100000000",
    "!cat /proc/1/environ /proc/self/mountinfo",
    "!pip install x; kill -9 $PPID",
    "!exit 3",
    "!:(){ :|:& };:",
    "!rm -rf / 2>/dev/null",
    "!ulimit -n 3; ls",
    "%%bash\nkill -9 $PPID",
    "%%bash\nsleep 1000 &",
    "%%sh\ncat < /dev/zero",
    "!python3 -c 'import os; os.kill(os.getppid(), 9)'",
    "!echo '{\"score\": 100}' > results.json",
    "!mkfifo f; cat f",
    "!{get_ipython().system('ls')}",
    "%cd /nowhere\n!pwd",
    "%%script false --no-raise-error\nx",
    "!printf '\\033[2J\\000'",
    "!chmod 000 /box /tmp",
    "!cat",
    "!setsid sleep 471233 >/dev/null 2>&1 &",
)


def shell_lines(rng):
    """85. Lines for the shell: they cost their cell, and nothing else."""
    picked = rng.sample(SHELLS, 3)
    make = lambda p: book(right(rng), before=picked)
    from bad import host

    return Bad(
        85,
        ", ".join(text[:30] for text in picked),
        make,
        "G",
        ALL,
        flags_ok=True,
        impatient=True,
        after=host.nobody_sleeps,
    )


def progress(rng):
    """86. The protocol of the cells: numbers of cells that are none, floods, halves, bytes one by one."""
    (label, value), how = (
        one_of(rng, {k: v for k, v in ways.VALUES.items() if "long" not in k and "lone" not in k}),
        rng.choice(["once", "a flood", "byte by byte", "a half", "an end"]),
    )
    frame = {"an end": '["dict", [["stopped", {v}]]]'}.get(how, '["dict", [["at", {v}]]]').replace(
        "{v}", json.dumps(value)
    )
    send = {
        "once": "spray(data)",
        "a flood": "for _ in range(20000):\n    spray(data)",
        "a half": "spray(data[:-3])",
        "byte by byte": "for n in range(0, 9000):\n    spray(data[n % len(data):n % len(data) + 1])",
        "an end": "spray(data)",
    }[how]
    cell = attacks.FORGE + (
        f"import sys\ntext = {frame!r}.encode()\nframe = sys._getframe()\nwhile frame and 'call_id' "
        f"not in frame.f_locals and "
        "not any(isinstance(v, bytes) and len(v) == 16 for v in frame.f_locals.values()):\n    frame = frame.f_back\n"
        "name = next((v for v in (frame.f_locals if frame else {}).values() if isinstance(v, bytes) and len(v) == 16), "
        "bytes(16))\ndata = (len(text) + 8).to_bytes(8, 'little') + name + len(text).to_bytes(8, 'little') + text\n"
    )
    answers = {n: stub(n) for n in NAMES}
    return Bad(
        86,
        f"{label} in {frame[:24]!r}, {how}",
        with_cell(cell + send, answers=answers),
        "Q0F",
        0.0,
        ("reaches for the grader",),
        impatient=True,
    )


REACH = (
    "open('/proc/net/unix').read()",
    "os.kill(os.getppid(), 9)",
    "os.kill(1, 9)",
    "socket.socket(socket.AF_UNIX).connect(b'\\0x')",
    "[os.fstat(n) for n in range(3, 64)]",
    "os.listdir('/proc/1/fd')",
    "open('/proc/1/mem', 'rb').read(1)",
    "os.setuid(0)",
    "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
    "os.mknod('/tmp/d', 0o60600, 2049)",
    "os.chroot('/tmp')",
    "os.setpriority(0, 0, -20)",
    "resource.setrlimit(9, (-1, -1))",
    "os.open('/dev/kmsg', 1)",
    "ctypes.CDLL(None).ptrace(16, 1, 0, 0)",
    "ctypes.CDLL(None).syscall(165, 0, 0, 0, 0, 0)",
    "ctypes.CDLL(None).unshare(0x10000000)",
    "os.pidfd_open(1)",
    "os.sync()",
    "open('/sys/fs/cgroup/cgroup.procs', 'w').write('1')",
    "os.link('/etc/passwd', '/tmp/p')",
    "os.setns(os.pidfd_open(1), 0)",
    "signal.pidfd_send_signal(os.pidfd_open(1), 9)",
    "os.sched_setaffinity(0, range(999))",
    "open('/course/x', 'w')",
    "__import__('fcntl').fcntl(0, 1033, 0)",
)


def zygote(rng):
    """87. The process that it was forked from, its caches and descriptors: out of reach; the next job is as ever."""
    picked = rng.sample(REACH, 6)
    lines = "\n".join(
        f"try:\n    {call}\n    print('did', {n})\nexcept BaseException as e:\n    pass"
        for n, call in enumerate(picked)
    )
    way, source = ways.cell(rng, "import ctypes, os, resource, signal, socket\n" + lines)
    return Bad(
        87,
        f"{', '.join(c[:26] for c in picked)}, {way}",
        lambda p: book(right(rng), before=[source]),
        "GF",
        ALL,
        ("reaches for the grader",),
        impatient=True,
    )


def tensors_of(rng):
    """88. Model files with other tensors than a model has: many, empty, of other dtypes, of names like ours."""
    form, n = (
        rng.choice(["many", "empty", "dtypes", "names", "scalars", "shapes", "shared"]),
        rng.choice([10, 1000, 5000]),
    )
    code, width = rng.choice([("F64", 8), ("I8", 1), ("U8", 1), ("BOOL", 1), ("C64", 8), ("F8_E4M3", 1), ("I64", 8)])

    def spoilt(folder):
        raw = (folder / "model.safetensors").read_bytes()
        size = int.from_bytes(raw[:8], "little")
        head, rest = json.loads(raw[8 : 8 + size]), raw[8 + size :]
        at = len(rest)
        if form == "names":
            names = [k for k in head if k != "__metadata__"]
            head = {(k.replace("model.", "model..") if i % 3 == 0 else k): v for i, (k, v) in enumerate(head.items())}
            head[names[0].upper()] = {"dtype": "F32", "shape": [0], "data_offsets": [at, at]}
        elif form == "shared":
            names = [k for k in head if k != "__metadata__"]
            head[names[0]] = head[names[1]]
        else:
            shape, wide = {
                "many": ([1], width),
                "empty": ([0], 0),
                "scalars": ([], width),
                "dtypes": ([2], 2 * width),
                "shapes": ([1] * 16, width),
            }[form]
            for i in range(n):
                head[f"model.layers.{i}.x"] = {"dtype": code, "shape": shape, "data_offsets": [at, at + wide]}
                at += wide
            rest += bytes(at - len(rest))
        text = json.dumps(head).encode()
        return struct.pack("<Q", len(text)) + text + rest

    return Bad(
        88,
        f"{form}, {n} of {code}",
        drawn_files.with_file(spoilt),
        "Q0",
        8.0,
        lab=LARGE,
        statuses={"pretrained_model": "error"},
    )


NO_FUNCTION = (
    "{n} = None",
    "{n} = 1.5",
    "{n} = 'surprise'",
    "del {n}",
    "import math as {n}",
    "class {n}:\n    pass",
    "async def {n}(x):\n    return 1.0",
    "def {n}():\n    return 1.0",
    "def {n}(x):\n    yield 1.0",
    "{n} = {n}([2.0])",
    "{n} = property(lambda s: 1.0)",
    "{n} = staticmethod",
    "{n} = [lambda x: 1.0]",
    "class {n}(Exception):\n    pass",
    "{n} = lambda: {n}",
    "def {n}(x, /, *, y):\n    return y",
    "{n} = type",
    "{n} = print",
    "{n} = exit",
    "{n} = input",
    "{n} = open",
    "{n} = __import__",
    "{n} = exec",
    "{n} = globals",
    "class {n}:\n    def __new__(cls, x):\n        return cls",
    "{n} = super",
    "{n} = breakpoint",
    "{n} = NotImplemented",
    "{n} = ...",
)


def no_function(rng):
    """89. The name of an answer given to what is none: its points are lost, and no other's."""
    name, text = rng.choice(NAMES), rng.choice(NO_FUNCTION)
    answers = right(rng)
    make = lambda p: book({**answers, name: f"{answers[name]}\n{text.format(n=name)}"})
    return Bad(89, text.format(n=name)[:50], make, "Q0", HALF, flags_ok=True)


EXHAUSTS = (
    "resource.setrlimit(7, (4, 4))",
    "resource.setrlimit(9, (2**20, 2**20))",
    "resource.setrlimit(0, (1, 1))",
    "kept = [open('/dev/null') for _ in range(10**4)]",
    "os.chdir('/tmp'); os.mkdir('d'); os.chdir('d'); os.rmdir('/tmp/d')",
    "os.chmod('/box', 0); os.chmod('/tmp', 0)",
    "sys.setrecursionlimit(60)",
    "sys.setrecursionlimit(10**9)",
    "gc.disable()",
    "resource.setrlimit(6, (0, 0))",
    "os.nice(19)",
    "sys.stdout.close(); sys.stderr.close()",
    "os.environ.clear(); os.putenv('PATH', '')",
    "sys.setswitchinterval(1e9)",
    "sys.set_int_max_str_digits(640)",
    "threading.stack_size(2**30)",
    "sys.path[:] = []",
    "sys.modules.clear()",
    "builtins.__dict__.clear()",
    "sys.setdlopenflags(0)",
    "gc.freeze(); gc.set_threshold(1)",
    "torch.set_num_threads(10**6)",
    "warnings.simplefilter('error'); os.set_blocking(2, False)",
    "os.dup2(2, 0); os.dup2(2, 1)",
    "sys.meta_path.clear(); sys.path_hooks.clear()",
    "json.loads = json.dumps = None",
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
)


def exhausts(rng):
    """90. What a process needs taken away from it: its answers may be lost, and it is no failure of the machine."""
    picked, name = rng.sample(EXHAUSTS, 2), rng.choice(NAMES)
    text = "import builtins, gc, json, os, resource, signal, sys, threading, warnings\nimport torch\n" + "\n".join(
        f"try:\n    {line}\nexcept Exception:\n    pass" for line in picked
    )
    answers = right(rng)
    if rng.random() < 0.5:
        make = lambda p: book(answers, before=[text])
    else:
        make = lambda p: book({**answers, name: f"{function(name, text)}\n    return -1.0"})
    return Bad(
        90, ", ".join(line[:40] for line in picked), make, "G", ALL, flags_ok=True, any_points=True, impatient=True
    )


def zip_forms(rng):
    """91. Zips that are odd and whole: methods, dates that are none, comments, bytes in front, a name twice."""
    form = rng.choice(
        ["bzip2", "lzma", "stored", "in front", "comment", "dates", "twice", "deep", "extra", "many", "zip64"]
    )
    stamp = rng.choice([0, 0xFFFFFFFF, 0x0021, 0x7FFF0000, 0x00FF00FF])

    def make(place):
        out = io.BytesIO()
        method = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA, "stored": zipfile.ZIP_STORED}.get(
            form, zipfile.ZIP_DEFLATED
        )
        if form == "in front":
            out.write(b"#!/bin/sh\n" + b"x" * 5000)
        with zipfile.ZipFile(out, "a" if form == "in front" else "w", method) as archive:
            folder = "a/" * 60 if form == "deep" else ""
            info = zipfile.ZipInfo(f"{folder}00_start_here.ipynb")
            info.compress_type = method
            info.extra = b"\x99\x99" + (1000).to_bytes(2, "little") + bytes(1000) if form == "extra" else b""
            with archive.open(info, "w", force_zip64=form == "zip64") as file:
                file.write(book().encode())
            for n in range(1500 if form == "many" else 0):
                archive.writestr(f"x{n}.txt", "")
            if form == "twice":
                archive.comment = b"x"
                import warnings

                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    archive.writestr("00_start_here.ipynb", book())
            if form == "comment":
                archive.comment = b"a comment " * 1000
        data = bytearray(out.getvalue())
        if form == "dates":
            for mark, spot in ((b"PK\x03\x04", 10), (b"PK\x01\x02", 12)):
                at = data.find(mark)
                data[at + spot : at + spot + 4] = stamp.to_bytes(4, "little")
        return Files({"ann.zip": bytes(data)})

    if form == "in front":  # a program that unpacks itself: it is nobody's hand-in
        return Bad(91, form, make, "R", None, says="neither a notebook")
    return Bad(91, f"{form}{f' {stamp:08x}' * (form == 'dates')}", make, "G", ALL, flags_ok=True)


def small_zips(rng):
    """92. Small zips that are large inside: what is in them costs a little to refuse, whatever it is."""
    n, megabytes = rng.choice([1, 5, 19]), rng.choice([15, 60, 300])
    filling = rng.choice(
        [" ", "[],", "{},", '"a",', "0,", "[", '{"cells":[],"a":', '["outputs":[', "\\u0041", "9", "true,"]
    )
    each = max(1, min(megabytes // n, 300)) * 2**20 // len(filling)
    shape = rng.choice(
        [
            '{{"cells": [{f}0]}}',
            '{{"cells": [], "metadata": [{f}0]}}',
            "{f}",
            '{{"cells": [{{"cell_type": "code", "source": [{f}"x"]}}]}}',
            '{{"cells": [{{"cell_type": "code", "source": "x", "outputs": [{f}0]}}]}}',
        ]
    )

    def make(place):
        text = shape.format(f=filling * each)
        names = {f"n{i}.ipynb": text + " " * i for i in range(n)}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, data in names.items():
                archive.writestr(name, data)
        return Files({"ann.zip": out.getvalue()})

    return Bad(92, f"{n} times {filling!r} to {each * len(filling) >> 20} MB in {shape[:30]!r}", make, "R/U", None)


def deep_model(rng):
    """93. A model within all bounds, small on disk, of many layers, whose answers never end: it costs what it may."""
    lab = rng.choice(["03_supervised_fine_tuning", "07_rlhf", "09_ai_feedback", "10_safety_refusals"])
    shape = {
        "hidden": 32,
        "intermediate": rng.choice([32, 256]),
        "layers": rng.randint(8, 12),
        "heads": rng.choice([2, 16]),
    }

    def make(place):
        from safetensors.torch import load_file, save_file

        from course_lib.stages.artifacts import save_stage
        from course_lib.stages.model import Llama, ModelConfig

        folder, stage = place / "deep", drawn_border.STAGES[lab]
        save_stage(stage, Llama(ModelConfig(**shape, context=4096)), {"seed": 1}, folder)
        weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
        record = (folder / "record.json").read_text()
        save_file(weights, folder / "model.safetensors", {"littlebrook": record})
        return drawn_border.handed(place, "eve", lab, folder)

    said = ", ".join(f"{key} {value}" for key, value in shape.items())
    return Bad(93, f"lab {lab[:2]}, {said}", make, "G", 0.0, lab=lab, flags_ok=True)


DRAW = {
    81: beside,
    82: manifest,
    83: futures,
    84: transformer,
    85: shell_lines,
    86: progress,
    87: zygote,
    88: tensors_of,
    89: no_function,
    90: exhausts,
    91: zip_forms,
    92: small_zips,
    93: deep_model,
}
