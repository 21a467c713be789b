"""Values that may cross the border between the grader and a student's process: JSON and safetensors, nothing else.

A value is None, bool, int, float, str, a plain tensor, a torch.Generator, a torch.dtype, or a list, tuple or dict of
these. No pickle, no np.load: what arrives is parsed as data, and its size is checked before anything is allocated for
it.
"""

import json
import math

import torch

MAX_BYTES = 64 * 2**20  # one message
MAX_JSON = 8 * 2**20
MAX_NODES = 100_000
MAX_PARTS = 4 * MAX_NODES  # brackets and commas, those in texts among them: counted before JSON makes objects of them
MAX_DEPTH = 12
MAX_TEXT = 1_000_000  # characters in one string
MAX_HEADER, MAX_TENSORS = 2**20, 4096  # bytes, and entries, of a safetensors header

NAMES = "float64 float32 float16 bfloat16 complex64 int64 int32 int16 int8 uint8 bool".split()
DTYPES = {name: getattr(torch, name) for name in NAMES}
CODES = dict(zip("F64 F32 F16 BF16 C64 I64 I32 I16 I8 U8 BOOL".split(), DTYPES.values()))  # of safetensors


class NotPlain(Exception):
    """A value that may not cross: one line that says what it is and what was wanted."""


def describe(value):
    """A short name for a value's type, safe to call on hostile objects."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__


def plain_tensor(t, max_bytes=MAX_BYTES):
    """The same numbers as a detached, contiguous CPU copy; NotPlain for subclasses, sparse, meta, quantised or huge
    tensors.
    """
    if type(t) is torch.nn.Parameter:
        t = t.data
    if type(t) is not torch.Tensor:
        raise NotPlain(f"{describe(t)} is not a plain tensor: return a torch.Tensor")
    if t.device.type == "meta":
        raise NotPlain("not a plain tensor: it is on the meta device and holds no numbers")
    if t.layout is not torch.strided:
        raise NotPlain("not a plain tensor: it is sparse; return a dense tensor (.to_dense())")
    if t.dtype not in DTYPES.values():
        raise NotPlain(f"not a plain tensor: dtype {t.dtype} is not accepted")
    size = t.numel() * t.element_size()
    if size > max_bytes:
        raise NotPlain(f"the tensor has {size / 2**20:.0f} MiB (shape {list(t.shape)}), far more than the answer needs")
    return t.detach().resolve_conj().resolve_neg().cpu().clone(memory_format=torch.contiguous_format)


def flatten(value, tensors, depth=0, budget=None):
    """A JSON-able tree for `value`; its tensors are appended to the list `tensors`. Raises NotPlain."""
    budget = budget if budget is not None else {"nodes": MAX_NODES, "bytes": MAX_BYTES}
    budget["nodes"] -= 1
    if depth > MAX_DEPTH or budget["nodes"] < 0:
        raise NotPlain("the value is nested too deeply or has too many parts")
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        if value.bit_length() > 4096:
            raise NotPlain("the whole number is far too large")
        return value
    if kind is str:
        if len(value) > MAX_TEXT:
            raise NotPlain(f"the text has {len(value)} characters, far more than the answer needs")
        return value
    if kind is list or kind is tuple:
        return ["list" if kind is list else "tuple", [flatten(v, tensors, depth + 1, budget) for v in value]]
    if kind is dict:
        if any(type(k) is not str for k in value):
            raise NotPlain("the keys of a dict must be str")
        return ["dict", [[k, flatten(v, tensors, depth + 1, budget)] for k, v in value.items()]]
    if kind is torch.dtype:
        return ["dtype", str(value).removeprefix("torch.")]
    if kind is torch.Generator:
        tensors.append(value.get_state())
        return ["generator", len(tensors) - 1]
    if kind is torch.Size:
        return ["tuple", [int(v) for v in value]]
    if kind.__module__ == "numpy" and kind.__name__ in (
        "float64",
        "float32",
        "int64",
        "int32",
        "bool",
        "bool_",
        "str_",
    ):
        return flatten(value.item(), tensors, depth, budget)
    if isinstance(value, torch.Tensor):
        plain = plain_tensor(value, budget["bytes"])
        budget["bytes"] -= plain.numel() * plain.element_size()
        tensors.append(plain)
        return ["tensor", len(tensors) - 1]
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        raise NotPlain("a NumPy array is not a plain tensor: return a torch.Tensor")
    raise NotPlain(f"{describe(value)} is not a plain tensor, number, text, list or dict")


def unflatten(tree, tensors, depth=0, budget=None):
    """The inverse of flatten. ValueError for anything that flatten cannot have made."""
    budget = budget if budget is not None else {"nodes": MAX_NODES}
    budget["nodes"] -= 1
    if depth > MAX_DEPTH or budget["nodes"] < 0:
        raise ValueError("nested too deeply, or of too many parts")
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if type(tree) is not list or len(tree) != 2:
        raise ValueError("malformed value")
    tag, body = tree
    if tag in ("list", "tuple") and type(body) is list:
        items = [unflatten(v, tensors, depth + 1, budget) for v in body]
        return items if tag == "list" else tuple(items)
    if tag == "dict" and type(body) is list:
        # text alone: Python's hash of a text is seeded, that of a number is the number, and colliding ones cost squares
        if not all(type(p) is list and len(p) == 2 and type(p[0]) is str for p in body):
            raise ValueError("malformed dict")
        return {k: unflatten(v, tensors, depth + 1, budget) for k, v in body}
    if tag == "dtype" and body in DTYPES:
        return DTYPES[body]
    if tag in ("tensor", "generator") and type(body) is int and 0 <= body < len(tensors):
        if tag == "tensor":
            return tensors[body]
        generator = torch.Generator()
        generator.set_state(tensors[body])
        return generator
    raise ValueError("malformed value")


def plain(value):
    """A deep copy of `value` made of plain parts only, exactly as it would arrive at the other end. Raises NotPlain."""
    tensors = []
    return unflatten(flatten(value, tensors), tensors)


def encode(value):
    """Bytes for a value: 8 bytes of JSON length, JSON, safetensors."""
    import safetensors.torch

    tensors = []
    text = json.dumps(flatten(value, tensors)).encode()
    blob = safetensors.torch.save({str(i): t for i, t in enumerate(tensors)}) if tensors else b""
    return len(text).to_bytes(8, "little") + text + blob


def once(pairs):
    """A dict of JSON in which no key stands twice: readers differ in which of two they take. Raises LookupError."""
    if len(dict(pairs)) != len(pairs):
        raise LookupError("twice")
    return dict(pairs)


def read_header(blob, most=MAX_HEADER):
    """({name: (code, shape, start, end)}, metadata, bytes behind the last tensor) of safetensors; offsets into blob.

    The grader's one reader of this format: nothing is allocated for a number in the header, tensors must cover the
    data without a gap. ValueError, in words of ours, for anything else.
    """
    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > min(len(blob) - 8, most):
        raise ValueError("its header is longer than the file")
    try:
        header = json.loads(bytes(blob[8 : 8 + size]).decode(), object_pairs_hook=once)
    except LookupError:
        raise ValueError("a key stands twice in its header") from None
    except (ValueError, RecursionError):  # a number of too many digits is a plain ValueError
        raise ValueError("its header is no JSON") from None
    if type(header) is not dict or len(header) > MAX_TENSORS:
        raise ValueError(f"its header is no dict of at most {MAX_TENSORS} tensors")
    metadata = header.pop("__metadata__", None)
    if metadata is not None and not (type(metadata) is dict and all(type(v) is str for v in metadata.values())):
        raise ValueError("its metadata are no texts")
    entries, end = {name: entry_of(entry, 8 + size) for name, entry in header.items()}, 8 + size
    for _, _, start, stop in sorted(entries.values(), key=lambda entry: entry[2:]):
        if start != end:
            raise ValueError("its tensors overlap or leave gaps")
        end = stop
    if end > len(blob):
        raise ValueError(f"it is cut off, {end - len(blob)} bytes are missing")
    return entries, metadata, bytes(blob[end : end + 64])


def entry_of(entry, base):
    """(code, shape, start, end) of a tensor's entry in a header, which says nothing else and agrees with itself."""
    if type(entry) is not dict or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError("an entry of its header is malformed")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(code) is not str or code not in CODES:
        raise ValueError("a tensor has an unknown dtype")
    if type(shape) is not list or len(shape) > 16 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError("a shape in its header is malformed")
    if type(offsets) is not list or len(offsets) != 2 or not all(type(n) is int and 0 <= n < 2**40 for n in offsets):
        raise ValueError("an offset in its header is malformed")
    if offsets[1] - offsets[0] != math.prod(shape) * CODES[code].itemsize:
        raise ValueError("a tensor does not have the bytes of its shape")
    return code, shape, base + offsets[0], base + offsets[1]


def tensor_of(blob, code, shape, start, end):
    """The tensor of an entry that read_header has given, a copy."""
    if start == end:
        return torch.empty(shape, dtype=CODES[code])
    if code == "BOOL":  # a byte may be anything
        return torch.frombuffer(bytearray(blob[start:end]), dtype=torch.uint8).reshape(shape) != 0
    return torch.frombuffer(bytearray(blob[start:end]), dtype=CODES[code]).reshape(shape)


def decode(data):
    """The value in bytes made by encode, from an untrusted process. ValueError, in words of ours, for anything else."""
    if len(data) > MAX_BYTES + 4_000_000 or len(data) < 8:
        raise ValueError("message of an impossible size")
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, MAX_JSON):
        raise ValueError("truncated message, or one with far too much JSON")
    text = bytes(data[8 : 8 + size])
    if text.count(b"[") + text.count(b",") + text.count(b"{") > MAX_PARTS:
        raise ValueError("a message of far too many parts")
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"malformed message ({type(error).__name__})") from None
    try:
        blob = bytes(data[8 + size :])
        tensors = []
        if blob:
            entries, _, rest = read_header(blob)
            if rest or set(entries) != {str(i) for i in range(len(entries))}:
                raise ValueError("malformed tensors")
            tensors = [tensor_of(blob, *entries[str(i)]) for i in range(len(entries))]
        return unflatten(tree, tensors)
    except (RecursionError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"malformed message ({type(error).__name__})") from None
