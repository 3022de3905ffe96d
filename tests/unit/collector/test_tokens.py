"""Tokens: kept as hashes, found by secret, gone when removed, expired or unreadable."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from driftline.errors import SettingsError, StateError
from driftline.wire.roles import Role
from driftline_collector import access_limits, tokens
from driftline_collector.access_limits import Limit
from driftline_collector.tokens import TokenFile, Tokens


def test_a_token_is_found_by_its_secret_and_kept_as_a_hash(tmp_path: Path) -> None:
    file = TokenFile(tmp_path)
    secret = file.add("ann", Role.READER, 1)
    assert len(secret) >= 43 + len(tokens.PREFIX)
    assert secret != TokenFile(tmp_path).add("bob", Role.ADMIN, 0)
    known = Tokens(tmp_path)
    found = known.find(secret)
    assert found is not None
    assert (found.name, found.role) == ("ann", "reader")
    assert known.find(secret[:-1]) is None
    assert known.find("") is None
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_removal_and_expiry_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, known = TokenFile(tmp_path), Tokens(tmp_path)
    day, ever = file.add("day", Role.READER, 1), file.add("ever", Role.READER, 0)
    assert known.find(day)
    later = time.time() + 2 * tokens.DAY_SECONDS
    with monkeypatch.context() as patch:
        patch.setattr("driftline_collector.tokens.time.time", lambda: later)
        assert known.find(day) is None
        assert known.find(ever)
    file.remove("ever")
    assert known.find(ever) is None
    assert known.find(day)
    file.path.unlink()
    assert known.find(day) is None


@pytest.mark.parametrize("damage", [b"{", b"[]\n", b'{"name": "x"}\n', b"\xff\n", b"x" * (tokens.FILE_BYTES + 2)])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    file, known = TokenFile(tmp_path), Tokens(tmp_path)
    secret = file.add("ann", Role.READER, 1)
    assert known.find(secret)
    file.path.write_bytes(file.path.read_bytes() + damage)
    assert known.find(secret) is None
    assert known.find(secret) is None
    assert caplog.text.count("is damaged: no token is accepted") == 1
    with pytest.raises(StateError, match="is damaged"):
        file.read()


def test_a_role_written_by_hand_that_no_token_may_have(tmp_path: Path) -> None:
    file = TokenFile(tmp_path)
    secret = file.add("ann", Role.READER, 1)
    file.path.write_text(file.path.read_text().replace('"reader"', '"agent"'))
    assert Tokens(tmp_path).find(secret) is None


def test_what_cannot_be_added_or_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = TokenFile(tmp_path)
    file.add("ann", Role.READER, 1)
    monkeypatch.setattr(tokens, "TOKENS", 2)
    file.add("second", Role.READER, 1)
    for name, role, message in (
        ("ann", Role.READER, "called 'ann' already"),
        ("bob", Role.AGENT, "cannot have the role agent"),
        ("x\x1b", Role.READER, "is no name"),
        ("bob", Role.READER, "there are 2 tokens already"),
    ):
        with pytest.raises(SettingsError, match=message):
            file.add(name, role, 1)
    with pytest.raises(SettingsError, match="no token is called 'bob'"):
        file.remove("bob")
    assert {token.name for token in file.read().values()} == {"ann", "second"}


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    threads = [threading.Thread(target=TokenFile(tmp_path).add, args=(f"t{i}", Role.READER, 1)) for i in range(13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TokenFile(tmp_path).read()) == 13


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_leaves_the_file_to_the_collector(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    TokenFile(tmp_path).add("ann", Role.READER, 1)
    assert (tmp_path / tokens.FILE).stat().st_uid == 12345


def test_a_limit_fills_again_and_is_per_key() -> None:
    limit = Limit(rate=2.0, burst=3)
    assert [limit.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.take("b", 0.0)
    assert [limit.take("a", 0.6) for _ in range(2)] == [True, False]
    assert [limit.take("a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_the_table_of_limits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_limits, "PEERS", 2)
    limit = Limit(rate=0.0, burst=1)
    assert all(limit.take(key, 0.0) for key in "abc")
    assert limit.forgotten == 1
    assert [limit.take(key, 0.0) for key in "cba"] == [False, False, True]
