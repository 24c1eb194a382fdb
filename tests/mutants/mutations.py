"""One small damage to one file, drawn from a seed: what disks, spreadsheets, editors and strangers do to files."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

# Text that belongs in no cell and no field: numbers beyond every range, markup, control characters, ways out of a folder.
WORDS = (
    "",
    "abc",
    "inf",
    "-inf",
    "nan",
    "1e300",
    "-1e300",
    "1e19",
    "99999999999999999999",
    "1000000000",
    "-1",
    "0",
    "0.5",
    "=1+1",
    "[/b]",
    "[bold]",
    "\x1b[31mred",
    "../../secret",
    "/etc",
    "a\0b",
    "n" * 300,
    "é",
    "\ud7ff",
)
VALUES: tuple[Any, ...] = (
    None,
    [],
    {},
    [[]],
    [None],
    {"a": {"b": []}},
    True,
    "text",
    "",
    0,
    -1,
    0.5,
    10**9,
    10**19,
    10**40,
    1e300,
    math.inf,
    math.nan,
    *WORDS[14:21],
    "x" * 200_000,
)


def _flip(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 8) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(max(1, len(data)))]


def _insert(what: bytes) -> Change:
    def change(data: bytes, rng: random.Random) -> bytes:
        at = rng.randrange(len(data) + 1)
        return data[:at] + what + data[at:]

    return change


def _utf16(data: bytes, _: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode("utf-16")


BYTES: dict[str, Change] = {
    "bytes flipped": _flip,
    "truncated": _cut,
    "emptied": lambda data, rng: b"",
    "a byte that is not UTF-8": _insert(b"\xe9"),
    "null characters": _insert(b"\0\0"),
    "noise": lambda data, rng: rng.randbytes(1000),
    "twice": lambda data, rng: data + data,
}
TEXTS: dict[str, Change] = {
    "in UTF-16": _utf16,
    "a stray quote": _insert(b'"'),
    "a byte order mark": lambda data, rng: b"\xef\xbb\xbf" + data,
    "line ends of old": lambda data, rng: data.replace(b"\n", b"\r"),
}


def _table(change: Callable[[list[list[str]], random.Random], None]) -> Change:
    def apply(data: bytes, rng: random.Random) -> bytes:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
        if not rows or not rows[0]:
            return b"a,b\n1,2\n"
        change(rows, rng)
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue().encode("utf-8", "replace")

    return apply


def _any_row(rows: list[list[str]], rng: random.Random) -> int:
    return rng.randrange(min(1, len(rows) - 1), len(rows))


def _drop_column(rows: list[list[str]], rng: random.Random) -> None:
    at = rng.randrange(len(rows[0]))
    for row in rows:
        del row[at : at + 1]


def _lose(rows: list[list[str]], rng: random.Random) -> None:
    del rows[_any_row(rows, rng)]


def _repeat(rows: list[list[str]], rng: random.Random) -> None:
    at = _any_row(rows, rng)
    rows.insert(at, list(rows[at]))


def _cell(rows: list[list[str]], rng: random.Random) -> None:
    row = rows[_any_row(rows, rng)]
    if row:
        row[rng.randrange(len(row))] = rng.choice(WORDS)


def _column(rows: list[list[str]], rng: random.Random) -> None:
    at, word = rng.randrange(len(rows[0])), rng.choice(WORDS)
    for row in rows[1:]:
        row[at : at + 1] = [word]


def _long(rows: list[list[str]], rng: random.Random) -> None:
    row = rows[_any_row(rows, rng)]
    if row:
        row[rng.randrange(len(row))] = "x" * 200_000


def _name(rows: list[list[str]], rng: random.Random) -> None:
    rows[0][rng.randrange(len(rows[0]))] = rng.choice((*WORDS, rows[0][0]))


def _short(rows: list[list[str]], rng: random.Random) -> None:
    row = rows[_any_row(rows, rng)]
    del row[rng.randrange(len(row) + 1) :]


TABLES: dict[str, Change] = {
    "; for ,": lambda data, rng: data.replace(b",", b";"),
    "a column dropped": _table(_drop_column),
    "a row lost": _table(_lose),
    "a row repeated": _table(_repeat),
    "another cell": _table(_cell),
    "another column": _table(_column),
    "a field of 200,000 characters": _table(_long),
    "another name of a column": _table(_name),
    "a short row": _table(_short),
    "a long row": _table(lambda rows, rng: rows[_any_row(rows, rng)].extend(["1", "2"])),
    "no header": _table(lambda rows, rng: rows.pop(0)),
    "no rows": _table(lambda rows, rng: rows.__delitem__(slice(1, None))),
}


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        found.append((value, key))
        _places(inner, found)
    return found


def _tree(change: Callable[[Any, list[tuple[Any, Any]], random.Random], Any]) -> Change:
    def apply(data: bytes, rng: random.Random) -> bytes:
        value = json.loads(data)
        places = _places(value, [])
        made = change(value, places, rng) if places else rng.choice(VALUES)
        return json.dumps(made).encode()

    return apply


def _replace(value: Any, places: list[tuple[Any, Any]], rng: random.Random) -> Any:
    container, key = rng.choice(places)
    container[key] = rng.choice(VALUES)
    return value


def _without(value: Any, places: list[tuple[Any, Any]], rng: random.Random) -> Any:
    container, key = rng.choice(places)
    del container[key]
    return value


def _doubled(value: Any, places: list[tuple[Any, Any]], rng: random.Random) -> Any:
    inner = [item[key] for item, key in places if isinstance(item[key], list) and item[key]]
    if inner:
        chosen = rng.choice(inner)
        chosen.append(chosen[rng.randrange(len(chosen))])
    return value


def _deep(data: bytes, rng: random.Random) -> bytes:
    """A value, or all of it, is nested 100,000 deep."""
    nest = b"[" * 100_000 + b"]" * 100_000 if rng.random() < 0.5 else b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    value = json.loads(data)
    places = _places(value, [])
    if not places or rng.random() < 0.3:
        return nest
    container, key = rng.choice(places)
    container[key] = "\1nest\1"
    return json.dumps(value).encode().replace(b'"\\u0001nest\\u0001"', nest)


TREES: dict[str, Change] = {
    "another value": _tree(_replace),
    "other values": _tree(lambda value, places, rng: _replace(_replace(value, places, rng), _places(value, []), rng)),
    "a key missing": _tree(_without),
    "an item twice": _tree(_doubled),
    "valid JSON of another form": lambda data, rng: json.dumps(rng.choice(VALUES)).encode(),
    "nested deeply": _deep,
}


def _npy_header(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        out[rng.randrange(min(len(out), 128))] = rng.randrange(256)
    return bytes(out)


def _npy_unending(data: bytes, _: random.Random) -> bytes:
    return data[:8] + b"\xff\xff" + data[10:60].replace(b"}", b"{")


def _npy_words(data: bytes, rng: random.Random) -> bytes:
    """The same length of header with another type or shape in it."""
    size = struct.unpack("<H", data[8:10])[0]
    words = rng.choice(
        (
            "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (), }",
            "{'descr': [('a', '<f8')], 'fortran_order': True, 'shape': (1,), }",
            "(" * 200,
            "{'descr': 1}",
        )
    )
    return data[:10] + words.encode().ljust(size - 1)[: size - 1] + b"\n" + data[10 + size :]


def _payload(data: bytes, rng: random.Random) -> bytes:
    """Another value behind the header, at the same size."""
    out = bytearray(data)
    out[rng.randrange(min(len(out) - 1, 128), len(out))] ^= 0xFF
    return bytes(out)


ARRAYS: dict[str, Change] = {
    "header damaged": _npy_header,
    "header without end": _npy_unending,
    "header of another form": _npy_words,
    "payload damaged": _payload,
}


def _weights(change: Change) -> Change:
    """Change the JSON header of a safetensors file."""

    def apply(data: bytes, rng: random.Random) -> bytes:
        size = struct.unpack("<Q", data[:8])[0]
        head = change(data[8 : 8 + size], rng)
        return struct.pack("<Q", len(head)) + head + data[8 + size :]

    return apply


def _not_numbers(data: bytes, _: random.Random) -> bytes:
    size = 8 + struct.unpack("<Q", data[:8])[0]
    return data[:size] + b"\xff" * (len(data) - size)


WEIGHTS: dict[str, Change] = {
    **{f"header with {name}": _weights(change) for name, change in TREES.items()},
    "header of 2**60 bytes": lambda data, rng: struct.pack("<Q", 2**60) + data[8:],
    "header damaged": lambda data, rng: _npy_header(data, rng),
    "weights that are not numbers": _not_numbers,
}


def _archive(inner: dict[str, Change]) -> Change:
    """Change one member of a zip archive: a spreadsheet's XML, an array of an .npz."""

    def apply(data: bytes, rng: random.Random) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            names = old.namelist()
            chosen, lost = rng.choice(names), rng.random() < 0.2
            for name in names:
                content = old.read(name)
                if name == chosen:
                    if lost:
                        continue
                    content = rng.choice(list(inner.values()))(content, rng)
                new.writestr(name, content)
        return out.getvalue()

    return apply


def _markup(data: bytes, rng: random.Random) -> bytes:
    """Another number or text between the tags."""
    parts = data.split(b">")
    at = rng.randrange(len(parts))
    _, mark, rest = parts[at].partition(b"<")
    parts[at] = rng.choice(WORDS).replace("\0", "").encode() + mark + rest
    return b">".join(parts)


BOOKS: dict[str, Change] = {"a part of the archive": _archive({**BYTES, "markup": _markup, "again": _markup})}
BUNDLES: dict[str, Change] = {"a part of the archive": _archive({**BYTES, **ARRAYS})}

BY_SUFFIX: dict[str, dict[str, Change]] = {
    ".csv": {**TEXTS, **TABLES},
    ".json": {**TEXTS, **TREES, "another value ": TREES["another value"], "another value  ": TREES["another value"]},
    ".txt": TEXTS,
    ".npy": ARRAYS,
    ".npz": BUNDLES,
    ".xlsx": BOOKS,
    ".safetensors": WEIGHTS,
}


def _no_file(path: Path, rng: random.Random) -> str:
    """Something that is no file in its place, or nothing."""
    path.unlink()
    kind = rng.choice(("a pipe", "a folder", "a link to nothing", "a link to itself", "nothing"))
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a link to nothing":
        path.symlink_to(path.parent / "not there")
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    return f"{kind} in its place"


def _neighbour(path: Path, rng: random.Random) -> str:
    """A stray beside it, or the file under another name."""
    strange = rng.choice(
        (
            f"{path.stem}99999999999999999999{path.suffix}",
            f"{path.stem} [final]{path.suffix}",
            f"{path.stem}\x1b[31m{path.suffix}",
            f"-{path.name}",
            f".{path.name}.part",
            "\udcff" + path.name,
            "NA",
            "n" * (255 - len(path.suffix)) + path.suffix,
        )
    )
    other = path.with_name(strange)
    if other.exists():
        return "nothing"
    kind = rng.choice(("a copy", "an empty file", "a pipe", "a folder", "its name itself"))
    if kind == "its name itself":
        path.rename(other)
    elif kind == "a copy":
        shutil.copy(path, other)
    elif kind == "a pipe":
        os.mkfifo(other)
    elif kind == "a folder":
        other.mkdir()
    else:
        other.touch()
    return f"a strange neighbour: {kind}"


def mutate(path: Path, rng: random.Random) -> str:
    """Damage one file in one way; gives the damage's name."""
    if rng.random() < 0.06:
        return _no_file(path, rng)
    if rng.random() < 0.05:
        return _neighbour(path, rng)
    own = BY_SUFFIX.get(path.suffix.lower(), {})
    choices = own if own and rng.random() < 0.75 else BYTES
    name = rng.choice(list(choices))
    data = path.read_bytes()
    try:
        made = choices[name](data, rng)
    except (ValueError, LookupError, struct.error, zipfile.BadZipFile, RecursionError):
        # A file too small for this damage.
        name, made = "truncated", _cut(data, rng)
    path.write_bytes(made)
    return name.strip()


def restore(source: Path, target: Path) -> None:
    """A fresh copy of a folder, whatever became of the last one."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, symlinks=True)
