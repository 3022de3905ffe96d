"""``driftline baseline export``: a baseline as a file, for git, for other nodes and other tools.

In: an image, or a revision of one. Out: YAML, JSON or msgpack, from which ``import`` makes the same baseline; or a
policy of another tool, with what that cannot say. Next: the formats.
"""

from __future__ import annotations

import json as jsonlib
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.baseline.export.common import Exported, ExportError, Wanted
from driftline.baseline.export.formats import Policy
from driftline.baseline.export.formats import export as to_policy
from driftline.baseline.format.canonical import to_msgpack, version_of
from driftline.baseline.format.jsontext import to_json
from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.cli.baseline import label, numbered, open_store
from driftline.cli.baseline_diff import read_side
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.cli.stopping import until_nobody_reads
from driftline.errors import SignatureError, StateError
from driftline.text import escape

PROFILE_BYTES = 1 << 20
"""A seccomp profile is some 20 KiB; anything larger is another file."""

_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123


class Format(StrEnum):
    """What a baseline is written as."""

    YAML = "yaml"
    JSON = "json"
    MSGPACK = "msgpack"
    NETWORKPOLICY = "networkpolicy"
    SECCOMP = "seccomp"
    APPARMOR = "apparmor"
    FALCO = "falco"
    TETRAGON = "tetragon"
    KUBEARMOR = "kubearmor"


def export(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Image, revision (IMAGE@3), or a baseline file.")],
    format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.YAML,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
    ] = None,
    selector: Annotated[
        list[str] | None,
        typer.Option("--selector", "-l", metavar="KEY=VALUE", help="Label of the pods a policy is for. Repeatable."),
    ] = None,
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Namespace of a policy. Default: the workload's.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of a policy. Default: from image and digest.")] = "",
    seccomp_base: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Seccomp profile the runtime uses now; one replaces the other.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Of a policy: one JSON document with the policy and what it cannot say.")
    ] = False,
    signed: Annotated[
        bool, typer.Option("--signed", help="The baseline with its signatures, as it was signed (docs/signing.md).")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Write a baseline as a file that `import` reads (yaml, json, msgpack: nothing is lost), or as a policy of another
    tool, from what is allowed alone.

    What the other tool cannot express is said in the file's first lines, on standard error, and with --json.
    """
    store = open_store(state_dir)
    baseline = read_side(store, image)
    if signed:
        write(_signed(store, baseline), output)
        return
    if format in (Format.YAML, Format.JSON, Format.MSGPACK):
        write(encode(baseline, format), output)
        return
    wanted = Wanted(_labels(selector or []), _named(namespace), _named(name), _profile(seccomp_base))
    made = to_policy(baseline, Policy(format.value), wanted, _image_of(store, baseline))
    if json:
        report = _report(baseline, format, made) | ({} if output else {"document": made.text})
        if output:
            write(made.text.encode(), output)
        write((jsonlib.dumps(report) + "\n").encode(), None)
        return
    write(made.text.encode(), output)
    for gap in made.gaps:
        print(f"driftline baseline export: {gap.sentence}", file=sys.stderr)


def encode(baseline: Baseline, format: Format) -> bytes:
    """Return ``baseline`` in ``format``."""
    if format is Format.MSGPACK:
        return to_msgpack(baseline)
    return (to_yaml(baseline) if format is Format.YAML else to_json(baseline)).encode()


def write(data: bytes, output: Path | None) -> None:
    """Write to a file, None: to standard output. Raises StateError."""
    if output is None:
        with until_nobody_reads():
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        return
    try:
        output.write_bytes(data)  # in place: it may be a pipe or a device
    except OSError as error:
        raise StateError(f"{escape(str(output))} cannot be written: {error.strerror}") from error


def _signed(store: BaselineStore, baseline: Baseline) -> bytes:
    from driftline.cli.baseline_trust import signatures_of, signed_by  # 50 ms that other exports do not need

    data = signatures_of(store, baseline)
    if data is None or not signed_by(data, baseline, ()).ids:
        raise SignatureError(f"nobody signed {label(baseline)}, {numbered(baseline)}", "driftline baseline sign")
    return data


def _image_of(store: BaselineStore, baseline: Baseline) -> Baseline | None:
    """The image's own baseline, if ``baseline`` is what a workload adds to it."""
    if not baseline.workload:
        return None
    found = store.load_one(baseline.key)
    if isinstance(found, StateError):
        raise found
    if found is None:
        print(f"driftline baseline export: {label(baseline)}: without the image's own, not here", file=sys.stderr)
    return found


def _labels(given: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in given:
        key, sign, value = text.partition("=")
        if not (sign and _KEY.fullmatch(key) and _VALUE.fullmatch(value)):
            raise ExportError(f"--selector {escape(text)!r} is no label", "--selector app=web")
        pairs.append((key, value))
    return tuple(sorted(dict(pairs).items()))


def _named(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ExportError(f"{escape(text)!r} is no name", "lower case letters, digits and -, at most 63 (RFC 1123)")
    return text


def _profile(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    shown = escape(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(PROFILE_BYTES + 1)
        if len(data) > PROFILE_BYTES:
            raise ExportError(f"{shown} is larger than {PROFILE_BYTES} bytes: no seccomp profile")
        value = jsonlib.loads(data)
    except OSError as error:
        raise ExportError(f"{shown} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{shown} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ExportError(f"{shown} is no seccomp profile: it is no JSON object")
    return value


def _report(baseline: Baseline, format: Format, made: Exported) -> dict[str, Any]:
    gaps = [
        {"what": gap.what, "effect": gap.effect.value, "count": gap.count, "examples": list(gap.examples)}
        for gap in made.gaps
    ]
    return {"format": format.value, "name": escape(baseline.name), "baseline": version_of(baseline), "gaps": gaps}
