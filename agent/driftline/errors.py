"""Errors that cross a border of the package. Each says what happened and what to try.

In: nothing. Out: exception types; ``TransientError`` may succeed if tried again, ``PermanentError`` will not.
The CLI catches ``DriftlineError`` once and prints ``str(error)``; anything else is a bug and shows its traceback.
"""

from __future__ import annotations


class DriftlineError(Exception):
    """Base of every error a user may see. ``hint`` says what to try; ``exit_status`` is the process's exit status."""

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  try: {self.hint}" if self.hint else message


class TransientError(DriftlineError):
    """May succeed if tried again."""


class PermanentError(DriftlineError):
    """Will not succeed until something is changed."""


class SettingsError(PermanentError):
    """A setting is missing, malformed or out of range."""

    exit_status = 2


class HostError(PermanentError):
    """This host cannot run the sensor (kernel, capability, missing package)."""

    exit_status = 3


class RecordError(PermanentError):
    """Bytes that are not a record of this ABI: a capture from another version, or truncated."""

    exit_status = 4


class StateError(PermanentError):
    """The state directory cannot be read or written, or holds something malformed."""

    exit_status = 5


class CollectorError(TransientError):
    """The collector cannot be reached or refused us."""

    exit_status = 6


class AccessError(PermanentError):
    """The collector does not let us do this: certificate, token or role."""

    exit_status = 8


class EngineError(TransientError):
    """A container engine did not answer or answered nonsense."""

    exit_status = 7


class SignatureError(PermanentError):
    """A signature, or the key for one, is missing, wrong or not trusted."""

    exit_status = 9
