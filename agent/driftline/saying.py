"""What the agent says to its operator, on standard error.

In: sentences, errors. Out: lines. Why once: a disk that is full fails every few seconds, and each line more hides the
others. Next: ``lifecycle``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

MAX_COMPLAINTS = 256
"""Sentences remembered so as not to repeat them; beyond it no new one is said."""


def say(sentence: str) -> None:
    """One line for the operator."""
    print(f"driftline agent: {sentence}", file=sys.stderr, flush=True)


def attempt(step: Callable[[], object]) -> None:
    """Do ``step``; say why it failed, for the agent is stopping and there is nobody else to tell."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - the steps after it must be done
        say(f"while stopping: {type(error).__name__}: {error}")


class Complaints:
    """Troubles, each said once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, errors: Iterable[Exception]) -> None:
        """Say those that were not said before."""
        for error in errors:
            sentence = str(error)
            if sentence not in self._said and len(self._said) < MAX_COMPLAINTS:
                self._said.add(sentence)
                say(sentence)
