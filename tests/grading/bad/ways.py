"""Ways in Python to reach the same end: where an attack stands in a notebook, and by what it is set going.

What is drawn here matters to a grader that looks for texts, names or shapes of code: none of them may be all it has.
"""

import textwrap

# by what a cell runs the function {f}: {way: text}
RUNS = {
    "called": "{f}()",
    "a comprehension": "[{f}() for _ in '1']",
    "map": "list(map(lambda _: {f}(), '1'))",
    "a metaclass": "class M(type):\n    def __new__(m, *a):\n        {f}()\n        return type.__new__(m, *a)\n"
    "class C(metaclass=M):\n    pass",
    "__set_name__": "class D:\n    def __set_name__(self, *a):\n        {f}()\nclass C:\n    d = D()",
    "__init_subclass__": "class B:\n    def __init_subclass__(cls):\n        {f}()\nclass C(B):\n    pass",
    "a decorator": "@lambda g: {f}()\ndef nothing():\n    pass",
    "a default argument": "def nothing(x={f}()):\n    pass",
    "a property": "class P:\n    p = property(lambda self: {f}())\nP().p",
    "a with's end": "import contextlib\nwith contextlib.ExitStack() as stack:\n    stack.callback({f})",
    "awaited": "async def later():\n    return {f}()\nawait later()",
    "a finally": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass\nfinally:\n    {f}()",
    "an f-string": "f'{{{f}()}}'",
    "a sort's key": "sorted('1', key=lambda _: {f}() or 0)",
    "a generator": "next((1 for _ in '1' if not {f}() or True))",
    "a walrus": "if (w := {f}()):\n    pass",
    "a magic": "%time {f}()",
    "text": "exec('{f}()')",
    "an operator": "class O:\n    def __add__(self, other):\n        return {f}()\nO() + 1",
}
# what a question's name is, where the function {f} of (x, args, kwargs) does the work: {way: text}
CALL = "{f}(args[0], args, kwargs)"
HOLDS = {
    "a helper": "def {name}(*args, **kwargs):\n    return CALL",
    "a lambda": "{name} = lambda *args, **kwargs: CALL",
    "__call__": "class K:\n    def __call__(self, *args, **kwargs):\n        return CALL\n{name} = K()",
    "functools.partial": "import functools\ndef g(f, *args, **kwargs):\n    return f(args[0], args, kwargs)\n"
    "{name} = functools.partial(g, {f})",
    "a decorator": "import functools\ndef told(g):\n    @functools.wraps(g)\n    def h(*args, **kwargs):\n"
    "        return CALL\n    return h\n@told\ndef {name}(*args, **kwargs):\n    return None",
    "a generator": "def gen(args, kwargs):\n    yield CALL\ndef {name}(*args, **kwargs):\n    return next(gen(args, "
    "kwargs))",
    "a comprehension": "def {name}(*args, **kwargs):\n    return [CALL for _ in '1'][0]",
    "map": "def {name}(*args, **kwargs):\n    return list(map(lambda _: CALL, '1'))[0]",
    "text": "exec('def {name}(*args, **kwargs):\\n    return CALL')",
    "type()": "{name} = type('K', (), {{'__call__': lambda s, *args, **kwargs: CALL}})()",
    "a coroutine": "async def later(args, kwargs):\n    return CALL\ndef {name}(*args, **kwargs):\n    try:\n"
    "        later(args, kwargs).send(None)\n    except StopIteration as done:\n        return done.value",
    "a finally": "def {name}(*args, **kwargs):\n    try:\n        pass\n    finally:\n        value = CALL\n"
    "    return value",
    "a metaclass": "class M(type):\n    def __call__(cls, *args, **kwargs):\n        return CALL\n"
    "class {name}(metaclass=M):\n    pass",
    "__missing__": "class T(dict):\n    def __missing__(self, key):\n        args, kwargs = key[0][0], {{}}\n"
    "        return CALL\nclass Key(tuple):\n    __hash__ = object.__hash__\ndef {name}(*args, **kwargs):\n"
    "    return T()[Key(((args,),))]",
    "a static method": "class S:\n    @staticmethod\n    def go(*args, **kwargs):\n        return CALL\n{name} = S.go",
    "reduce": "import functools\ndef {name}(*args, **kwargs):\n    return functools.reduce(lambda _, g: g(args[0], "
    "args, kwargs), [{f}], None)",
    "a match": "def {name}(*args, **kwargs):\n    match args:\n        case _:\n            return CALL",
    "globals()": "globals()['{name}'] = lambda *args, **kwargs: CALL",
}
# ways that need no more than the arguments in their places (reduce and __missing__ drop keywords)
FULL = tuple(way for way in HOLDS if way != "__missing__")


def indented(text, by=4):
    return textwrap.indent(text.strip("\n"), " " * by)


def cell(rng, payload, without=()):
    """(way, a cell that does what `payload` says)."""
    way = rng.choice([w for w in RUNS if w not in without])
    return way, f"def step():\n{indented(payload)}\n" + RUNS[way].format(f="step")


def answer(rng, name, body, without=()):
    """(way, source of the function `name` with this body, which sees x, args and kwargs)."""
    way = rng.choice([w for w in FULL if w not in without])
    held = HOLDS[way].replace("CALL", CALL).format(name=name, f="step")
    return way, f"def step(x, args, kwargs):\n{indented(body)}\n{held}"


def around(rng, name, sound, body, without=()):
    """(way, source of the function `name` with this body, which may call what `sound` defines as sound())."""
    way, source = answer(rng, name, body, ("text", *without))
    return way, f"{sound}\nsound = {name}\n{source}"


def one_of(rng, choices):
    """(label, value) of a dict."""
    label = rng.choice(list(choices))
    return label, choices[label]


def some_of(rng, choices, least=1):
    """A few of a list, in a drawn order."""
    choices = list(choices)
    return rng.sample(choices, rng.randint(least, len(choices)))


# every JSON type, harmless and absurd, for "any value in any place"
VALUES = {
    "null": None,
    "true": True,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "2**31": 2**31,
    "2**63": 2**63,
    "2**200": 2**200,
    "1e308": 1e308,
    "NaN": float("nan"),
    "-inf": float("-inf"),
    "no text": "",
    "a text": "F32",
    "a long text": "x" * 50_000,
    "a lone surrogate": "\ud800",
    "controls": "\x00\x1b[2J\u202e",
    "markup": "<script>alert(1)</script>",
    "a list": [],
    "a list of lists": [[[]], [1]],
    "a long list": [0] * 5000,
    "a dict": {},
    "a dict of dicts": {"": {"shape": {}}},
}
