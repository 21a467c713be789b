"""The hostile and clumsy cells of the table, as text. A name with a dict: {label: body of a function, or a cell}."""

# ---- they stop, hang or eat ------------------------------------------------------------------------------------------

DEATHS = {
    "os._exit": "import os\nos._exit(0)",
    "SIGKILL": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "import ctypes\nctypes.string_at(0)",
}
# fmt: off
EXITS = (
    "raise ValueError('left over')", "import sys\nsys.exit(3)", "quit()", "exit()", "exit", "raise SystemExit",
    "raise KeyboardInterrupt", "assert False", "class B(BaseException): pass\nraise B()",
)
# fmt: on
SWALLOWS = (
    "import time\nwhile True:\n    try:\n        while True:\n            time.sleep(0.01)\n    except "
    "BaseException:\n        pass"
)
LOOPS = {
    "swallows every exception": SWALLOWS,
    "switches the alarm off": "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(3600)",
    "blocks in C": "import ctypes, signal\nlibc = ctypes.CDLL(None)\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, "
    "32))\nlibc.sleep(3600)",
}
WAITS = {
    "sleep(3600)": "import time\ntime.sleep(3600)",
    "waits on a lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "waits on a thread": "import threading, time\nt = threading.Thread(target=time.sleep, args=(3600,), "
    "daemon=True)\nt.start()\nt.join()",
    "stops itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
}
FORK_BOMB = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.05)"
THREAD_BOMB = (
    "import threading, time\nwhile True:\n    try:\n        threading.Thread(target=time.sleep, args=(60,), "
    "daemon=True).start()\n    except RuntimeError:\n        time.sleep(0.05)"
)
ORPHANS = (
    "import os, subprocess\nfor _ in range(3):\n    subprocess.Popen(['setsid', 'sleep', '471233'])\nif os.fork() == "
    "0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '471233'])\n    "
    "os._exit(0)\nreturn 0.0"
)
MEMORY = {
    "100 GB at once": "import torch\nreturn torch.zeros(25 * 10**9)",
    "a view of 10 TB": "import torch\nreturn torch.zeros(1).expand(10**12)",
    "a tensor of 10 GB": "import torch\nreturn torch.empty(10**10 // 4)",
    "a list of a billion": "return [0] * 10**9",
    "a deep list": "y = []\nfor _ in range(10**5):\n    y = [y]\nreturn y",
    "a text of 100 MB": "return 'x' * 10**8",
}
LEAK = "b = []\nwhile True:\n    b.append(b'x' * 2**26)"
DISK = """
import os
for place in ("/tmp", "/box", "/dev/shm", ".", "/", "/course", "/usr", os.path.expanduser("~")):
    try:
        with open(place + "/fill", "wb") as file:
            for _ in range(600):
                file.write(bytes(2**20))
        print(place, "NEVER FULL")
    except OSError as error:
        print(place, error.errno)
for i in range(5000):
    try:
        open(f"/tmp/{i}", "w").close()
    except OSError:
        break
"""
LOUD = {
    "one line without end": "line = 'x' * 10**6\nwhile True:\n    print(line, end='')",
    "10^6 lines": "print('\\n'.join(map(str, range(10**6))))",
    "noise, and on the descriptors": "import os\nfor _ in range(30):\n    os.write(1, os.urandom(10**5)); os.write(2, "
    "b'\\x1b[2J\\x00\\xff' * 1000)\nprint('\\u202e\\x1b[31m\\ud800<script>')",
    "the log closed": "import os, sys\nsys.stderr.close()\nos.close(2)",
}

# ---- they answer what is no answer -----------------------------------------------------------------------------------

TRICKS = {
    "__torch_function__": "import torch\nclass T(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, "
    "t, a=(), k=None):\n        return True\nreturn x.as_subclass(T)",
    "__eq__": "class E:\n    def __eq__(self, o): return True\n    __bool__ = __eq__\n    shape = dtype = "
    "property(lambda s: s)\nreturn E()",
    "__array__": "class A:\n    def __array__(self, *a, **k): return x.numpy()\nreturn A()",
    "Tensor subclass": "import torch\nclass T(torch.Tensor): pass\nreturn x.as_subclass(T)",
    "lazy property": "class L:\n    @property\n    def values(self): raise SystemExit\n    @property\n    def "
    "__class__(self):\n        import torch\n        return torch.Tensor\nreturn L()",
    "__del__": "import os\nclass D:\n    def __del__(self): os._exit(0)\nd = D()\nreturn x",
}
KINDS = {
    "NaN": "return x * float('nan')",
    "inf": "return x * float('inf')",
    "complex": "return x + 0j",
    "float64": "return x.double()",
    "wrong shape": "return x[..., None]",
    "meta": "return x.to('meta')",
    "sparse": "return x.to_sparse()",
    "list": "return x.tolist()",
    "None": "return None",
    "NumPy": "return x.detach().numpy()",
    "needs gradient, cut off": "import torch\nreturn torch.zeros_like(x, requires_grad=True)",
}
NUMBERS = {  # in place of a float
    "True": "return True",
    "a subclass of float": "class F(float):\n    def __eq__(self, o): return True\n    def __sub__(self, o): return "
    "0.0\nreturn F(1)",
    "a subclass of dict": "class M(dict): pass\nreturn M()",
    "a generator": "return (i for i in range(10**9))",
    "a number of 10^6 digits": "return 1 << 4_000_000",
    "a number beyond floats": "return 10**1000",
    "NaN with a payload": "import struct\nreturn struct.unpack('<d', struct.pack('<Q', 0x7FF8DEADBEEF0001))[0]",
    "a text": "return '1.0'",
    "a module": "import os\nreturn os",
    "a dict with odd keys": "return {(1, 2): 3, None: 4}",
    "a list that holds itself": "y = []\ny.append(y)\nreturn y",
    "an exception with a hostile text": "class B(Exception):\n    def __str__(self): raise SystemExit\nraise B()",
    "an exception of 10 MB": "raise ValueError('x' * 10**7)",
    "an exception with bidi and escapes": "raise ValueError('\\u202e\\x1b[31m\\ud800<script>')",
    "recursion": "f = lambda a: f(a)\nreturn f(x)",
    "GeneratorExit": "raise GeneratorExit",
}
LATER = (
    "import threading\ny = x.clone() * 0\nright = x.float()\ndef fill():\n    y.copy_(right * (right * right).mean(-1, "
    "keepdim=True).add(1e-6).rsqrt())\nthreading.Timer(1.0, fill).start()\nreturn y"
)

# ---- they touch the tests --------------------------------------------------------------------------------------------

PATCHES = {
    "allclose, assert_close, isfinite, equal": "import torch\ntorch.allclose = torch.equal = lambda *a, **k: "
    "True\ntorch.testing.assert_close = lambda *a, **k: "
    "None\ntorch.isfinite = lambda x: torch.ones_like(x, "
    "dtype=torch.bool)\ntorch.Tensor.__eq__ = lambda a, b: True",
    "under another name": "import torch as library, numpy as numbers\nlibrary.allclose = lambda *a, **k: "
    "True\nnumbers.allclose = numbers.isclose = lambda *a, **k: True\nsetattr(library, 'equal', "
    "lambda a, b: True)",
    "json and safetensors": 'import json, safetensors.torch\njson.dumps = lambda *a, **k: \'["dict", [["status", '
    '"ok"], ["reply", ["dict", [["value", 1.0]]]]]]\'\nsafetensors.torch.save = lambda *a, '
    "**k: b''",
    "the course's comparison": "from course_lib.questions import core, compare\ncore.run = lambda *a, **k: "
    "1\ncore.CaseFailed = compare.CaseFailed = ValueError\ncompare.describe_difference = "
    "lambda *a, **k: None",
}
IPYTHON = {
    "input transformer": "ip = get_ipython()\nip.input_transformers_post.append(lambda lines: "
    "['pass\\n'])\nip.input_transformers_cleanup.append(lambda lines: [])",
    "AST transformer": "import ast\nclass NoAssert(ast.NodeTransformer):\n    def visit_Assert(self, node): return "
    "ast.Pass()\nget_ipython().ast_transformers.append(NoAssert())",
    "do_execute": "get_ipython().kernel.do_execute = lambda *a, **k: {'status': 'ok'}\nget_ipython().run_cell = lambda "
    "*a, **k: None\nget_ipython().showtraceback = lambda *a, **k: None",
}
FORGE = """
import json, os, threading, time
OK = json.dumps(["dict", [["status", "ok"], ["reply", ["dict", [["value", 1.0]]]]]]).encode()
PAYLOAD = len(OK).to_bytes(8, "little") + OK
def spray(data):
    for fd in range(3, 64):
        try:
            os.write(fd, data)
        except OSError:
            pass
"""
FORGERIES = {
    "pre-sent replies": "spray((len(PAYLOAD).to_bytes(8, 'little') + bytes(16) + PAYLOAD) * 50)",
    "garbage": "spray(os.urandom(5000))",
    "oversize": "spray((2**62).to_bytes(8, 'little') + bytes(16))",
    "a JSON bomb": "spray((200_008).to_bytes(8, 'little') + bytes(16) + (200_000).to_bytes(8, 'little') + b'[' * "
    "200_000)",
    "closes the pipe": "[os.close(fd) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]",
    "a thread that writes for ever": "def pour():\n    while True:\n        spray(b'x' * 100)\n        "
    "time.sleep(0.001)\nthreading.Thread(target=pour, daemon=True).start()",
}
STOLEN_ID = (
    FORGE
    + """
import sys
frame = sys._getframe()
while "call_id" not in frame.f_locals:
    frame = frame.f_back
def as_reply(text):
    return (len(text) + 8).to_bytes(8, "little") + frame.f_locals["call_id"] + len(text).to_bytes(8, "little") + text
FAKES = OK, b'["dict", [["at", 7]]]', b'["dict", [["stopped", ["dict", []]]]]'
for fake in (*FAKES, b'["dict", [["status", "pass"], ["score", 100]]]'):
    spray(as_reply(fake))
frame.f_globals["write_frame"] = lambda *a: None
return 0.0
"""
)
HALF_A_FRAME = (
    FORGE.strip() + "\nimport sys\nframe = sys._getframe()\nwhile 'call_id' not in frame.f_locals:\n    frame = "
    "frame.f_back\nspray((1000).to_bytes(8, 'little') + frame.f_locals['call_id'] + b'{')\ntime.sleep(3600)"
)
TAKEN_OVER = (
    "import sys\nframe = sys._getframe()\nwhile 'requests' not in frame.f_locals:\n    frame = "
    "frame.f_back\nframe.f_globals['answer'] = lambda *a: {'status': 'ok', 'reply': {'value': 1.0, 'grads': [None], "
    "'inputs': []}, 'score': 9}"
)
OWN_CALLER = (
    "import course_lib.questions.invoke as i\nclass Mine:\n    def __init__(self, namespace): pass\n    def call(self, "
    "name, args, kwargs, options, timeout):\n        print('OPTIONS', sorted(options), 'SEES', [k for k in options if "
    "'expect' in k or 'seed' in k])\n        return {'value': args[0], 'grads': [options.get('cotangent')], 'inputs': "
    "[list(args), kwargs]}\ni.LocalCaller = Mine"
)

# ---- they look for what is not theirs --------------------------------------------------------------------------------

READS = """
import glob, os
FOUND = []
for pattern in ("/course/course_lib/questions/lab*", "/course/course_lib/grading/[b-rt-z]*", "/work/**/solutions*",
                "/work/**/grades*", "/work/**/lab*.py", "/course/**/*solution*", "/home/*", "/etc/passwd",
                "/root/*", "/var/*", "/proc/1/root/etc/shadow", "/proc/1/cwd/*", "**/*.ipynb", "/tmp/**/*.ipynb"):
    FOUND += glob.glob(pattern, recursive=True)
for path in ("/proc/1/environ", "/proc/1/mem", "/proc/self/environ"):
    try:
        FOUND += [line for line in open(path, "rb").read().split(b"\\0") if b"SECRET" in line]
    except OSError:
        pass
try:
    import course_lib.questions.lab02_pretraining
    FOUND.append("questions")
except ImportError:
    pass
print("FOUND", FOUND)
"""
FRAMES = """
import sys, gc
seen, frame = [], sys._getframe()
while frame:
    seen += [str(k) for k in frame.f_locals if "expected" in str(k) or "seed" in str(k) or "secret" in str(k)]
    frame = frame.f_back
seen += [o for o in gc.get_objects() if type(o) is dict and "submission_sha" in o]
print("SEEN", seen)
return 0.0
"""
WRITES = """
import glob, os
for place in (".", "..", "/", "/course", "/tmp", "/work/main", "/box"):
    for name in ("grades/00_start_here/eve/x.json", "gradebook.db", "results.json", "results/results.json",
                 "../gradebook.db", "marks.jsonl"):
        try:
            os.makedirs(os.path.dirname(os.path.join(place, name)) or ".", exist_ok=True)
            with open(os.path.join(place, name), "w") as file:
                file.write('{"score": 100}')
        except OSError:
            pass
import course_lib.grading.sandbox.inside.agent as agent
agent.answer = agent.run_cells = lambda *a, **k: {"status": "ok", "reply": {"value": 1.0}}
"""
NETWORK = """
import socket, time, urllib.request
REACHED = []
def attempt(name, what):
    began = time.time()
    try:
        what()
        REACHED.append(name)
    except Exception as error:
        print(name, type(error).__name__, "quick" if time.time() - began < 2 else "SLOW")
attempt("http", lambda: urllib.request.urlopen("http://93.184.216.34/", timeout=5))
attempt("dns", lambda: socket.getaddrinfo("huggingface.co", 443))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53)))
attempt("localhost", lambda: socket.create_connection(("127.0.0.1", 22), timeout=5))
print("REACHED", REACHED)
"""
DETECTS = """
import os, sys
TELLING = ("GRAD", "SECRET", "STUDENT", "SUBMISSION", "TEST", "CHECK")
VISIBLE = sorted(k for k in os.environ if any(w in k.upper() for w in TELLING))
print("VISIBLE", VISIBLE)
GRADING = os.path.isdir("/box") or os.getuid() > 60000 or not sys.stdout.isatty()
"""
SURVIVES = """
import glob, os
print("LEFT", glob.glob("/*/from_before") + glob.glob("/dev/shm/*"))
for place in ("/box", "/tmp", "/dev/shm"):
    with open(place + "/from_before", "w") as file:
        file.write("the inputs so far")
"""

# ---- the shortcut instead of the work --------------------------------------------------------------------------------

# what torch's own rms_norm is called with
NORM = "(x, (x.shape[-1],), args[1], kwargs.get('eps', args[2] if len(args) > 2 else 1e-6))"
NAMED = {  # in place of rms_norm, which may not call torch's
    "directly": "import torch.nn.functional as F\nreturn F.rms_norm" + NORM,
    "by importlib": "import importlib\nreturn getattr(importlib.import_module('torch.nn.functional'), 'rms_norm')"
    + NORM,
}
HIDDEN = {
    "by getattr": "import torch\nreturn getattr(torch, 'rms' + '_norm')" + NORM,
    "in a thread": "import threading, torch\ngot = []\nt = threading.Thread(target=lambda: got.append(getattr(torch, "
    "'rms' + '_norm')" + NORM + "))\nt.start()\nt.join()\nreturn got[0]",
}
ROUND = {
    "torch.ops": "import torch\nreturn torch.ops.aten.rms_norm.default" + NORM,
    "the mode switched off": "import torch\nwith torch._C.DisableTorchFunction():\n    return torch.rms_norm" + NORM,
}
SCRIPTED = (
    "import torch\nimport torch.nn.functional as F\ndef _norm(x: torch.Tensor, w: torch.Tensor, eps: float):\n    "
    "return F.rms_norm(x, [x.shape[-1]], w, eps)\nscripted = torch.jit.script(_norm)\ndef rms_norm(x, weight, "
    "eps=1e-6):\n    return scripted(x, weight, eps)"
)
# attention by what stands under another name, and by what a cell has begun before the watch: {label: its cells}
MASKED = """
    mask = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).tril()[None, None]
    mask = mask if key_mask is None else mask & key_mask[:, None, None, :]
"""
ATTEND = "def causal_attention(q, k, v, key_mask=None):" + MASKED
BEFORE = {
    "a longer private name": "import torch\n"
    + ATTEND
    + "    return torch._scaled_dot_product_attention_math(q, k, v, mask)[0]",
    "a thread pool of a cell": "import torch, torch.nn.functional as F\n"
    "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(int).result()\n"
    + ATTEND
    + "    return pool.submit(F.scaled_dot_product_attention, q, k, v, mask).result(1)",
    "a process of a cell": "import multiprocessing, torch, torch.nn.functional as F\n"
    "here, there = multiprocessing.Pipe()\ndef serve():\n    while True:\n"
    "        there.send(F.scaled_dot_product_attention(*there.recv()))\n"
    "multiprocessing.get_context('fork').Process(target=serve, daemon=True).start()\n"
    + ATTEND
    + "    here.send((q.detach(), k.detach(), v.detach(), mask))\n    return here.recv() if here.poll(1) else None",
    "a process of its own": "import os, torch, torch.nn.functional as F\n"
    + ATTEND
    + "    if os.fork() == 0:\n        os._exit(0)\n    return F.scaled_dot_product_attention(q, k, v, mask)",
    "folded letters": "import torch, torch.nn.functional as F\n"
    + ATTEND
    + "    return F.\uff53caled_dot_product_attention(q, k, v, mask)",
}
COURSES = "from course_lib.stages.pretrain import next_token_loss as f\n"  # which takes no pad_id
COURSE_CODE = {
    "called": COURSES + "return f(*args[:2])",
    "caught and called again": COURSES + "try:\n    return f(*args[:2])\nexcept Exception:\n    return f(*args[:2])",
    "in a thread": "import threading\n" + COURSES + "got = []\n"
    "t = threading.Thread(target=lambda: got.append(f(*args[:2])))\nt.start()\nt.join()\nreturn got[0]",
    "with the check switched off": "import sys\n" + COURSES + "sys.setprofile(None)\nreturn f(*args[:2])",
    "with the check off and on": "import sys\n" + COURSES + "watch = sys.getprofile()\nsys.setprofile(None)\n"
    "try:\n    return f(*args[:2])\nfinally:\n    sys.setprofile(watch)",
}

LIMITS = """
import time, signal, resource
time.time = time.monotonic = lambda: 0
time.sleep = lambda s: None
signal.alarm = signal.setitimer = lambda *a: 0
for r in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_CPU):
    try:
        resource.setrlimit(r, (-1, -1))
        print('LIFTED')
    except (ValueError, OSError):
        pass
"""
SPOILS = """
def causal_attention(*args, **kwargs):
    global torch, rms_norm
    y = attention(*args, **kwargs)
    torch = rms_norm = None
    return y
"""

# ---- clumsy, and right -----------------------------------------------------------------------------------------------

NOISY = (
    "import sys, warnings, logging\nfrom tqdm import tqdm\nfor _ in tqdm(range(3)): "
    "pass\nwarnings.warn('careful')\nlogging.error('oh')\nprint('hm', file=sys.stderr)"
)
LEAKS = {
    "default dtype": "import torch\ntorch.set_default_dtype(torch.float64)",
    "gradients off": "import torch\ntorch.set_grad_enabled(False)",
    "warnings are errors": "import warnings\nwarnings.simplefilter('error')",
    "threads, seeds, folder": "import os, random, torch\ntorch.set_num_threads(7)\nrandom.seed(1)\n"
    "os.chdir('/tmp')\nos.environ.clear()",
}
# fmt: off
LEFT_OVER = ["%debug", "input('your name? ')", "breakpoint()", "import pdb; pdb.set_trace()", "!pip install left_pad",
    "%pip install left_pad", "!ls /\nx = !pwd", "%%bash\nrm -rf /", "%matplotlib inline\n%load_ext autoreload",
    "?print", "%%time\nx = 1"]
# fmt: on
# fmt: off
EVIL_SYNTAX = ["-" * 90_000 + "1", "(" * 90_000, "a" + ".a" * 40_000, " " * 90_000 + "!", "x" + " " * 90_000 + "!",
    "\n" * 90_000 + "!", "\x00", "\ud800", "x = !ls\n%timeit 1\n?x\nawait None", "f'{'" * 2000, "lambda: " * 5000,
    "if 1:\n\tx=1\n        y=2"]
# fmt: on
ODDITIES = {  # ways to write the right answer that must not cost anything
    "a lambda": "import math\nsurprise = lambda options: sum(map(math.log, options))",
    "a class with __call__": "import math\nclass Surprise:\n    def __call__(self, options): return sum(math.log(n) "
    "for n in options)\nsurprise = Surprise()",
    "functools.partial": "import functools, math\ndef total(options, log): return sum(log(n) for n in "
    "options)\nsurprise = functools.partial(total, log=math.log)",
    "a NumPy number": "import numpy as np\ndef surprise(options): return np.log(np.array(options, dtype=float)).sum()",
    "tabs, semicolons, unicode": "import math; größe = math.log\ndef surprise(options):\n\t'''Überraschung.'''; summe "
    "= 0.0\n\tfor n in options: summe += größe(n)\n\treturn summe",
    "decorated, typed, loud": "import functools, logging, math, sys, warnings\ndef told(f):\n    @functools.wraps(f)\n "
    "   def g(*a, **k):\n        print('called', file=sys.stderr); warnings.warn('hm'); "
    "logging.warning('hm')\n        return f(*a, **k)\n    return g\n@told\ndef "
    "surprise(options: list[int]) -> float:\n    return float(sum(math.log(n) for n in "
    "options))",
    "tqdm inside": "import math\nfrom tqdm.auto import tqdm\ndef surprise(options):\n    total = 0.0\n    for n in "
    "tqdm(options): total += math.log(n)\n    return total",
    "async at top level": "import asyncio, math\nawait asyncio.sleep(0)\ndef surprise(options): return -sum(math.log(1 "
    "/ n) for n in options)",
    "negative zero": "import math\ndef surprise(options): return -sum((math.log(1 / n) for n in options), 0.0)",
    "a zero-dimensional tensor": "import torch\ndef surprise(options): return torch.tensor(options, "
    "dtype=torch.float64).log().sum()",
    "a table kept between calls": "import math\nTABLE = {}\ndef surprise(options):\n    for n in options:\n        if "
    "n not in TABLE: TABLE[n] = math.log(n)\n    return math.fsum(TABLE[n] for n in "
    "options)",
    "threads of its own": "import math\nfrom concurrent.futures import ThreadPoolExecutor\ndef surprise(options):\n    "
    "with ThreadPoolExecutor(2) as pool: return sum(pool.map(math.log, options))",
}
