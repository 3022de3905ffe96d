"""What --store may say; no secret in it, and none in what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.errors import SettingsError
from driftline_collector.postgres import connect
from driftline_collector.store_address import PASSWORD_BYTES, parse_store

SECRET = "hunter2"


def test_nothing_means_sqlite() -> None:
    assert parse_store("") is None


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://driftline:{SECRET}@db/driftline",
        f"postgresql://:{SECRET}@db/driftline",
        f"postgres://driftline:{SECRET}%40@db:5432,db2:5433/driftline",
        f"postgresql://driftline@db/driftline?password={SECRET}",
        f"postgresql://driftline@db/driftline?sslmode=verify-full&sslpassword={SECRET}",
        f"postgresql://driftline@db/driftline?%70assword={SECRET}",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="holds a password") as refused:
        parse_store(url)
    assert SECRET not in str(refused.value)
    assert "--store-password-file" in refused.value.hint


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://db/{SECRET}",
        f"sqlite:///{SECRET}",
        f"/var/lib/{SECRET}",
        f"host=db password={SECRET}",
        f"postgresql:{SECRET}",
        f"postgresql://db/x?{SECRET}",
        f"postgresql://db/x#{SECRET}",
        f"postgresql://db/\0{SECRET}",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="--store is not") as refused:
        parse_store(url)
    assert SECRET not in str(refused.value)
    assert "postgresql://" in refused.value.hint


@pytest.mark.parametrize("url", [f"postgresql://[{SECRET}/db", f"postgresql://db/x?{SECRET}=1"])
def test_what_only_libpq_understands_to_be_wrong_is_not_repeated(url: str) -> None:
    address = parse_store(url)
    assert address is not None
    with pytest.raises(SettingsError, match="--store is not") as refused:
        connect(address)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "local", "warned"),
    [
        ("postgresql:///driftline", True, False),
        ("postgresql://driftline@/driftline?host=/run/postgresql", True, False),
        ("postgresql://localhost:5433/driftline?sslmode=disable", True, False),
        ("postgresql://127.0.0.1,[::1]:5433/driftline", True, False),
        ("postgresql://db.example/driftline", False, False),
        ("postgresql://localhost,db.example/driftline", False, False),
        ("postgresql://db.example/driftline?sslmode=verify-full", False, False),
        ("postgresql://db.example/driftline?sslmode=prefer", False, True),
        ("postgresql://localhost/driftline?host=db.example&sslmode=disable", False, True),
    ],
)
def test_plain_text_beyond_the_host_is_told(
    url: str, local: bool, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGSSLMODE", raising=False)
    address = parse_store(url)
    assert address is not None
    assert (address.local, bool(address.warnings)) == (local, warned)


def test_the_environment_counts_where_the_address_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGSSLMODE", "allow")
    address = parse_store("postgresql:///driftline")
    assert address is not None
    assert (address.local, address.name) == (False, "postgresql://db.example/driftline")
    assert address.warnings == ["PLAIN TEXT may travel to postgresql://db.example/driftline: sslmode=allow"]


def test_the_password_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    address = parse_store("postgresql:///driftline", file)
    assert address is not None
    for password in (SECRET, "a different one ä"):
        file.write_text(f"{password}\n")
        assert address.password() == password
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (SECRET.encode(), 0o644, "open to everybody"),
        (b"", 0o600, "must hold one line"),
        (f"{SECRET}\n{SECRET}\n".encode(), 0o600, "must hold one line"),
        (SECRET.encode() + b"\0", 0o600, "must hold one line"),
        (SECRET.encode() * PASSWORD_BYTES, 0o600, "must hold one line"),
        (SECRET.encode() + b"\xff", 0o600, "is not UTF-8"),
    ],
)
def test_a_bad_password_file_is_told_without_what_is_in_it(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(mode)
    address = parse_store("postgresql:///driftline", file)
    assert address is not None
    with pytest.raises(SettingsError, match=said) as refused:
        address.password()
    assert SECRET not in str(refused.value)


def test_a_password_file_without_a_store_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="without --store"):
        parse_store("", tmp_path / "password")
