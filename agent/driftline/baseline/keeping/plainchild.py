"""``python -m driftline.baseline.keeping.plainchild STATE_DIR``: writes each ``baseline.yaml`` that is missing, ends.

In: the directories of learned baselines. Out: beside each, the same for people; the first trouble is one line on
standard error and the exit status. Why a child: text for 20 000 behaviours takes half a second, in which the agent
would read no ring. What is still learned has none: it changes all the time. Next: ``plain`` starts it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from driftline.baseline.format.canonical import MAX_FILE, from_msgpack, load_head
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping.files import read_file, replace_file, stamp_of, take_lock
from driftline.baseline.keeping.marks import directories
from driftline.baseline.keeping.store import MSGPACK, PERSON_LOCK_SECONDS, YAML
from driftline.baseline.schema import State
from driftline.errors import StateError

NICENESS = 10
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Write what is missing; return the exit status."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # there is nothing to clean up
    os.nice(NICENESS)
    troubles = write_missing(Path(sys.argv[1]) / "baselines")
    for trouble in troubles[:1]:
        print(trouble, file=sys.stderr)
    return StateError.exit_status if troubles else 0


def write_missing(root: Path) -> list[str]:
    """Write them below ``root``; return what went wrong. A baseline that is damaged is the agent's to tell."""
    troubles = []
    for name in directories(root):
        directory = root / name
        try:
            if not (directory / YAML).exists():
                _write(directory)
        except FileNotFoundError:
            continue  # removed meanwhile
        except OSError as error:
            troubles.append(f"cannot write {directory / YAML}: {error.strerror}")
        except ValueError:
            continue
    return troubles


def _write(directory: Path) -> None:
    """Write one, unless somebody changes the baseline meanwhile: that is another one's to be written."""
    path = directory / MSGPACK
    stamp, data = stamp_of(path), read_file(path, MAX_FILE)
    if load_head(data)[0].state is State.LEARNING:
        return
    text = to_yaml(from_msgpack(data)).encode()
    lock = take_lock(directory, PERSON_LOCK_SECONDS)
    try:
        if stamp_of(path) == stamp and not (directory / YAML).exists():
            replace_file(directory / YAML, text)
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
