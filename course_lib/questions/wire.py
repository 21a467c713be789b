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
MAX_DEPTH = 12
MAX_TEXT = 1_000_000  # characters in one string

NAMES = "float64 float32 float16 bfloat16 complex64 int64 int32 int16 int8 uint8 bool".split()
DTYPES = {name: getattr(torch, name) for name in NAMES}


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
        if any(type(k) not in (str, int) for k in value):
            raise NotPlain("the keys of a dict must be str or int")
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


def unflatten(tree, tensors):
    """The inverse of flatten. ValueError for anything that flatten cannot have made."""
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if type(tree) is not list or len(tree) != 2:
        raise ValueError("malformed value")
    tag, body = tree
    if tag in ("list", "tuple") and type(body) is list:
        items = [unflatten(v, tensors) for v in body]
        return items if tag == "list" else tuple(items)
    if tag == "dict" and type(body) is list:
        if not all(type(p) is list and len(p) == 2 and type(p[0]) in (str, int) for p in body):
            raise ValueError("malformed dict")
        return {k: unflatten(v, tensors) for k, v in body}
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


def check_safetensors(blob, max_tensors=4096):
    """The header of safetensors bytes, no more: {name: (dtype, shape)}. ValueError where the sizes disagree with it."""
    if len(blob) < 8:
        raise ValueError("truncated safetensors")
    size = int.from_bytes(blob[:8], "little")
    if size > min(len(blob) - 8, 4_000_000):
        raise ValueError("safetensors header larger than the file")
    header = json.loads(bytes(blob[8 : 8 + size]))
    if type(header) is not dict or len(header) > max_tensors:
        raise ValueError("malformed safetensors header")
    header.pop("__metadata__", None)
    end = len(blob) - 8 - size
    for entry in header.values():
        if type(entry) is not dict:
            raise ValueError("malformed safetensors header")
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if not (type(shape) is list and len(shape) <= 16 and all(type(n) is int and 0 <= n < 2**40 for n in shape)):
            raise ValueError("malformed shape in safetensors header")
        if not (
            type(offsets) is list
            and len(offsets) == 2
            and all(type(o) is int for o in offsets)
            and 0 <= offsets[0] <= offsets[1] <= end
        ):
            raise ValueError("malformed offsets in safetensors header")
        if math.prod(shape) > 8 * max(offsets[1] - offsets[0], 1):
            raise ValueError("a tensor is larger than its bytes")
    return {name: (entry.get("dtype"), entry["shape"]) for name, entry in header.items()}


def decode(data):
    """The value in bytes made by encode, from an untrusted process. ValueError for anything else."""
    import safetensors.torch

    if len(data) > MAX_BYTES + 4_000_000 or len(data) < 8:
        raise ValueError("message of an impossible size")
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, MAX_JSON):
        raise ValueError("truncated message, or one with far too much JSON")
    try:
        tree = json.loads(bytes(data[8 : 8 + size]))
        blob = bytes(data[8 + size :])
        tensors = []
        if blob:
            names = check_safetensors(blob)
            loaded = safetensors.torch.load(blob)
            if set(names) != {str(i) for i in range(len(names))}:
                raise ValueError("malformed tensor names")
            tensors = [loaded[str(i)] for i in range(len(names))]
        return unflatten(tree, tensors)
    except (RecursionError, UnicodeDecodeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"malformed message ({type(error).__name__})") from None
    except Exception as error:  # safetensors raises its own SafetensorError
        raise ValueError(f"malformed message: {str(error)[:200]}") from None
