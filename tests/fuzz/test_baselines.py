"""Damaged baseline files: whatever the damage, the file is read as a baseline or refused with DocumentError."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import msgpack
import pytest

from driftline.baseline.format.canonical import from_msgpack, load_matcher, to_msgpack
from driftline.baseline.format.jsontext import from_json, to_json
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.matching import Matcher
from driftline.baseline.schema import Baseline
from unit.baseline.documents import full

ROUNDS = 1_500
TOKENS = (
    *(
        b"",
        b"\0",
        b"\n",
        b"\xff",
        b"\\",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"*",
        b"&a",
        b"!!x",
        b"-",
        b"..",
        b"/",
    ),
    *(
        b"null",
        b"true",
        b"1e9",
        b"NaN",
        b"-1",
        b"9" * 40,
        b"\\u{110000}",
        b"\\ud800",
        b"\\xzz",
        b"/**",
        b"{num}",
        b"\xc1",
    ),
    *(
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xcb" + b"\x7f" * 8,
        b"\x90",
        b"\x80",
    ),
    *("\u202e".encode(), "\u2028".encode(), b"[" * 300, b"? ", b"--- ", b"%YAML 9", b"\xfe\xff", b"\t"),
)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """``data`` after one to four cuts, insertions, flips and repetitions."""
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data) + 1)
        end = min(len(data), place + dice.choice((0, 1, 1, 2, 8, 40)))
        match dice.randrange(4):
            case 0:
                data = data[:place] + dice.choice(TOKENS) + data[end:]
            case 1:
                data = data[:place] + bytes(byte ^ 1 << dice.randrange(8) for byte in data[place:end]) + data[end:]
            case 2:
                data = data[:end] + data[place:end] * dice.choice((1, 2, 50)) + data[end:]
            case _:
                source = dice.randrange(len(data) + 1)
                data = data[:place] + data[source : source + dice.choice((1, 8, 200))] + data[end:]
    return data


def check(read: Callable[[bytes], Baseline], data: bytes) -> bool:
    """Whether ``data`` was refused. What is read can be judged by and written."""
    try:
        baseline = read(data)
    except DocumentError as error:
        complaint = str(error)
    else:
        Matcher(baseline.entries)
        assert from_msgpack(to_msgpack(baseline)) == baseline
        return False
    assert complaint.isprintable()
    assert len(complaint) < 1_000
    return True


def _text(read: Callable[[str], Baseline]) -> Callable[[bytes], Baseline]:
    return lambda data: read(data.decode("utf-8", "replace"))


def _by_matcher(data: bytes) -> Baseline:
    return load_matcher(data)[0]


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (to_yaml(full()).encode(), _text(from_yaml)),
        (to_json(full()).encode(), _text(from_json)),
        (to_msgpack(full()), from_msgpack),
        (to_msgpack(full()), _by_matcher),
    ],
    ids=["yaml", "json", "msgpack", "matcher"],
)
def test_damaged_files(data: bytes, read: Callable[[bytes], Baseline]) -> None:
    dice = random.Random(20261123)
    refused = sum(check(read, damaged(data, dice)) for _ in range(ROUNDS))
    assert refused > ROUNDS / 2
    assert not check(read, data)


@pytest.mark.parametrize("read", [from_msgpack, _by_matcher], ids=["baseline", "matcher"])
def test_damage_behind_a_right_digest(read: Callable[[bytes], Baseline]) -> None:
    """Whoever can write the file can also write its digest."""
    dice, parts = random.Random(7), msgpack.unpackb(to_msgpack(full()))
    for _ in range(ROUNDS):
        wrong = dict(parts)
        name = dice.choice(("head", "content", "evidence"))
        wrong[name] = damaged(wrong[name], dice)
        wrong["version"] = "sha256:" + hashlib.sha256(wrong["content"]).hexdigest()
        check(read, msgpack.packb(wrong))


ANYTHING: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    1.5,
    b"",
    b"/**",
    b"\xff",
    "",
    "x",
    [],
    [0],
    [[]],
    {},
    {"a": 1},
    b"x" * 40_000,
)


@pytest.mark.parametrize("read", [from_msgpack, _by_matcher], ids=["baseline", "matcher"])
def test_wrong_types_in_well_formed_files(read: Callable[[bytes], Baseline]) -> None:
    dice, parts = random.Random(11), msgpack.unpackb(to_msgpack(full()))
    for _ in range(ROUNDS):
        wrong = dict(parts)
        name = dice.choice(("head", "content", "evidence"))
        inner = msgpack.unpackb(wrong[name])
        replace_one(inner, dice)
        wrong[name] = msgpack.packb(inner)
        wrong["version"] = "sha256:" + hashlib.sha256(wrong["content"]).hexdigest()
        check(read, msgpack.packb(wrong))


def replace_one(value: object, dice: random.Random) -> None:
    """Put something else in one place, at any depth."""
    while isinstance(value, (dict, list)) and value:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = dice.choice(places)
        inner = value[place]
        if not isinstance(inner, (dict, list)) or not inner or dice.random() < 0.2:
            value[place] = dice.choice(ANYTHING)
            return
        value = inner
