"""When the last commit of a checkout was made, read from its .git folder's files alone.

The program git is not asked: a repository's own settings can make it run other programs, and a checkout may come from
anybody. Formats: gitformat-pack(5), gitrepository-layout(5).
"""

import re
import struct
import zlib

MOST, MOST_TEXT = 256 * 2**20, 2**18  # bytes of one file of .git; of a commit
DEPTH = 60  # of deltas on one another; git makes at most 50
COMMIT, OFFSET_DELTA, NAMED_DELTA = 1, 6, 7  # types of an object in a pack


def last_commit_time(read, packs):
    """Epoch seconds at which HEAD was committed, by the clock of who committed it; None where that cannot be told.

    read(name, limit) -> bytes of a file under .git, or raises OSError, KeyError; packs: names of its pack files without
    their suffix, as "objects/pack/pack-123".
    """
    try:
        name = head(read)
        text = name and commit(read, packs, name)
        found = text and re.search(rb"^committer .*> (\d{1,12}) [+-]\d{4}$", text.split(b"\n\n")[0], re.M)
        return float(found[1]) if found else None
    except (OSError, KeyError, ValueError, zlib.error, struct.error, IndexError, RecursionError):
        return None


def head(read):
    """The 40 hex digits that HEAD stands for, or None."""
    text = read("HEAD", 1000).decode("ascii", "replace").strip()
    if text.startswith("ref: "):
        ref = text.removeprefix("ref: ")
        if not re.fullmatch(r"refs/[\w./-]+", ref) or ".." in ref:
            return None
        try:
            text = read(ref, 1000).decode("ascii", "replace").strip()
        except (OSError, KeyError):
            packed = read("packed-refs", MOST).decode("utf-8", "replace")
            found = re.search(rf"^([0-9a-f]{{40}}) {re.escape(ref)}$", packed, re.M)
            text = found[1] if found else ""
    return text if re.fullmatch(r"[0-9a-f]{40}", text) else None


def commit(read, packs, name):
    """The bytes of a commit, or None."""
    try:
        data = inflated(read(f"objects/{name[:2]}/{name[2:]}", MOST))
        return data.split(b"\0", 1)[1] if data.startswith(b"commit ") else None
    except (OSError, KeyError):
        pass
    for pack in packs:
        index = read(f"{pack}.idx", MOST)
        if (offset := offset_of(index, bytes.fromhex(name))) is not None:
            kind, data = packed_object(memoryview(read(f"{pack}.pack", MOST)), index, offset)
            return data if kind == COMMIT else None
    return None


def inflated(data):
    return zlib.decompressobj().decompress(data, MOST_TEXT)


def offset_of(index, name):
    """Where an object stands in the pack of this index (version 2), or None."""
    if index[:8] != b"\xfftOc\0\0\0\2":
        return None
    counts = struct.unpack(">256I", index[8 : 8 + 1024])
    low, high, total = counts[name[0] - 1] if name[0] else 0, counts[name[0]], counts[255]
    names, offsets = 8 + 1024, 8 + 1024 + total * 24
    for number in range(low, high):
        if index[names + number * 20 : names + number * 20 + 20] == name:
            (offset,) = struct.unpack(">I", index[offsets + number * 4 : offsets + number * 4 + 4])
            if offset < 2**31:
                return offset
            large = offsets + total * 4 + (offset - 2**31) * 8
            return struct.unpack(">Q", index[large : large + 8])[0]
    return None


def packed_object(pack, index, offset, depth=0):
    """(type, bytes) of the object at an offset of a pack, its deltas applied."""
    if depth > DEPTH:
        raise ValueError("too many deltas")
    at, byte = offset + 1, pack[offset]
    kind = byte >> 4 & 7
    while byte & 0x80:  # the size, which zlib tells as well
        byte, at = pack[at], at + 1
    if kind == OFFSET_DELTA:
        byte, at = pack[at], at + 1
        back = byte & 0x7F
        while byte & 0x80:
            byte, at = pack[at], at + 1
            back = (back + 1 << 7) | byte & 0x7F
        base = offset - back
    elif kind == NAMED_DELTA:
        base, at = offset_of(index, pack[at : at + 20]), at + 20
    else:
        return kind, inflated(pack[at:])
    if base is None or base < 0:
        raise ValueError("a delta without its base")
    kind, data = packed_object(pack, index, base, depth + 1)
    return kind, patched(data, inflated(pack[at:]))


def patched(base, delta):
    """A delta's instructions, to copy from the base or to insert, carried out."""
    at = 0
    for _ in range(2):  # the sizes of base and result
        while delta[at] & 0x80:
            at += 1
        at += 1
    made = bytearray()  # a delta may be of a hundred thousand single bytes
    while at < len(delta):
        order, at = delta[at], at + 1
        if order & 0x80:
            numbers = []
            for bit in range(7):  # four bytes of the offset, three of the size: those that are not 0
                present = order >> bit & 1
                numbers.append(delta[at] if present else 0)
                at += present
            start, size = (int.from_bytes(bytes(part), "little") for part in (numbers[:4], numbers[4:]))
            made += base[start : start + (size or 0x10000)]
        else:
            made += delta[at : at + order]
            at += order
        if len(made) > MOST_TEXT:
            raise ValueError("no commit is so long")
    return bytes(made)
