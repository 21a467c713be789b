"""Variants of what stops, hangs, eats or comes back later (numbers 15 to 24, 54, 66, 68): each function draws one."""

from bad import attacks, host, ways
from bad.drawn_plain import ALL, HALF, NAMES, right, somewhere
from bad.make import LARGE, TENSORS, Bad, book, function, left_by, stub, tensors, whole, worth
from bad.ways import one_of, some_of

DEATHS = {
    **attacks.DEATHS,
    "os.abort": "import os\nos.abort()",
    "raise_signal": "import signal\nsignal.raise_signal(signal.SIGKILL)",
    "SIGSEGV": "import os\nos.kill(os.getpid(), 11)",
    "SIGFPE": "import os\nos.kill(os.getpid(), 8)",
    "SIGBUS": "import os\nos.kill(os.getpid(), 7)",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "faulthandler": "import faulthandler\nfaulthandler._sigsegv()",
    "a thread's exit": "import os, threading\nt = threading.Thread(target=os._exit, args=(3,))\nt.start()\nt.join()",
    "a group": "import os\nos.killpg(os.getpgid(0), 9)",
    "the descriptors": "import os\nos.closerange(0, 64)\nos._exit(1)",
}


def dies(rng):
    label, death = one_of(rng, DEATHS)
    answers, name = right(rng), rng.choice(NAMES)
    if rng.random() < 0.4:
        way, source = ways.cell(rng, death)
        return Bad(15, f"{label} in a cell, {way}", lambda p: book(answers, before=[source]), "G", ALL, flags_ok=True)
    later = rng.random() < 0.4 and name == "surprise"  # in one case only, which costs half
    if later:
        body = f"if len(x) > 100:\n{ways.indented(death)}\nreturn sound(x)"
        way, source = ways.around(rng, name, answers[name], body)
        points = HALF + 0.5 * HALF
    else:
        way, source = ways.answer(rng, name, death + "\nreturn 0.0")
        points = HALF
    return Bad(
        15,
        f"{label} in {name}{' in one case' * later}, {way}",
        lambda p: book({**answers, name: source}),
        "Q0",
        points,
        flags_ok=True,
        statuses={name: ("killed", "protocol")},
    )


ENDLESS = (
    "while True:\n    pass",
    "import itertools\nfor _ in itertools.count():\n    pass",
    "sum(range(10**15))",
    "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
    "7 ** 10 ** 8",
    "max(iter(int, 1))",
    "list(zip(iter(int, 1))) and 0",
    "import torch\nwhile True:\n    torch.randn(200, 200) @ torch.randn(200, 200)",
    "any(iter(int, 1))",
    "def f(n):\n    return f(n - 1) + f(n - 2) if n > 1 else n\nf(60)",
    "'a' * 10**9 in 'b' * 10**9 + 'a'",
    "int('9' * 10**6, 36)",
    "import collections\ncollections.deque(iter(int, 1), maxlen=0)",
)


def endless(rng):
    loop = rng.choice(ENDLESS)
    return somewhere(rng, 16, loop[:30], loop, ("timeout", "oom", "fail", "error"), impatient=True)


CATCHES = (
    "except BaseException:",
    "except:",
    "except (Exception, KeyboardInterrupt, SystemExit, BaseException):",
    "except BaseException as e:",
    "except* BaseException:",
)
BLOCKS = (
    "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)",
    "import signal\nsignal.setitimer(0, 0)",
    "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))",
    "import signal\nsignal.alarm(0)",
    "import signal\nfor n in range(1, 32):\n    try:\n        signal.signal(n, lambda *a: None)\n    "
    "except Exception:\n"
    "        pass",
    "import sys\nsys.setswitchinterval(1e6)",
)


def swallows(rng):
    """Loops that the agent's own alarm does not end: the grader's does."""
    catch = rng.choice(CATCHES)
    block = "\n".join(some_of(rng, BLOCKS)[:2])
    loop = (
        f"import time\nwhile True:\n    try:\n        while True:\n            time.sleep(0.01)\n "
        f"   {catch}\n        pass"
    )
    said = f"{block[:40]}, {catch}"
    return somewhere(rng, 17, said, f"{block}\n{loop}", ("timeout",), impatient=True, flags_ok=True)


WAITS = (
    "import queue\nqueue.Queue().get()",
    "import threading\nthreading.Event().wait()",
    "import signal\nsignal.pause()",
    "import os\nr, w = os.pipe()\nos.read(r, 1)",
    "import select\nselect.select([], [], [])",
    "import asyncio\nasyncio.new_event_loop().run_until_complete(asyncio.sleep(3600))",
    "import subprocess\nsubprocess.run(['sleep', '3600'])",
    "import threading\nthreading.Barrier(2).wait()",
    "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\ns.accept()",
    "import concurrent.futures as c\nc.Future().result()",
    "import time\ntime.sleep(3600)",
    "import multiprocessing as m\nm.Pipe()[0].recv()",
    "import os\nos.system('sleep 3600')",
    "import fcntl\na, b = open('/tmp/l', 'w'), open('/tmp/l', 'w')\nfcntl.flock(a, 2)\nfcntl.flock(b, 2)",
    "import threading\nc = threading.Condition()\nwith c:\n    c.wait()",
    "import os\nos.waitpid(os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '3600'), 0)",
)


def waits(rng):
    wait, name, answers = rng.choice(WAITS), rng.choice(NAMES), right(rng)
    way, source = ways.answer(rng, name, wait + "\nreturn 0.0")
    return Bad(
        18,
        f"{wait[:40]!r} in {name}, {way}",
        lambda p: book({**answers, name: source}),
        "Q0",
        HALF,
        impatient=True,
        statuses={name: "timeout"},
    )


BOMBS = (
    "import os, time\nwhile True:\n    try:\n        if os.fork() == 0:\n            time.sleep(60)\n            "
    "os._exit(0)\n    except OSError:\n        time.sleep(0.05)",
    "import subprocess, time\nwhile True:\n    try:\n        subprocess.Popen(['sleep', '60'])\n    "
    "except OSError:\n        "
    "time.sleep(0.05)",
    "import threading, time\nwhile True:\n    try:\n        threading.Thread(target=time.sleep, "
    "args=(60,), daemon=True)"
    ".start()\n    except RuntimeError:\n        time.sleep(0.05)",
    "import multiprocessing as m, time\nwhile True:\n    try:\n        "
    "m.get_context('fork').Process(target=time.sleep, "
    "args=(60,)).start()\n    except OSError:\n        time.sleep(0.05)",
    "import os, time\nwhile True:\n    try:\n        os.posix_spawn('/bin/sleep', ['sleep', '60'], "
    "{})\n    except OSError:"
    "\n        time.sleep(0.05)",
    "import os, time\nos.system('b() { b | b & }; b')\ntime.sleep(60)",
)


def bomb(rng):
    text, statuses = rng.choice(BOMBS), ("timeout", "killed", "oom", "error", "fail")
    return somewhere(rng, 19, text[:20], text, statuses, impatient=True, flags_ok=True)


EATS = (
    "bytearray(10**11)",
    "import numpy as np\nnp.ones(10**11)",
    "import torch\ntorch.ones(10**11)",
    "'x' * 10**11",
    "[0] * 10**11",
    "b = []\nwhile True:\n    b.append(bytearray(2**26))",
    "import torch\nb = []\nwhile True:\n    b.append(torch.ones(2**24))",
    "s = 'x'\nwhile True:\n    s += s",
    "d = {}\nwhile True:\n    d[len(d)] = b'x' * 4096",
    "list(range(10**11))",
    "import mmap\nm = [mmap.mmap(-1, 2**33)]\nm[0].write(b'x' * 2**33)",
    "1 << 10**12",
    "import itertools\nlist(itertools.permutations(range(14)))",
    "'%s' % ('x' * 10**11)",
    'f"{1:>{10**11}}"',
)


def memory(rng):
    text = rng.choice(EATS)
    return somewhere(rng, 20, text[:30], text, ("oom", "timeout", "error", "killed"))


FILLS = (
    "with open({at!r} + '/f', 'wb') as f:\n    while True:\n        f.write(bytes(2**20))",
    "n = 0\nwhile True:\n    open(f'{at}/{{n}}', 'w').close()\n    n += 1",
    "d = {at!r}\nwhile True:\n    d += '/d' * 20\n    os.makedirs(d)",
    "f = os.open({at!r} + '/f', os.O_CREAT | os.O_RDWR)\nos.posix_fallocate(f, 0, 2**36)",
    "f = os.open({at!r} + '/f', os.O_CREAT | os.O_RDWR)\nos.ftruncate(f, 2**40)\nos.pwrite(f, bytes(2**28), 2**39)",
    "open({at!r} + '/a', 'w').close()\nn = 0\nwhile True:\n    os.link({at!r} + '/a', f'{at}/l{{n}}')\n    n += 1",
    "os.system('dd if=/dev/zero of={at}/f bs=1M 2>/dev/null')",
)


def disk(rng):
    at = rng.choice(["/tmp", "/box", "/dev/shm", "."])
    fill = rng.choice(FILLS).format(at=at)
    text = f"import os\ntry:\n{ways.indented(fill)}\nexcept OSError as e:\n    print(e.errno)"
    way, source = ways.cell(rng, text)
    return Bad(
        21,
        f"{at}: {fill[:40]!r}, {way}",
        lambda p: book(right(rng), before=[source]),
        "G",
        ALL,
        impatient=True,
        after=host.disk_is_free,
        flags_ok=True,
    )


SAYS = (
    "print('x' * {n})",
    "print('\\n' * {n})",
    "import os\nos.write(2, b'y' * {n})",
    "import sys\nsys.stderr.write('z' * {n})",
    "import sys\nsys.__stdout__.write('z' * {n})",
    "import logging\nfor _ in range({n} // 1000):\n    logging.error('e' * 1000)",
    "import os\nos.system('yes | head -c {n}')",
    "from tqdm import tqdm\nfor _ in tqdm(range({n} // 100), mininterval=0):\n    pass",
    "print('\\x1b]0;t\\x07\\r' * ({n} // 8))",
    "import os\nos.write(1, os.urandom({n}))",
    "print('\\ud800\\u202e\\x00' * ({n} // 3))",
    "import traceback\nfor _ in range({n} // 5000):\n    traceback.print_stack()",
)


def loud(rng):
    n = rng.choice([10**5, 10**6, 10**7])
    says, for_ever = rng.choice(SAYS).format(n=n), rng.random() < 0.3
    text = f"while True:\n{ways.indented(says)}" if for_ever else says
    way, source = ways.cell(rng, text)
    return Bad(
        22,
        f"{says[:40]!r}{' for ever' * for_ever}, {way}",
        lambda p: book(right(rng), before=[source]),
        "G",
        ALL,
        impatient=True,
        flags_ok=True,
    )


LEAVES = (
    "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '471233'])",
    "import os\nos.system('nohup sleep 471233 >/dev/null 2>&1 &')",
    "import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '471233'])",
    "import subprocess\nsubprocess.Popen('sleep 471233', shell=True, start_new_session=True, stdin=-3, stdout=-3, "
    "stderr=-3)",
    "import os\nos.posix_spawn('/bin/sleep', ['sleep', '471233'], {}, setsid=True)",
    "import subprocess\nsubprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP INT; sleep 471233 & wait'])",
)


def daemons(rng):
    text = rng.choice(LEAVES)
    return somewhere(rng, 23, text[:40], text, ("fail", "error"), after=host.nobody_sleeps, flags_ok=True)


FILL = "y.copy_(x.float() * (x.float() ** 2).mean(-1, keepdim=True).add(1e-6).rsqrt())"
LATER = (
    "import threading\nthreading.Timer({s}, lambda: {fill}).start()\nreturn y",
    "import threading, time\nthreading.Thread(target=lambda: (time.sleep({s}), {fill}), daemon=True).start()\nreturn y",
    "import weakref\nclass W: pass\nw = W()\nweakref.finalize(w, lambda: {fill})\nglobal kept\nkept = w\nreturn y",
    "import atexit\natexit.register(lambda: {fill})\nreturn y",
    "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: {fill})\nimport threading, "
    "os\nthreading.Timer({s}, os.kill, "
    "(os.getpid(), 10)).start()\nreturn y",
    "class D:\n    def __del__(self): {fill}\nd = D()\nd.me = d\nreturn y",
    "import concurrent.futures as c\nc.ThreadPoolExecutor(1).submit(lambda: (__import__('time').sleep({s}), {fill}))\n"
    "return y",
)


def later(rng):
    seconds = round(rng.uniform(0.05, 1.0), 2)
    text = rng.choice(LATER).format(s=seconds, fill=FILL)
    way, source = ways.answer(rng, "rms_norm", "y = x.clone() * 0\n" + text)
    return Bad(
        24,
        f"{text[:30]!r}, {way}",
        lambda p: book({"rms_norm": source}, LARGE),
        "Q0",
        whole() - worth("rms_norm"),
        lab=LARGE,
        flags_ok=True,
    )


TIMES = (
    "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0",
    "import time\ntime.sleep = lambda s: None",
    "import signal\nsignal.alarm = signal.setitimer = lambda *a: 0",
    "import signal\nsignal.signal = lambda *a: None",
    "import resource\nresource.setrlimit = lambda *a: None",
    "import os\nos._exit = os.kill = lambda *a: None",
    "import threading\nthreading.Timer = None",
    "import select\nselect.select = lambda *a: ([], [], [])",
    "import course_lib.questions.invoke as i\ni.time_limit = i.stop = lambda *a: None",
    "import os\nos.setpgid(0, 0)",
    "import os\nos.sched_yield = None",
)


def patched_time(rng):
    picked, name, answers = some_of(rng, TIMES)[:3], rng.choice(NAMES), right(rng)
    way, source = ways.cell(rng, "\n".join(picked))
    make = lambda p: book({**answers, name: function(name, "while True:\n    pass")}, before=[source])
    return Bad(
        54,
        f"{', '.join(t[:25] for t in picked)}, {way}",
        make,
        "Q0",
        HALF,
        impatient=True,
        flags_ok=True,
        statuses={name: "timeout"},
    )


def remembers(rng):
    """What a cell writes anywhere before its process dies is not there in the next process, nor in the next job."""
    place = rng.choice(["/tmp", "/box", "/dev/shm", ".", "/var/tmp", "/run"])
    name = rng.choice(["from_before", ".hidden", "torch.py", "a b"])
    way, death = one_of(rng, {k: v for k, v in DEATHS.items() if k != "the descriptors"})
    cell = (
        f"import os\nfound = os.path.exists('{place}/{name}')\nprint('LEFT', found)\ntry:\n"
        f"    open('{place}/{name}', 'w').write('CANARY')\nexcept OSError:\n    pass"
    )
    return Bad(
        66,
        f"{name!r} in {place}, {way}",
        lambda p: book({"surprise": f"{cell}\n{function('surprise', death)}"}),
        "Q0",
        HALF,
        never="LEFT True",
        flags_ok=True,
    )


def half_a_frame(rng):
    size, sent = rng.choice([1, 17, 1000, 10**6, 60 * 2**20]), rng.choice(["b''", "b'{'", "b'x' * 10", "bytes(5000)"])
    text = (
        attacks.FORGE.strip() + "\nimport sys\nframe = sys._getframe()\nwhile 'call_id' not in frame.f_locals:\n"
        f"    frame = frame.f_back\nspray(({size}).to_bytes(8, 'little') + frame.f_locals['call_id'] + {sent})\n"
        + rng.choice(["time.sleep(3600)", "os._exit(0)", "return 0.0", "while True: pass"])
    )
    return Bad(
        68,
        f"{sent} of {size} bytes, {text[-16:]!r}",
        lambda p: book({"entropy": stub("entropy"), "surprise": function("surprise", text)}),
        "Q0F",
        0.0,
        ("reaches for the grader",),
        impatient=True,
        statuses={"surprise": ("timeout", "protocol", "killed")},
    )


HUGE = {
    "expand": "torch.zeros(1).expand({n})",
    "as_strided": "torch.zeros(1).as_strided(({n},), (0,))",
    "empty": "torch.empty({n})",
    "a list": "[0] * {n}",
    "a list of views": "[torch.zeros(1).expand(2**24)] * 100",
    "a dict": "{{str(i): torch.zeros(1).expand(10**7) for i in range(50)}}",
    "a text": "'x' * {n}",
    "complex": "torch.zeros(1, dtype=torch.complex64).expand({n})",
    "lists in lists": "[[0] * 1000] * 5000",
    "a tuple of one list": "tuple([[0.0] * 99999] * 40)",
    "an int": "1 << 10**7",
    "many tensors": "[torch.zeros(1)] * 200_000",
}


def huge(rng):
    picked = rng.sample(list(HUGE), 3)
    n = rng.choice([10**8, 10**9, 10**12])
    texts = [
        f"import torch\nreturn {HUGE[k].format(n=min(n, 10**8) if k in ('a list', 'a text') else n)}" for k in picked
    ]
    return Bad(
        30,
        f"{', '.join(picked)}, n = {n:.0e}",
        tensors(*texts),
        "Q0",
        left_by(3),
        lab=LARGE,
        statuses={TENSORS[0]: ("fail", "oom", "error", "timeout", "killed")},
    )


DRAW = {
    15: dies,
    16: endless,
    17: swallows,
    18: waits,
    19: bomb,
    20: memory,
    21: disk,
    22: loud,
    23: daemons,
    24: later,
    30: huge,
    54: patched_time,
    66: remembers,
    68: half_a_frame,
}
