"""``driftline sbom in-use``: which packages of an image ran, which never did.

In: a baseline, perhaps the image's root directory. Out: a table, JSON, CycloneDX with properties, or OpenVEX statements
for findings of a scanner. Next: ``inuse_cyclonedx``, ``inuse_openvex``.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.baseline.format.canonical import version_of
from driftline.baseline.inventory.child import limit_memory
from driftline.baseline.inventory.making import make
from driftline.baseline.inventory.sbom import read_sbom
from driftline.baseline.observed import Observation, Seen, Use, counts, observe
from driftline.baseline.packages import fill
from driftline.baseline.schema import Baseline
from driftline.cli.baseline import NS, day, label, open_store
from driftline.cli.baseline_diff import read_side
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import SettingsError
from driftline.text import escape, plural

LISTED = 1_000
"""Lines printed of packages in use; the other formats have all."""


class Format(StrEnum):
    """How to print it."""

    TABLE = "table"
    JSON = "json"
    CYCLONEDX = "cyclonedx"
    OPENVEX = "openvex"


def in_use(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Image, revision (IMAGE@3), or a baseline file.")],
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    unseen: Annotated[bool, typer.Option("--unseen", help="In the table, also list packages never seen.")] = False,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The image's root directory: whose file is whose.")
    ] = None,
    sbom: Annotated[Path | None, typer.Option(metavar="FILE", help="With --root: the image's SBOM.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="OpenVEX: findings of Grype or Trivy, as JSON.")
    ] = None,
    vulnerability: Annotated[str, typer.Option(metavar="ID", help="OpenVEX: one vulnerability, with --package.")] = "",
    package: Annotated[str, typer.Option(metavar="PURL", help="OpenVEX: the package it is in.")] = "",
    author: Annotated[str, typer.Option(metavar="NAME", help="OpenVEX: who says so.")] = "driftline sbom in-use",
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Show which packages of an image were executed, loaded or read at run time, and which were not seen.

    Not seen is no proof: the table says how long was looked, in how many containers, and what was missed. OpenVEX
    statements are candidates for a person to decide, always under_investigation.
    """
    observation = observe(_baseline(read_side(open_store(state_dir), image), root, sbom))
    if format is not Format.OPENVEX and (report or vulnerability or package):
        raise SettingsError("--report, --vulnerability and --package are for --format openvex")
    with until_nobody_reads():
        if format is Format.OPENVEX:
            from driftline.cli.inuse_openvex import findings, to_openvex

            print(to_openvex(observation, findings(report, vulnerability, package), author))
        elif format is Format.CYCLONEDX:
            from driftline.cli.inuse_cyclonedx import to_cyclonedx

            print(to_cyclonedx(observation))
        elif format is Format.JSON:
            print(jsonlib.dumps(to_json(observation)))
        else:
            for line in _table(observation, unseen):
                print(line)


def _baseline(baseline: Baseline, root: Path | None, sbom: Path | None) -> Baseline:
    """The baseline, with packages from the image's root directory if one is given."""
    if root is None:
        if sbom is not None:
            raise SettingsError("an SBOM alone does not say whose file is whose", "--root DIR, with --sbom or without")
        return baseline
    limit_memory()
    known = replace(baseline, entries={each: replace(entry) for each, entry in baseline.entries.items()})
    fill(known, make(root, read_sbom(sbom) if sbom else None).inventory)
    return known


def window(observation: Observation) -> dict[str, Any]:
    """What was looked at, as plain values."""
    baseline = observation.baseline
    return {
        "seconds": baseline.elapsed_ns // NS,
        "containers": len(baseline.containers),
        "startups": baseline.startups,
        "first_seen": day(observation.first_ns) if observation.first_ns else "",
        "last_seen": day(observation.last_ns) if observation.last_ns else "",
        "complete": not baseline.reasons,
        "partial": [escape(reason) for reason in baseline.reasons],
    }


def to_json(observation: Observation) -> dict[str, Any]:
    """Everything as plain values; text is escaped."""
    baseline = observation.baseline
    return {
        "image": escape(baseline.image),
        "key": escape(baseline.key),
        "baseline": version_of(baseline),
        "state": baseline.state.value,
        "window": window(observation),
        "packages": [_use_to_json(use) for use in observation.uses],
    }


def _use_to_json(use: Use) -> dict[str, Any]:
    return {
        "package": escape(use.package),
        "seen": use.seen.value,
        "executed": use.executed,
        "loaded": use.loaded,
        "read": use.read,
        "carried": use.carried,
        "containers": len(use.containers),
        "first_seen": day(use.first_ns) if use.first_ns else "",
        "last_seen": day(use.last_ns) if use.last_ns else "",
    }


def _table(observation: Observation, unseen: bool) -> Iterator[str]:
    baseline, found = observation.baseline, counts(observation.uses)
    total = plural(len(observation.uses), "package")
    yield f"{label(baseline)}: {found[Seen.IN_USE]} of {total} seen in use, {found[Seen.UNSEEN]} not seen"
    yield f"window    {_window(observation)}"
    if baseline.reasons:
        yield f"partial   {', '.join(map(escape, baseline.reasons))}: what was missed may use more"
    if found[Seen.BEFORE]:
        yield f"carried   {found[Seen.BEFORE]} were seen in the image before this one, not yet in this one"
    rows = [use for use in observation.uses if use.seen is not Seen.UNSEEN or unseen]
    if rows:
        yield ""
        yield f"{'EXECUTED':>8} {'LOADED':>6} {'READ':>6}  {'LAST SEEN':16}  PACKAGE"
    for use in rows[:LISTED]:
        last = day(use.last_ns) if use.last_ns else "before" if use.carried else "not seen"
        yield f"{use.executed:8} {use.loaded:6} {use.read:6}  {last:16}  {escape(use.package)}"
    if len(rows) > LISTED:
        yield f"and {len(rows) - LISTED} more (--format json has all)"
    yield ""
    yield "Files, each counted once. Not seen is no proof that a package is not used."


def _window(observation: Observation) -> str:
    looked = window(observation)
    where = f"{plural(looked['containers'], 'container')}, {plural(looked['startups'], 'complete start-up')}"
    when = f", {looked['first_seen']} to {looked['last_seen']} UTC" if observation.last_ns else ""
    return f"{looked['seconds']} s of running time in {where}{when}"
