"""``driftline baseline edit``: a baseline in a person's editor.

In: an image or a file. Out: a new revision with what the person changed; what the agent learned meanwhile is kept. Text
that is no baseline stays where it was written, and the error says where. Next: ``baseline.edited``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from driftline.baseline.diff import compare
from driftline.baseline.edited import apply_edit
from driftline.baseline.format.canonical import MAX_FILE
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.keeping.files import read_file
from driftline.baseline.schema import Baseline
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import Author, Reason, checked_reason, label, numbered
from driftline.cli.baseline_deciding import Deciding, ImageOrFile, Output, deciding
from driftline.cli.baseline_difftext import print_diff
from driftline.cli.main import complain
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.errors import DriftlineError, SettingsError, StateError

FALLBACK = "vi"


def edit(
    image: ImageOrFile,
    reason: Reason,
    author: Author = "",
    output: Output = None,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Open a baseline as YAML in $VISUAL or $EDITOR, and commit what was changed.

    A line taken out is rejected, unless a pattern covers it; a rejected line taken out is forgotten.
    """
    reason = checked_reason(reason)
    with deciding(image, output, state_dir) as (base, _commit_base, where):
        again = image if where else base.name  # the very one, whatever else fits by then
    text = to_yaml(base).encode()
    path = _write(text)
    while True:
        try:
            run_editor(path)
            with deciding(again, output, state_dir) as current:
                new = _commit(base, current, path, text, author_or_default(author), reason)
            break
        except DriftlineError as error:
            if not _again(error):
                _keep(error, path, text)
                raise
    shutil.rmtree(path.parent)
    print(f"{label(base)}: {numbered(new)}{where}" if new else "nothing changed")


def _write(text: bytes) -> Path:
    """Return a new file with ``text``, in a directory only we may read."""
    try:
        path = Path(tempfile.mkdtemp(prefix="driftline-edit-")) / "baseline.yaml"
        path.write_bytes(text)
    except OSError as error:
        raise StateError(
            f"no file to edit can be made: {error.strerror}", "set TMPDIR to a directory with room"
        ) from error
    return path


def run_editor(path: Path) -> None:
    """Let the person edit ``path``. Raises SettingsError if their editor cannot be run or fails."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or FALLBACK)
    try:
        done = subprocess.run([*command, str(path)], check=False)
    except OSError as error:
        raise SettingsError(f"{command[0]} cannot be run: {error.strerror}", "set EDITOR to your editor") from error
    if done.returncode != 0:
        raise SettingsError(f"{command[0]} ended with status {done.returncode}: nothing was changed")


def _commit(base: Baseline, current: Deciding, path: Path, text: bytes, author: str, reason: str) -> Baseline | None:
    """Commit what was changed; None if nothing was."""
    new_text = _read(path)
    if new_text == text:
        return None
    new = apply_edit(base, _parse(new_text), current.baseline)
    found = compare(current.baseline, new)
    print_diff(found)
    return None if found.same else current.commit(new, author, "edit", reason, "")


def _read(path: Path) -> bytes:
    try:
        return read_file(path, MAX_FILE)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StateError(f"this is no baseline: {error}") from error


def _parse(text: bytes) -> Baseline:
    try:
        return from_yaml(text.decode())
    except ValueError as error:
        raise StateError(f"this is no baseline: {error}") from error


def _again(error: DriftlineError) -> bool:
    """Whether the person at the terminal wants to mend it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    complain(error)
    return typer.confirm("edit it again?", default=True)


def _keep(error: DriftlineError, path: Path, text: bytes) -> None:
    """Say in ``error`` where the text is, if the person changed it; else remove it."""
    if path.exists() and path.read_bytes() == text:
        shutil.rmtree(path.parent)
        return
    where = f"your text is in {path}; mend it, and `driftline baseline import` it"
    error.hint = f"{error.hint}; {where}" if error.hint else where
