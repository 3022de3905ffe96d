"""What was revoked is remembered for good, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driftline.baseline.keeping import revoked
from driftline.baseline.keeping.revoked import DamagedError, Revoked, recall, remember, set_aside_damaged

ONE = Revoked("sha256:00+shop/w\x1bb", "sha256:11", "bad \x1b[31m")


def test_it_is_remembered_once_and_told_escaped(tmp_path: Path) -> None:
    assert recall(str(tmp_path)) == []
    assert [remember(str(tmp_path), ONE), remember(str(tmp_path), ONE._replace(reason="another"))] == [0, 0]
    assert recall(str(tmp_path)) == [ONE]
    assert revoked.reason_of([ONE], ONE.name, ONE.version) == "bad \\x1b[31m"
    assert revoked.reason_of([ONE], ONE.name, "sha256:22") is None
    assert revoked.reason_of([ONE._replace(reason="")], ONE.name, ONE.version) == "no reason was given"


def test_the_oldest_goes_first_and_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revoked, "MAX_REVOKED", 3)
    counted = [remember(str(tmp_path), ONE._replace(version=str(number))) for number in range(5)]
    assert counted == [0, 0, 0, 1, 1]
    assert [one.version for one in recall(str(tmp_path))] == ["2", "3", "4"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"format": "driftline.revoked/2", "revoked": []}',
        b'{"format": "driftline.revoked/1"}',
        b'{"format": "driftline.revoked/1", "revoked": [["a", "b"]]}',
        b'{"format": "driftline.revoked/1", "revoked": [["a", "b", 3]]}',
        b"[" * 100_000,
        json.dumps({"format": revoked.FORMAT, "revoked": [ONE]}).encode()[:-5],
    ],
)
def test_a_damaged_file_is_said_and_set_aside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / revoked.FILE
    path.write_bytes(data)
    with pytest.raises(DamagedError):
        recall(str(tmp_path))
    with pytest.raises(DamagedError):
        remember(str(tmp_path), ONE)
    assert path.read_bytes() == data, "nothing is written over it"
    assert set_aside_damaged(str(tmp_path))
    assert (tmp_path / "revoked.json.bad").read_bytes() == data
    assert not set_aside_damaged(str(tmp_path))
    assert remember(str(tmp_path), ONE) == 0
