"""Variants of answers that are none, and of hands on the tests (numbers 25 to 31, 36 to 42, 51, 65, 67): each function
draws one.
"""

import json

from bad import attacks, host, ways
from bad.drawn_plain import ALL, HALF, NAMES, PASSED, right
from bad.make import LARGE, Bad, book, function, left_by, outputs, stub, tensors, worth, wrong
from bad.ways import one_of, some_of

TOUCHED = "patched library|reaches for the grader|runs text as code"
# {t} and {n}: a module and one of its names
SETS = {
    "=": "import {t} as m\nm.{n} = F",
    "setattr": "import {t} as m\nsetattr(m, '{n}', F)",
    "vars()": "import {t} as m\nvars(m)['{n}'] = F",
    "__dict__": "import {t} as m\nm.__dict__['{n}'] = F",
    "update": "import {t} as m\nm.__dict__.update({n}=F)",
    "vars().update": "import {t} as m\nvars(m).update({{'{n}': F}})",
    "sys.modules": "import sys, {t}\nsys.modules['{t}'].{n} = F",
    "__import__": "__import__('{t}', fromlist=['x']).{n} = F",
    "mock": "import unittest.mock as k\nk.patch('{t}.{n}', F).start()",
    "importlib": "import importlib\nimportlib.import_module('{t}').{n} = F",
    "a tuple": "import {t} as m\nm.{n}, other = F, 1",
    "a loop": "import {t} as m\nfor m.{n} in [F]:\n    pass",
    "a with": "import contextlib, {t} as m\nwith contextlib.nullcontext(F) as m.{n}:\n    pass",
    "del": "import {t} as m\ndel m.{n}",
    "an alias": "import {t} as m\nother = m\nother.{n} = F",
    "object": "import {t} as m\nobject.__setattr__(m, '{n}', F)",
    "__setattr__": "import {t} as m\nm.__setattr__('{n}', F)",
    "text": "exec('import {t} as m; m.{n} = F')",
    "globals()": "import {t} as m\nglobals()['m'].{n} = F",
    "setitem": "import operator, {t} as m\noperator.setitem(m.__dict__, '{n}', F)",
    "partial": "import functools, {t} as m\nfunctools.partial(setattr, m)('{n}', F)",
}
PARTS = {
    "torch": ("equal", "allclose", "isfinite", "isclose", "tensor", "manual_seed"),
    "torch.testing": ("assert_close",),
    "numpy": ("allclose", "isclose", "array_equal"),
    "math": ("isfinite", "isclose", "fabs"),
    "json": ("dumps", "loads"),
    "safetensors.torch": ("save",),
    "course_lib.questions.wire": ("encode", "decode", "plain"),
    "course_lib.questions.invoke": ("invoke", "explain"),
    "course_lib.questions.core": ("run", "run_case"),
    "course_lib.questions.compare": ("compare", "describe_difference"),
    "builtins": ("abs", "type", "isinstance", "len"),
    "os": ("read", "write"),
    "course_lib.grading.sandbox.inside.agent": ("answer", "called", "write_frame"),
}


def patches(rng):
    library, way = rng.choice(list(PARTS)), rng.choice(list(SETS))
    part = rng.choice(PARTS[library])
    text = (
        SETS[way]
        .format(t=library, n=part)
        .replace("F", rng.choice(["(lambda *a, **k: True)", "(lambda *a, **k: 1.0)"]))
    )
    run = rng.choice(["as it is", "under a try", "as text", "in a function"])
    if run == "under a try":
        text = f"try:\n{ways.indented(text)}\nfinally:\n    pass"
    elif run == "as text":
        text = f"exec({text!r})"
    elif run == "in a function":
        text = f"def step():\n{ways.indented(text)}\nstep()"
    return Bad(
        25,
        f"{library}.{part} by {way}, {run}",
        lambda p: book(wrong(), before=[text]),
        "Q0F",
        0.0,
        (TOUCHED,),
        impatient=True,
    )


SHELL = (
    "ip.input_transformers_post.append(lambda lines: ['pass\\n'])",
    "ip.input_transformers_cleanup.append(lambda x: [])",
    "ip.ast_transformers.append(type('T', (), {'visit': lambda s, n: n})())",
    "type(ip).run_cell = lambda *a, **k: None",
    "ip.transform_cell = lambda c: 'pass'",
    "ip.events.register('pre_run_cell', lambda *a: 1 / 0)",
    "ip.set_custom_exc((BaseException,), lambda *a: None)",
    "import sys\nsys.displayhook = lambda v: 1 / 0",
    "import sys\nsys.excepthook = lambda *a: None",
    "ip.user_ns = {}",
    "ip.compile = None",
    "ip.user_module = None",
    "ip.run_line_magic = ip.run_cell_magic = lambda *a, **k: 1 / 0",
    "ip.register_magic_function(print, 'cell', 'time')",
    "import builtins\nbuiltins.get_ipython = None",
    "import builtins\nbuiltins.compile = builtins.eval = None",
    "import linecache\nlinecache.cache = None",
    "import ast\nast.parse = compile = None",
    "import IPython.core.inputtransformer2 as t\nt.TransformerManager.transform_cell = lambda s, c: 'pass'",
    "import IPython\nIPython.get_ipython = None",
)


def shells(rng):
    """An answer that is none stays none, whatever its shell has become; a right one may go down with the shell."""
    picked = some_of(rng, SHELL)[:3]
    way, source = ways.cell(rng, "ip = get_ipython()\n" + "\n".join(picked), without=("a magic",))
    label = ", ".join(text[:30] for text in picked)
    return Bad(26, f"{label}, {way}", lambda p: book(wrong(), before=[source]), "Q0", 0.0, flags_ok=True)


BASES = (
    "object",
    "float",
    "int",
    "str",
    "list",
    "dict",
    "tuple",
    "complex",
    "__import__('torch').Tensor",
    "__import__('numpy').float64",
    "__import__('fractions').Fraction",
    "__import__('decimal').Decimal",
    "bytes",
    "__import__('collections').UserDict",
    "__import__('enum').IntEnum",
    "Exception",
)
DUNDERS = {
    "__eq__": "lambda s, o: True",
    "__ne__": "lambda s, o: False",
    "__float__": "lambda s: 1.0",
    "__index__": "lambda s: 1",
    "__sub__": "lambda s, o: 0.0",
    "__rsub__": "lambda s, o: 0.0",
    "__abs__": "lambda s: 0.0",
    "__le__": "lambda s, o: True",
    "__bool__": "lambda s: True",
    "__array__": "lambda s, *a, **k: [0.0]",
    "__len__": "lambda s: 0",
    "__iter__": "lambda s: iter(())",
    "__class__": "property(lambda s: float)",
    "__getattr__": "lambda s, n: lambda *a: s",
    "__repr__": "lambda s: 1 / 0",
    "__reduce__": "lambda s: (print, ())",
    "__torch_function__": "classmethod(lambda c, f, t, a=(), k=None: True)",
    "__hash__": "lambda s: 0",
    "__instancecheck__": "lambda s, o: True",
    "item": "lambda s: 1.0",
    "shape": "()",
}


def tricks(rng):
    base, name, answers = rng.choice(BASES), rng.choice(NAMES), right(rng)
    lies = some_of(rng, DUNDERS, 3)[:8]
    body = "\n    ".join(f"{lie} = {DUNDERS[lie]}" for lie in lies)
    make_one = (
        "__import__('enum').IntEnum('E', 'a b').a"
        if "IntEnum" in base
        else ("T.__new__(T)" if base.startswith("__import__('torch") else "T()")
    )
    inside = ways.indented(body.replace("\n    ", "\n"), 8)
    text = f"try:\n    class T({base}):\n{inside}\nexcept TypeError:\n    class T: pass\nreturn {make_one}"
    way, source = ways.answer(rng, name, text)
    return Bad(
        27,
        f"{base} with {' '.join(lies)}, {name}, {way}",
        lambda p: book({**answers, name: source}),
        "Q0",
        HALF,
        statuses={name: ("fail", "error", "killed")},
    )


KINDS = {
    **attacks.KINDS,
    "int": "return x.long()",
    "bool": "return x > 0",
    "a NumPy number": "return x.numpy().max()",
    "half": "return x.half()",
    "transposed": "return x.transpose(0, -1) if x.dim() > 1 else x[None]",
    "a tuple": "return (x,)",
    "a dict": "return {'x': x}",
    "a function": "return lambda: x",
    "a set": "return {1.0}",
    "a scalar": "return 0.0",
    "quantised": "import torch\nreturn torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)",
    "a module": "import torch\nreturn torch.nn.Linear(1, 1)",
    "nested": "import torch\nreturn torch.nested.nested_tensor([x.float()])",
    "a storage": "return x.untyped_storage()",
    "bytes": "return x.numpy().tobytes()",
    "empty": "return x[:0]",
    "a size": "return x.shape",
    "a dtype": "return x.dtype",
    "a generator": "import torch\nreturn torch.Generator()",
    "a conjugate": "import torch\nreturn torch.conj(x + 0j)",
    "a parameter": "import torch\nreturn torch.nn.Parameter(x.float() * 0)",
    "an ellipsis": "return ...",
}


def kinds(rng):
    picked = rng.sample(list(KINDS), 4)
    return Bad(28, ", ".join(picked), tensors(*(KINDS[k] for k in picked)), "Q0", left_by(4), lab=LARGE, flags_ok=True)


MUTATIONS = (
    "x.pop()",
    "x.clear()",
    "x.append(1)",
    "x[0] = 7",
    "del x[0]",
    "x += [1]",
    "x *= 2",
    "x.insert(0, 3)",
    "x.extend(x)",
    "x[:] = [1]",
    "x[1:] = []",
    "x.__setitem__(0, 9)",
    "x.__init__([1])",
    "import operator\noperator.setitem(x, 0, 5)",
    "list.append(x, 2)",
    "x[0] += 1",
    "for i in range(len(x)): x[i] = 3",
    "import heapq\nheapq.heappush(x, 0)",
    "x.remove(x[0])",
    "x[::2] = [0.25] * len(x[::2])",
)


def mutates(rng):
    name, change, answers = rng.choice(NAMES), rng.choice(MUTATIONS), right(rng)
    text = f"value = sound(list(x))\nif x:\n{ways.indented(change)}\nreturn value"
    way, source = ways.around(rng, name, answers[name], text)
    make = lambda p: book({**answers, name: source})
    return Bad(29, f"{change!r} in {name}, {way}", make, "Q0", 0.75 * HALF + HALF, says="changed the inputs in place")


WHERE = {
    "at once": "{t}",
    "in a thread": "threading.Thread(target=lambda: {t}).start()\ntime.sleep(0.05)",
    "at a signal": "import signal\nsignal.signal(10, lambda *a: {t})\nos.kill(os.getpid(), 10)",
    "by a child": "if os.fork() == 0:\n    {t}\n    os._exit(0)\nos.wait()",
    "by __del__": "class D:\n    def __del__(self): {t}\nD()",
    "by audit": "import sys\nsys.addaudithook(lambda e, a: {t} if e == 'os.listdir' else None)\nos.listdir('/')",
}
PIECES = (
    '["dict", [["status", "ok"], ["reply", ["dict", [["value", {v}], ["grads", {v}], ["inputs", {v}]]]]]]',
    '["dict", [["at", {v}]]]',
    '["dict", [["stopped", {v}]]]',
    '["dict", [["status", {v}], ["message", {v}]]]',
    "{v}",
    '["dict", [["status", "ok"], ["reply", {v}]]]',
    '["dict", [["status", "pass"], ["score", 100], ["seconds", {v}]]]',
    '["tensor", {v}]',
    '["dict", {v}]',
    '["dict", [["status", "missing"], ["message", "x"], ["hint", {v}]]]',
)


def forged(rng):
    """A reply of any JSON, with the call's own id or any other, sent from anywhere, any number of times."""
    label, value = one_of(rng, {k: v for k, v in ways.VALUES.items() if "long" not in k and "lone" not in k})
    reply = rng.choice(PIECES).replace("{v}", json.dumps(value))
    own, times = rng.random() < 0.6, rng.choice([1, 2, 30])
    when = rng.choice(list(WHERE))
    send = (
        f"text = {reply!r}.encode()\nframe = sys._getframe()\nwhile frame and 'call_id' not in frame.f_locals:\n"
        f"    frame = frame.f_back\nname = frame.f_locals['call_id'] if {own} and frame else os.urandom(16)\n"
        f"data = (len(text) + 8).to_bytes(8, 'little') + name + len(text).to_bytes(8, 'little') + text\n"
        + WHERE[when].format(t=f"spray(data * {times})")
        + "\nreturn 0.0"
    )
    answers = {"entropy": stub("entropy"), "surprise": attacks.FORGE + "import sys\n" + function("surprise", send)}
    return Bad(
        31,
        f"{label} in {reply[:40]!r}, {when}, {times} times, {'its' if own else 'another'} id",
        lambda p: book(answers),
        "Q0F",
        0.0,
        ("reaches for the grader", "forged reply|reaches for the grader"),
        impatient=True,
    )


TABLES = {
    "str": ("str(x)", "str(list(x))"),
    "the length": ("len(x)", "len(x)"),
    "a hash": ("hash(tuple(x))", "hash(tuple(x))"),
    "the first": ("x[0] if x else None", "x[0] if x else None"),
    "the sum": ("round(sum(x), 6)", "round(sum(x), 6)"),
    "JSON": ("__import__('json').dumps(x)", "__import__('json').dumps(x)"),
    "the last two": ("tuple(x[-2:])", "tuple(x[-2:])"),
}


def hard_coded(rng):
    """A table of the public answers, under several keys, or by the number of the call."""
    from bad.make import SMALL, right_answers

    from course_lib.questions import core

    name = rng.choice(NAMES)
    key, (mine, theirs) = one_of(rng, TABLES)
    counted = rng.random() < 0.3
    question = next(q for q in core.questions_of(SMALL) if q.id == name)
    sound, table, order = {}, {}, []
    exec(right_answers(SMALL)[name], sound)

    def recorder(x):
        value = sound[name](list(x))
        table[eval(mine, {"x": list(x)})] = value
        order.append(value)
        return value

    core.run(question, core.LocalCaller({name: recorder}))
    if counted:
        text = f"TABLE, n = {order!r}, [0]\ndef {name}(x):\n    n[0] += 1\n    return TABLE[n[0] - 1]"
    else:
        text = f"TABLE = {table!r}\ndef {name}(x):\n    return TABLE.get({theirs}, -1.0)"
    answers = {**right(rng), name: text}
    make = lambda p: outputs(book(answers), **{name: PASSED.format(name)})
    return Bad(
        36,
        f"{name} by {'the number of the call' if counted else key}",
        make,
        "Q0F",
        HALF,
        ("passes only in the notebook",),
    )


NORM, ATTEND = attacks.NORM, "(x, args[1], args[2], is_causal=True)"
# what torch has of what an exercise forbids, by way of: {f} its name in torch.nn.functional, {c} how it is called
REACHES = {
    "an alias": "import torch.nn.functional as F\ng = F.{f}\nreturn g{c}",
    "vars": "import torch.nn.functional as F\nreturn vars(F)['{f}']{c}",
    "attrgetter": "import operator, torch\nreturn operator.attrgetter('nn.functional.{f}')(torch){c}",
    "a partial": "import functools, torch.nn.functional as F\nreturn functools.partial(F.{f}, *{c0})()",
    "a getattr": "import torch.nn.functional as F\nreturn getattr(F, '{a}' + '{b}'){c}",
    "eval": "import torch.nn.functional as F\nreturn eval('F.' + '{a}' + '{b}'){c}",
    "reversed": "import torch.nn.functional as F\nreturn getattr(F, '{r}'[::-1]){c}",
    "a loop over names": "import torch.nn.functional as F\nreturn [getattr(F, n) for n in dir(F) if "
    "n.startswith('{a}') and "
    "n.endswith('{b}')][0]{c}",
    "star": "from torch.nn.functional import {f} as mine\nreturn mine{c}",
    "modules": "import sys\nreturn getattr(sys.modules['torch.nn.functional'], '{f}'){c}",
    "map": "import torch.nn.functional as F\nreturn next(map(lambda g: g{c}, [F.{f}]))",
    "a thread": "import threading, torch.nn.functional as F\ngot = []\nt = "
    "threading.Thread(target=lambda: got.append(F.{f}{c}))\nt.start()\nt.join()\nreturn got[0]",
    "a pool": "from "
    "concurrent.futures import ThreadPoolExecutor\nimport torch.nn.functional as F\nwith "
    "ThreadPoolExecutor(1) as pool:\n"
    "    return pool.submit(lambda: F.{f}{c}).result()",
    "caught": "import torch.nn.functional as F\ntry:\n    return F.{f}{c}\nexcept BaseException:\n    return F.{f}{c}",
    "compiled": "import torch, torch.nn.functional as F\nreturn torch.compile(lambda: F.{f}{c})()",
    "no_grad": "import torch, torch.nn.functional as F\nwith torch.inference_mode():\n    return F.{f}{c}",
    "a generator": "import torch.nn.functional as F\nreturn next(F.{f}{c} for _ in '1')",
    "a hook": "import torch, torch.nn.functional as F\nm = "
    "torch.nn.Identity()\nm.register_forward_hook(lambda *a: F.{f}{c})\nreturn "
    "m(x)",
    "a copy of its code": "import types, torch.nn.functional as F\ng = F.{f}\ng = types.FunctionType(g.__code__, "
    "g.__globals__) if hasattr(g, '__code__') else g\nreturn g{c}",
    "__wrapped__": "import torch.nn.functional as F\nreturn getattr(F.{f}, '__wrapped__', F.{f}){c}",
    "vmap": "import torch, torch.nn.functional as F\nreturn torch.vmap(lambda y: F.{f}{c})(torch.zeros(1))[0]",
    "a subclass": "import torch, torch.nn.functional as F\nclass T(torch.Tensor): pass\n"
    "return F.{f}{c}.as_subclass(T).as_subclass(torch.Tensor)",
    "the dispatcher": "import torch\nreturn torch._C._jit_get_operation('aten::{f}')[0]{c}",
}


def shortcuts(rng):
    name, f, call = rng.choice(
        [("rms_norm", "rms_norm", NORM), ("causal_attention", "scaled_dot_product_attention", ATTEND)]
    )
    label, text = one_of(rng, REACHES)
    half = len(f) // 2
    arguments = "(x, (x.shape[-1],), args[1])" if name == "rms_norm" else "(x, args[1], args[2])"
    text = text.format(f=f, c=call, c0=arguments, a=f[:half], b=f[half:], r=f[::-1])
    way, source = ways.answer(rng, name, text)
    return Bad(
        37,
        f"{f} by {label}, {way}",
        lambda p: book({name: source}, LARGE),
        "Q0F",
        left_by(0) - worth(name),
        ("forbidden function|runs text as code|reaches for the grader",),
        lab=LARGE,
        statuses={name: ("fail", "error")},
    )


LOOKS = (
    "/proc/1/environ",
    "/proc/self/mountinfo",
    "/proc/1/cmdline",
    "/proc/self/environ",
    "/root/.ssh/id_rsa",
    "/etc/shadow",
    "/work/main/solutions/00_start_here.py",
    "/course/course_lib/questions/lab00_start_here.py",
    "grades/.secret",
    "../submissions/00_start_here/zoe/meta.json",
    "/proc/1/root/etc/passwd",
    "/var/run/docker.sock",
    "/proc/kcore",
    "/sys/class/net/eth0/address",
    "/home",
    "/proc/1/fd",
    "/proc/1/maps",
    "/dev/mem",
    "/tmp/../work",
    "/.dockerenv",
)


def reads(rng):
    picked = rng.sample(LOOKS, 5)
    text = (
        f"import os\nfor path in {picked!r}:\n    try:\n        data = os.listdir(path) if os.path.isdir(path) else "
        "open(path, 'rb').read(10**6)\n        print('GOT', path, len(data))\n        said = str(data)\n"
        "        print('SECRET FOUND' if any(w in said for w in ('CANARY', 'COURSE_' + 'SECRET', "
        "'Question(')) else '')\n"
        "    except Exception as e:\n        print(path, type(e).__name__)"
    )
    way, source = ways.cell(rng, text)
    return Bad(
        38,
        f"{', '.join(picked)}, {way}",
        lambda p: book(right(rng), before=[source]),
        "GF",
        ALL,
        ("reaches for the grader",),
        never="SECRET FOUND",
    )


def writes(rng):
    places = rng.sample([".", "..", "/", "/course", "/tmp", "/work/main", "/box", "/usr/lib", "/etc", "/proc/self"], 4)
    names = rng.sample(
        [
            "grades/00_start_here/eve/x.json",
            "gradebook.db",
            "results.json",
            "results/results.json",
            "marks.jsonl",
            ".secret",
            "roster.csv",
            "policy.yaml",
            "meta.json",
        ],
        4,
    )
    text = (
        f"import os\nfor place in {places!r}:\n    for name in {names!r}:\n        path = os.path.join(place, name)\n"
        "        try:\n            os.makedirs(os.path.dirname(path), exist_ok=True)\n"
        "            open(path, 'w').write('{\"score\": 100}')\n        except OSError:\n            pass\nimport "
        "course_lib.grading.sandbox.inside.agent as a\na.answer = a.called = lambda *x, **k: {'status': 'ok', 'reply': "
        "{'value': 1.0}}"
    )
    way, source = ways.cell(rng, text)
    return Bad(
        39,
        f"{', '.join(names)}, {way}",
        lambda p: book(wrong(), before=[source]),
        "GF",
        0.0,
        ("reaches for the grader",),
        after=host.nothing_written,
    )


CALLS = (
    "urllib.request.urlopen('http://{a}/', timeout=5)",
    "socket.create_connection(('{a}', {p}), timeout=5)",
    "socket.getaddrinfo('example.org', {p})",
    "(lambda u: (u.settimeout(1), u.sendto(b'x', ('{a}', {p})), u.recv(1)))(socket.socket(2, socket.SOCK_DGRAM))",
    "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(('::1', {p}))",
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "http.client.HTTPConnection('{a}', {p}, timeout=5).request('GET', '/')",
    "subprocess.run(['ping', '-c1', '-W1', '{a}'], check=True, capture_output=True)",
    "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 1)) or 1 / 0",
    "smtplib.SMTP('{a}', {p}, timeout=5)",
)


def network(rng):
    address, port = (
        rng.choice(["1.1.1.1", "127.0.0.1", "10.0.0.1", "169.254.169.254", "172.17.0.1"]),
        rng.choice([22, 53, 80, 443, 2375, 8080]),
    )
    picked = [text.format(a=address, p=port) for text in rng.sample(CALLS, 4)]
    text = (
        "import http.client, smtplib, socket, subprocess, time, urllib.request\nreached = []\nfor n, call in enumerate"
    )
    text += (
        "(["
        + ", ".join(f"lambda: {call}" for call in picked)
        + "]):\n    began = time.time()\n    try:\n        call()\n"
    )
    text += (
        "        reached.append(n)\n    except Exception as e:\n        print(type(e).__name__, "
        "'SLOW' if time.time() - "
    )
    text += "began > 3 else '')\nprint('REACHED', reached)"
    way, source = ways.cell(rng, text)
    return Bad(
        40,
        f"{address}:{port}, {way}",
        lambda p: book(right(rng), before=[source]),
        "G",
        ALL,
        flags_ok=True,
        says=r"REACHED \[\]",
        never="SLOW",
    )


TELLS = (
    "__import__('os').path.isdir('/box')",
    "__import__('os').getuid() > 60000",
    "not __import__('sys').stdout.isatty()",
    "'ipykernel' not in __import__('sys').modules",
    "__import__('os').getpid() < 100",
    "get_ipython().kernel is None",
    "__import__('os').environ.get('HOME') != '/root'",
    "__import__('socket').gethostname() == 'box'",
    "not __import__('glob').glob('*.ipynb')",
    "__import__('inspect').stack()[-1].filename.endswith('agent.py')",
    "'course_lib.grading.sandbox.inside.agent' in __import__('sys').modules",
    "check is not None and check('x') is True",
    "len(open('/proc/self/mountinfo').read()) > 0",
    "__import__('resource').getrlimit(7)[0] < 10**6",
)


def detects(rng):
    tell, name, answers = rng.choice(TELLS), rng.choice(NAMES), right(rng)
    text = (
        f"try:\n    GRADING = bool({tell})\nexcept Exception:\n    GRADING = True\n{answers[name]}\nsound = {name}\n"
        f"def {name}(x):\n    return -1.0 if GRADING or True else sound(x)"
    )
    make = lambda p: outputs(book({**answers, name: text}), **{name: PASSED.format(name)})
    return Bad(42, f"{tell[:60]}, {name}", make, "Q0F", HALF, ("passes only in the notebook",))


NOISES = (
    "random.gauss(0, 0.1)",
    "random.random()",
    "float(torch.rand(1))",
    "np.random.rand()",
    "time.time() % 1 + 0.01",
    "(id(object()) % 97 + 1) / 97",
    "(hash(object()) % 89 + 1) / 89",
    "int.from_bytes(os.urandom(2), 'little') / 2**16 + 0.01",
    "float(torch.nn.functional.dropout(torch.ones(9), 0.5).sum()) + 0.1",
    "(uuid.uuid4().int % 100 + 1) / 100",
    "secrets.randbelow(99) + 1",
)


def noise(rng):
    label, name, answers = rng.choice(NOISES), rng.choice(NAMES), right(rng)
    text = f"import os, random, secrets, time, uuid, torch, numpy as np\nreturn sound(x) + 1e-3 + abs({label})"
    way, source = ways.around(rng, name, answers[name], text)
    make = lambda p: book({**answers, name: source})
    return Bad(51, f"{label} in {name}, {way}", make, "Q0", HALF)


NUMBERS = (
    *attacks.NUMBERS.values(),
    "return -0.0j",
    "return float('inf')",
    "return 10**400",
    "return b'1.0'",
    "return [x]",
    "return (1.0, 2.0)",
    "return {'value': 1.0}",
    "return range(3)",
    "return object()",
    "return type",
    "return ...",
    "return NotImplemented",
    "return iter([])",
    "return __import__('datetime').datetime.now()",
    "return __import__('decimal').Decimal('NaN')",
    "return lambda: 1.0",
    "return memoryview(b'x')",
    "return frozenset()",
    "return '\\ud800'",
    "return {'\\x00': '\\u202e'}",
    "raise KeyError({x: x})",
    "raise Exception",
    "raise StopIteration",
    "raise type('E' * 10**5, (Exception,), {})()",
    "raise ExceptionGroup('x', [ValueError()] * 100)",
    "return __builtins__",
    "return globals()",
    "return [[[[[[[[[[[[[[1]]]]]]]]]]]]]]",
    "return 'y' * 999_999",
)


def numbers(rng):
    text, name, answers = rng.choice(NUMBERS), rng.choice(NAMES), right(rng)
    way, source = ways.answer(rng, name, text)
    return Bad(67, f"{text[:40]!r} in {name}, {way}", lambda p: book({**answers, name: source}), "Q0", HALF)


DRAW = {
    25: patches,
    26: shells,
    27: tricks,
    28: kinds,
    29: mutates,
    31: forged,
    36: hard_coded,
    37: shortcuts,
    38: reads,
    39: writes,
    40: network,
    42: detects,
    51: noise,
    67: numbers,
}
