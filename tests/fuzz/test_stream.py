"""What comes from a disk, a network or a stranger, damaged in every way: only the documented errors come out."""

from __future__ import annotations

import os
import random
import shutil
import struct
import zlib
from pathlib import Path

import msgpack
import pytest
from google.protobuf.message import DecodeError

from driftline.cli import certs
from driftline.errors import RecordError, SettingsError, StateError
from driftline.report.frame import Entry, encode, scan
from driftline.report.inspection import inspect
from driftline.report.segment import Segment, segments_in
from driftline.report.spool import Item, Spool, SpoolOptions
from driftline.wire.convert import deviation_from_wire, deviation_to_wire
from driftline.wire.credentials import read_token
from driftline.wire.credentials_dates import validities
from driftline.wire.credentials_files import TlsPaths, read_tls_files
from driftline.wire.gen.driftline.v1 import collector_pb2 as pb
from driftline.wire.gen.driftline.v1 import deviation_pb2
from driftline.wire.jsontext import deviation_to_json
from driftline.wire.roles import Identity, Role, identity_uri, parse_identity
from driftline_collector.tokens import TokenFile, Tokens
from driftline_collector.validate import fault, understand
from fuzz.test_baselines import ANYTHING, damaged
from unit.wire import samples

ROUNDS = 1_500
FILE_ROUNDS = 150  # those that open a spool, or have OpenSSL look at files
MIB = 1024 * 1024


# --- the spool -------------------------------------------------------------------------------------------------------


def fill(directory: Path) -> dict[str, bytes]:
    """Write a spool of a few segments and a cursor; return the entries by id."""
    spool = Spool(SpoolOptions(directory, 64 * MIB, 7.0, "never", 100))
    items = [Item(i % 5, str(i), f"payload {i} ".encode() * (i % 40)) for i in range(400)]
    for begin in range(0, 400, 50):
        spool.append(items[begin : begin + 50])
        spool._seal()  # many small files instead of one of 2 MiB
    chunk = spool.read(40, MIB)
    assert chunk
    spool.acknowledge(chunk.first, chunk.last)
    spool.close()
    return {item.id: item.payload for item in items}


def spoil(directory: Path, dice: random.Random) -> None:
    """Do to a few files what broken disks, crashes and strangers do."""
    for _ in range(dice.randint(1, 4)):
        path = dice.choice(sorted(directory.iterdir()))
        match dice.randrange(7):
            case 0 | 1 | 2:
                path.write_bytes(damaged(path.read_bytes(), dice))
            case 3:
                os.truncate(path, dice.randrange(path.stat().st_size + 1))
            case 4:
                path.rename(directory / f"{dice.randrange(10**12):020}-{dice.getrandbits(32):08x}.spool")
            case 5:
                shutil.copy(path, directory / f"{dice.randrange(500):020}-{dice.getrandbits(32):08x}.spool")
            case _:
                path.write_bytes(dice.randbytes(dice.randrange(3_000)))


def drain(spool: Spool) -> list[Entry]:
    """Read everything there is, as often as there can be something."""
    entries = list[Entry]()
    for _ in range(2_000):
        if (chunk := spool.read(64, MIB)) is None:
            return entries
        assert chunk.first <= chunk.last
        entries += chunk.entries
        spool.acknowledge(chunk.first, chunk.last)
    raise AssertionError("reading never ends")


def test_a_damaged_spool(tmp_path: Path) -> None:
    """What is read was written, each sequence once and in order; all else is counted."""
    dice, original = random.Random(20261124), tmp_path / "original"
    written = fill(original)
    for turn in range(FILE_ROUNDS):
        directory = tmp_path / str(turn)
        shutil.copytree(original, directory)
        spoil(directory, dice)
        if turn % 10 == 0:  # it waits for what may be written at the moment
            assert all(sentence.isprintable() for sentence in inspect(directory).problems)
        try:
            spool = Spool(SpoolOptions(directory, 64 * MIB, 7.0, "never", 100))
        except StateError:
            continue
        entries = drain(spool)
        sequences = [entry.sequence for entry in entries]
        assert sequences == sorted(set(sequences))
        assert all(written[entry.id] == entry.payload for entry in entries)
        assert all(loss.count > 0 for loss in spool.losses())
        assert spool.unsent >= 0
        new = Item(3, "new", b"new")
        assert spool.append([new])[1] == 1
        assert [entry.id for entry in drain(spool)] == ["new"]
        spool.close()
        shutil.rmtree(directory)


def frame(body: bytes, salt: int) -> bytes:
    """Return ``body`` in a frame with the right checksum."""
    length = struct.pack("<I", len(body))
    checksum = zlib.crc32(body, zlib.crc32(length, salt))
    return b"\xff\x44\x53\x01" + length + struct.pack("<I", checksum) + body


def test_anything_behind_a_right_checksum(tmp_path: Path) -> None:
    """Whoever can write the file can compute checksums: it is an entry, or it is passed over."""
    dice, salt = random.Random(3), 7
    good = Entry(2**40, 3, 5, "id", b"payload")
    assert scan(frame(msgpack.packb(["x"]), salt) + encode(good, salt), salt).entries == [good]
    for turn in range(ROUNDS):
        parts = [dice.choice((*ANYTHING, 2**64 - 1, "id", b"payload")) for _ in range(dice.randrange(7))]
        body = msgpack.packb(parts) if turn % 3 else damaged(msgpack.packb([turn + 1, 3, 5, "id", b"x"]), dice)
        data = frame(body, salt) + encode(good, salt)
        found = scan(data, salt).entries
        assert found[-1] == good
        if turn % 10 == 0:
            directory = tmp_path / str(turn)
            directory.mkdir()
            (directory / f"{1:020}-{salt:08x}.spool").write_bytes(data)
            spool = Spool(SpoolOptions(directory, 64 * MIB, 7.0, "never", 100))
            assert good in drain(spool)
            spool.close()


def test_names_of_files_nobody_wrote(tmp_path: Path) -> None:
    dice = random.Random(5)
    for _ in range(ROUNDS):
        name = damaged(b"00000000000000000001-0a0b0c0d.spool", dice).replace(b"/", b"").replace(b"\0", b"")[:200]
        Segment.at(tmp_path / os.fsdecode(name or b"x"))
    assert segments_in(tmp_path) == []


# --- messages --------------------------------------------------------------------------------------------------------


def check_deviation(message: deviation_pb2.Deviation) -> bool:
    """Whether ``message`` was read. It is judged, read and shown, or refused with RecordError."""
    understand(message)
    assert fault(message, "node-a").isprintable()
    try:
        deviation = deviation_from_wire(message)
    except RecordError as error:
        complaint = str(error.args[0])
    else:
        deviation_to_json(deviation)
        assert deviation_from_wire(deviation_to_wire(deviation)) == deviation
        return True
    assert len(complaint) < 1_000
    return False


def full() -> bytes:
    """Return the bytes of a deviation with all its parts."""
    from collector.wire_v1 import present

    return deviation_to_wire(present(1)).SerializeToString()


def test_damaged_messages() -> None:
    dice, good, parsed, read = random.Random(20261125), full(), 0, 0
    for _ in range(4 * ROUNDS):
        try:
            message = deviation_pb2.Deviation.FromString(damaged(good, dice))
        except DecodeError:
            continue
        parsed += 1
        read += check_deviation(message)
    assert parsed > ROUNDS / 10
    assert read > 0


def test_any_bytes_as_messages() -> None:
    dice, kinds = random.Random(9), (deviation_pb2.Deviation, pb.ReportRequest, pb.ReportResponse, pb.TailResponse)
    for _ in range(ROUNDS):
        data = dice.randbytes(dice.randrange(200))
        for kind in kinds:
            try:
                message = kind.FromString(data)
            except DecodeError:
                continue
            if isinstance(message, deviation_pb2.Deviation):
                check_deviation(message)


HOSTILE_TEXTS = (
    "",
    "\\",
    "\\x",
    "\\xzz",
    "\\u{110000}",
    "\\u{d800}",
    "\\u{",
    "\\u{" + "9" * 500 + "}",
    "\0",
    "\x1b[2J",
    "\u202e",
    "x" * 70_000,
    "\\" * 9_999,
)


def replace_fields(message: object, dice: random.Random) -> None:
    """Put something hostile into some of a message's fields, at any depth."""
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if dice.random() < 0.8:
            continue
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                replace_fields(inner, dice)
        elif field.is_repeated:
            value.append(dice.choice(HOSTILE_TEXTS))
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, dice.choice(HOSTILE_TEXTS))
        elif field.type == field.TYPE_ENUM:
            setattr(message, field.name, dice.choice((-1, 0, 12, 2**31 - 1, -(2**31))))
        elif field.type in (field.TYPE_INT64,):
            setattr(message, field.name, dice.choice((-(2**63), -1, 0, 2**63 - 1)))


def test_hostile_values_in_well_formed_messages() -> None:
    dice, good, read = random.Random(13), full(), 0
    for _ in range(ROUNDS):
        message = deviation_pb2.Deviation.FromString(good)
        replace_fields(message, dice)
        read += check_deviation(message)
    assert 0 < read < ROUNDS


# --- tokens and certificates -----------------------------------------------------------------------------------------


def test_damaged_token_files(tmp_path: Path) -> None:
    dice, path, read = random.Random(17), tmp_path / "token", 0
    path.touch(0o600)
    for turn in range(ROUNDS):
        path.write_bytes(damaged(b"dlt_" + b"Ab1-" * 11, dice) if turn % 4 else dice.randbytes(dice.randrange(9_000)))
        token, complaint = "", ""
        try:
            token = read_token(str(path))
            read += 1
        except SettingsError as error:
            complaint = str(error)
        assert "Ab1-" not in complaint
        assert token.isascii()
        assert token.isprintable()
    assert 0 < read < ROUNDS


def test_a_damaged_store_of_tokens(tmp_path: Path) -> None:
    dice, tokens, refused = random.Random(19), TokenFile(tmp_path), 0
    secret = tokens.add("ann", Role.READER, 30)
    good = tokens.path.read_bytes()
    assert Tokens(tmp_path).find(secret)
    for _ in range(ROUNDS):
        tokens.path.write_bytes(damaged(good, dice))
        try:
            TokenFile(tmp_path).read()
        except StateError:
            refused += 1
        Tokens(tmp_path).find(secret)  # lets in or not, but never fails
    assert refused > ROUNDS / 3


def test_damaged_certificates_and_keys(tmp_path: Path) -> None:
    dice, refused = random.Random(23), 0
    certs.init(tmp_path / "pki")
    certs.issue(tmp_path / "pki", Role.AGENT, "n")
    good = TlsPaths(*(str(tmp_path / "pki" / name) for name in ("ca.pem", "agent-n.pem", "agent-n.key")))
    for _ in range(FILE_ROUNDS):
        field = dice.choice(TlsPaths._fields)
        spoiled = tmp_path / "spoiled"
        spoiled.touch(0o600)
        original = Path(getattr(good, field)).read_bytes()
        spoiled.write_bytes(damaged(original, dice) if dice.random() < 0.9 else dice.randbytes(dice.randrange(4_000)))
        complaint = ""
        try:
            read_tls_files(good._replace(**{field: str(spoiled)}))
        except SettingsError as error:
            complaint = str(error)
        refused += bool(complaint)
        assert original.split(b"\n")[1].decode() not in complaint
    assert refused > FILE_ROUNDS / 3
    assert read_tls_files(good).ends


def test_damaged_dates(tmp_path: Path) -> None:
    dice = random.Random(29)
    certs.init(tmp_path / "pki")
    pem = (tmp_path / "pki" / "ca.pem").read_bytes()
    for _ in range(ROUNDS):
        try:
            found = validities(damaged(pem, dice))
        except ValueError:
            continue
        assert all(one.begins and one.ends for one in found)


@pytest.mark.parametrize("seed", range(3))
def test_any_uri_as_an_identity(seed: int) -> None:
    dice = random.Random(seed)
    good = identity_uri(Identity(Role.AGENT, "node 1/a"))
    assert parse_identity(good)
    for _ in range(ROUNDS):
        found = parse_identity(damaged(good.encode(), dice).decode("utf-8", "replace"))
        assert found is None or found.name.isprintable()


def test_samples_are_read() -> None:
    assert check_deviation(deviation_to_wire(samples.deviation()))
