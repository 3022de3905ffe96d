"""``driftline baseline show``: one baseline, so that a person can review it in ten minutes.

In: an image. Out: text (what needs review first, what packages explain in one line each), JSON with ids to decide by,
or the YAML of ``export``. Reads only. Next: ``approve``, ``reject``, ``promote``.
"""

from __future__ import annotations

import json as jsonlib
import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from driftline.baseline.format.canonical import version_of
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline, Entry, Standing, fields_of, ordered, section_of
from driftline.baseline.wording import ID_DIGITS, id_of, text_of
from driftline.cli.baseline import Json, is_complete, open_store
from driftline.cli.baseline_diff import read_side
from driftline.cli.baseline_text import SECTIONS, Wanted, lines
from driftline.cli.baseline_trust import described, signatures_of, signed_by, signed_json, trusted
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import SettingsError
from driftline.nouns import Behaviour
from driftline.text import escape
from driftline.verdict.checks.table import CHECKS
from driftline.wire.jsontext import wall_time


class Section(StrEnum):
    """What a behaviour is about."""

    EXEC = "exec"
    OPEN = "open"
    LOAD = "load"
    CONNECT = "connect"


def show(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Image, digest, revision (IMAGE@3), or a file.")],
    needs_review: Annotated[bool, typer.Option("--needs-review", help="Only what waits for a person.")] = False,
    section: Annotated[
        Section | None, typer.Option(help="Only exec, open, load or connect, each behaviour on its own line.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each behaviour on its own line.")] = False,
    state_dir: StateDir = DEFAULT_STATE,
    json: Json = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="The whole baseline as YAML.")] = False,
) -> None:
    """Show a baseline for review: what needs a decision first, then what is expected, grouped."""
    if yaml and (json or needs_review or section or everything):
        raise SettingsError("--yaml writes the whole baseline", "leave the other options away")
    store = open_store(state_dir)
    baseline = read_side(store, image)
    keys = trusted(None, None, state_dir)
    signed = signed_by(signatures_of(store, baseline, image), baseline, keys)
    now_ns = time.time_ns()
    wanted = Wanted(needs_review, section.value if section else "", everything)
    with until_nobody_reads():
        if yaml:
            print(to_yaml(baseline), end="")
        elif json:
            print(jsonlib.dumps(as_json(baseline, wanted) | {"signed": signed_json(signed)}))
        else:
            for text, bold in lines(baseline, wanted, now_ns, described(signed, bool(keys), now_ns)):
                typer.secho(text, bold=bold)


def as_json(baseline: Baseline, wanted: Wanted) -> dict[str, Any]:
    """Return ``baseline`` with the behaviours ``wanted``, as plain values."""
    sections = ordered(each for each, entry in baseline.entries.items() if wanted.includes(each, entry))
    return {
        "name": escape(baseline.name),
        "key": escape(baseline.key),
        "workload": escape(baseline.workload),
        "image": escape(baseline.image),
        "version": version_of(baseline),
        "state": baseline.state.value,
        "revision": baseline.revision,
        "parent": escape(baseline.parent),
        "predecessor": escape(baseline.predecessor),
        "complete": is_complete(baseline),
        "reasons": list(map(escape, baseline.reasons)),
        "startups": baseline.startups,
        "elapsed_ns": baseline.elapsed_ns,
        "quiet_ns": baseline.quiet_ns,
        "containers": sorted(map(escape, baseline.containers)),
        "packages": len(baseline.packages),
        "excuses": [
            {"check": escape(one.check), "reason": escape(one.reason), "author": escape(one.author)}
            | {"expires": wall_time(one.expires_ns) if one.expires_ns else None}
            for one in baseline.excuses
        ],
        "behaviours": [_behaviour(each, baseline.entries[each]) for name in SECTIONS for each in sections[name]],
    }


def _behaviour(behaviour: Behaviour, entry: Entry) -> dict[str, Any]:
    values = zip(type(behaviour).__slots__, fields_of(behaviour), strict=True)
    return {
        "id": id_of(behaviour)[:ID_DIGITS],
        "section": section_of(behaviour),
        "text": text_of(behaviour),
        **{name: escape(value) if isinstance(value, str) else value for name, value in values},
        "standing": entry.standing.value,
        "checks": [{"id": escape(one), "title": CHECKS[one].title if one in CHECKS else ""} for one in entry.checks],
        "source": escape(entry.source),
        "package": escape(entry.package),
        "examples": list(map(escape, entry.examples)),
        "first": wall_time(entry.first_ns) if entry.first_ns else None,
        "last": wall_time(entry.last_ns) if entry.last_ns else None,
        "count": entry.count,
        "containers": len(entry.containers),
        "expected": entry.standing in {Standing.ALLOWED, Standing.UNCONFIRMED},
    }
