"""What is decided about: a baseline of this node, or a file under review, as a team keeps it in git.

In: an image or a file. Out: the baseline, and how to commit what a person made of it: a new revision in the node's
store, or the file written anew in its own format, all of it or nothing. Why the same numbers in a file: who reviews the
next change sees by revision and parent what it follows. Next: ``baseline_decide``, ``_life``, ``_edit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from driftline.baseline.format.canonical import version_of
from driftline.baseline.keeping.files import replace_file
from driftline.baseline.keeping.store import made_by
from driftline.baseline.schema import Baseline, State, with_review
from driftline.baseline.signing.files import is_envelope
from driftline.cli.baseline import IMAGE_HELP, changing, open_store
from driftline.cli.baseline_export import Format, encode
from driftline.cli.baselinefile import is_binary, is_json, read_bytes, read_with_bytes
from driftline.errors import SettingsError, SignatureError, StateError
from driftline.text import escape

ImageOrFile = Annotated[str, typer.Argument(metavar="IMAGE", help=f"{IMAGE_HELP} Or a baseline file.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Of a file: write here, and leave it as it is.")
]

Commit = Callable[[Baseline, str, str, str, str], Baseline]
"""Takes the new baseline, author, action, reason and what it was about; returns it with number, parent and review."""


class Deciding(NamedTuple):
    """A baseline to decide about. ``where``: what to say of where it is written, "" in the node's store."""

    baseline: Baseline
    commit: Commit
    where: str = ""


@contextmanager
def deciding(image: str, output: Path | None, state_dir: Path) -> Iterator[Deciding]:
    """The baseline ``image`` means; of this node, nobody else can change it meanwhile."""
    path = Path(image)
    if path.is_file():
        yield _of_file(path, output)
        return
    if output is not None:
        raise SettingsError("--output is for files", "`driftline baseline export` writes a baseline of this node")
    store = open_store(state_dir)
    with changing(store, image) as baseline:
        yield Deciding(baseline, store.commit)


def _of_file(path: Path, output: Path | None) -> Deciding:
    baseline, data = read_with_bytes(path)
    if is_envelope(data) and output is None:
        hint = "decide about the baseline's own file, and sign that; or --output FILE, and sign it"
        raise SignatureError(f"{escape(str(path))} is signed, and a decision makes another revision", hint)
    target = (output or path).resolve()
    if target.exists() and not target.is_file():
        raise SettingsError(f"{escape(str(target))} is no file", "-o names another one")

    def commit(new: Baseline, author: str, action: str, reason: str, what: str) -> Baseline:
        made = _numbered(baseline, with_review(new, made_by(author, action, reason, what)))
        if read_bytes(path) != data:
            raise StateError(f"{escape(str(path))} was changed meanwhile", "look at it again, and try again")
        try:
            replace_file(target, encode(made, _format_of(data)), alike=path.resolve())
        except OSError as error:
            raise StateError(f"{escape(str(target))} cannot be written: {error.strerror}") from error
        return made

    return Deciding(baseline, commit, f", in {escape(str(output or path))}")


def _numbered(before: Baseline, new: Baseline) -> Baseline:
    """The revision after ``before``, as ``store.commit`` counts."""
    if new.state is State.LEARNING:
        return new
    parent = version_of(before) if before.revision else before.parent
    return replace(new, revision=before.revision + 1, parent=parent)


def _format_of(data: bytes) -> Format:
    if is_binary(data):
        return Format.MSGPACK
    return Format.JSON if is_json(data) and not is_envelope(data) else Format.YAML
