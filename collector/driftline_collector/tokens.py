"""Bearer tokens of readers.

In: names and roles; a token that somebody shows. Out: a new token, once; whose a token is. Kept in the state directory
as one JSON object per line, with the SHA-256 of each token only. Why not a slow hash: a token is 256 random bits, which
nobody can guess whatever a guess costs; scrypt would only make every call dear, the refused ones most of all. Why not
the database: it has one writer, the collector, and a token must be removable beside it. Next: ``access`` asks.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from driftline.errors import SettingsError, StateError
from driftline.text import escape
from driftline.wire.roles import READERS, Role, checked_name

FILE = "tokens.jsonl"
TOKENS = 1000
"""Most tokens: one per person and program of a large company; at 200 bytes each the file stays under FILE_BYTES."""
FILE_BYTES = 1024 * 1024
TOKEN_BYTES = 32
"""Random bytes in a token: 256 bits, which makes guessing hopeless without any rate limit."""
PREFIX = "dlt_"
"""Lets scanners for secrets find a token that was committed by mistake."""
DAY_SECONDS = 86_400

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: whose it is, its digest, Unix times in seconds. ``expires`` is 0 if it never does."""

    name: str
    role: str
    sha256: str
    created: int
    expires: int

    def valid(self, now: float) -> bool:
        """Whether it has not expired."""
        return not self.expires or now < self.expires


def digest(token: str) -> str:
    """Return what is kept of ``token``."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class TokenFile:
    """The tokens of the collector with this state directory. Methods raise StateError if the disk or file is bad."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.path = state / FILE

    def read(self) -> dict[str, Token]:
        """Return the tokens by digest."""
        try:
            with self.path.open("rb") as file:
                data = file.read(FILE_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StateError(f"{escape(str(self.path))} cannot be read: {error.strerror}") from error
        try:
            tokens = [_parse(line) for line in data.splitlines()]
        except (ValueError, TypeError, KeyError):
            tokens = None
        if tokens is None or len(data) > FILE_BYTES or len(tokens) > TOKENS:
            message = f"{escape(str(self.path))} is damaged: no token is accepted"
            raise StateError(message, "remove it and make new tokens")
        return {token.sha256: token for token in tokens}

    def add(self, name: str, role: Role, days: int) -> str:
        """Keep a new token and return it, which nobody can do again. ``days`` 0: it never expires."""
        if role not in READERS:
            raise SettingsError(f"a token cannot have the role {role}", f"one of {', '.join(sorted(READERS))}")
        checked_name(name)
        secret, now = PREFIX + secrets.token_urlsafe(TOKEN_BYTES), int(time.time())
        with self._locked():
            tokens = self.read()
            if any(token.name == name for token in tokens.values()):
                raise SettingsError(
                    f"there is a token called '{name}' already", "remove it first, or choose another name"
                )
            if len(tokens) >= TOKENS:
                raise SettingsError(f"there are {TOKENS} tokens already", "driftline collector tokens remove NAME")
            token = Token(name, str(role), digest(secret), now, now + days * DAY_SECONDS if days else 0)
            self._write([*tokens.values(), token])
        return secret

    def remove(self, name: str) -> None:
        """Forget the token called ``name``. Raises SettingsError if there is none."""
        with self._locked():
            tokens = list(self.read().values())
            left = [token for token in tokens if token.name != name]
            if len(left) == len(tokens):
                raise SettingsError(f"no token is called '{escape(name)}'", "driftline collector tokens list")
            self._write(left)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time. The directory itself is the lock: it is always there."""
        try:
            self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StateError(f"{escape(str(self._state))} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, tokens: list[Token]) -> None:
        text = "".join(f"{json.dumps(asdict(token), sort_keys=True)}\n" for token in tokens)
        temporary = self.path.with_suffix(".new")
        try:
            temporary.unlink(missing_ok=True)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                self._give_to_collector(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise StateError(f"{escape(str(self.path))} cannot be written: {error.strerror}") from error

    def _give_to_collector(self, descriptor: int) -> None:
        """Root types the command; the collector, which may be another user, must be able to read the file."""
        owner = self._state.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _parse(line: bytes) -> Token:
    values = json.loads(line)
    token = Token(**values)
    texts = (token.name, token.role, token.sha256)
    if not all(isinstance(text, str) for text in texts) or token.role not in {str(role) for role in READERS}:
        raise ValueError("not a token")
    if not (isinstance(token.created, int) and isinstance(token.expires, int) and len(token.sha256) == 64):
        raise ValueError("not a token")
    return token


class Tokens:
    """The tokens as the running collector knows them: read again when the file changes.

    A file that cannot be read any more lets nobody in: a removed token must not live on because of it.
    """

    def __init__(self, state: Path) -> None:
        self._file = TokenFile(state)
        self._stamp: tuple[int, ...] = ()
        self._tokens: dict[str, Token] = {}

    def find(self, secret: str) -> Token | None:
        """Return the token with this secret, None if there is none or it has expired."""
        return self.still(digest(secret))

    def still(self, sha256: str) -> Token | None:
        """Return the token with this digest, None if it was removed or has expired."""
        self._refresh()
        token = self._tokens.get(sha256)
        return token if token is not None and token.valid(time.time()) else None

    def _refresh(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = self._file.read()
        except StateError as error:
            self._tokens = {}
            _log.warning("%s", error.args[0])

    def _stamp_now(self) -> tuple[int, ...]:
        try:
            found = self._file.path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size
