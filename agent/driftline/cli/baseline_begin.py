"""``driftline baseline begin``: what an image is judged by from its first second, before its own baseline is learned.

In: an image, a starter baseline or that of another image. Out: a baseline that is learned with detection on, as after
an update of the image. Why not ``import``: a file made from another image may expect what this one never does, and know
nothing of its entrypoint. Next: ``baseline.carry``; the agent takes it when a container of the image starts.
"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from driftline.baseline.carry import carry, unconfirmed
from driftline.baseline.decisions import DecisionError
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import Author, Reason, checked_reason, label, numbered, open_store
from driftline.cli.baseline_diff import read_side
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.text import escape, plural

MAX_REFERENCE = 1_000
"""Characters of an image's name: registries take 255 of a repository, 128 of a tag."""

_IMAGE = re.compile(rf"(?P<name>[^@\s]{{1,{MAX_REFERENCE}}})@(?P<digest>sha256:[0-9a-f]{{64}})")


def begin(
    image: Annotated[str, typer.Argument(metavar="NAME@DIGEST", help="An image that never ran here.")],
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help="A baseline file, or an image that ran here.")],
    reason: Reason,
    author: Author = "",
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Begin an image's baseline with a starter (baselines/*.yaml), or with that of another image.

    The image is learned as ever, but with detection on: what is neither expected nor seen before is told with low
    severity until learning ends, as after an update of the image.
    """
    reason, store = checked_reason(reason), open_store(state_dir)
    name, digest = _named(image)
    given = read_side(store, baseline)
    if given.workload:
        raise DecisionError(f"{label(given)} is what a workload adds, not what an image does")
    new = carry(given, digest, name)
    with store.locked(new.name):
        if store.load_one(new.name) is not None:
            hint = "begin before an image's first run; `driftline baseline import` changes what is there"
            raise DecisionError(f"there is a baseline of {escape(new.name)} already", hint)
        new = store.commit(new, author_or_default(author), "begin", reason, escape(given.key))
    print(f"{label(new)} begins with {plural(len(new.entries), 'behaviour')} of {label(given)}: {numbered(new)}")
    if waiting := unconfirmed(new):
        print(f"{plural(waiting, 'behaviour')} unconfirmed: told with low severity until the image shows them")


def _named(image: str) -> tuple[str, str]:
    found = _IMAGE.fullmatch(image)
    if found is None:
        hint = "NAME@sha256: and 64 digits; `ctr images ls` and `crictl images --digests` show them"
        raise DecisionError(f"{escape(image[:MAX_REFERENCE])!r} does not name an image by its digest", hint)
    return found["name"], found["digest"]
