"""Packages in use as OpenVEX 0.2: for each finding of a scanner, what was seen of the package at run time.

In: an observation, findings. Out: one document; every statement is ``under_investigation``, and its notes say whether
the package is a candidate for ``not_affected``. Why never more: not having seen a package run is no proof that its
vulnerable code cannot; a VEX consumer hides what is called not affected. Format: github.com/openvex/spec, 0.2.0.
Next: a person.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from driftline.baseline.carry import repository
from driftline.baseline.format.canonical import version_of
from driftline.baseline.inventory.purl import parse
from driftline.baseline.observed import Observation, Seen, Use
from driftline.cli.baseline import NS, day
from driftline.errors import SettingsError, StateError
from driftline.text import escape, plural

REPORT_BYTES = 256 << 20
"""A scanner's report on the largest images has some 100 MB."""
MAX_FINDINGS = 50_000
"""Findings of one report; beyond it the file is something else."""
CONTEXT = "https://openvex.dev/ns/v0.2.0"


class Finding(NamedTuple):
    """A scanner's word: this package has this vulnerability."""

    vulnerability: str
    purl: str


def findings(report: Path | None, vulnerability: str, package: str) -> list[Finding]:
    """Return what statements are wanted of, sorted, each once. Raises SettingsError, StateError."""
    if report is not None and not (vulnerability or package):
        return sorted(set(_read(report)))
    if report is None and vulnerability and parse(package):
        return [Finding(vulnerability, package)]
    raise SettingsError(
        "OpenVEX is about vulnerabilities, and none is known here",
        "--report FILE (grype -o json, trivy -f json), or --vulnerability CVE-2024-1 --package pkg:deb/debian/curl@8",
    )


def to_openvex(observation: Observation, wanted: list[Finding], author: str) -> str:
    """Return the document. Raises StateError if no finding is about a package of the image."""
    statements = [one for finding in wanted if (one := _statement(observation, finding))]
    if left := len(wanted) - len(statements):
        what = f"{plural(left, 'finding')} of packages this image is not known to have"
        print(f"driftline sbom in-use: no statement: {what}", file=sys.stderr)
    if not statements:
        raise StateError("no finding is about a package of this image", "`--format json` lists its packages")
    document = {
        "@context": CONTEXT,
        "author": author,
        "timestamp": _now(),
        "version": 1,
        "tooling": "driftline sbom in-use",
        "statements": statements,
    }
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([version_of(observation.baseline), document], sort_keys=True))
    return json.dumps({"@context": CONTEXT, "@id": f"urn:uuid:{name}", **document}, indent=2)


def _statement(observation: Observation, finding: Finding) -> dict[str, Any] | None:
    uses = observation.of(finding.purl)
    if not uses:
        return None
    return {
        "vulnerability": {"name": escape(finding.vulnerability)},
        "products": [{"@id": _product(observation), "subcomponents": [{"@id": _iri(finding.purl)}]}],
        "status": "under_investigation",
        "status_notes": _notes(observation, uses),
    }


def _notes(observation: Observation, uses: list[Use]) -> str:
    seen = {use.seen for use in uses}
    if Seen.IN_USE in seen:
        files = [sum(getattr(use, kind) for use in uses) for kind in ("executed", "loaded", "read")]
        last = day(max(use.last_ns for use in uses))
        counted = f"{files[0]} of its files executed, {files[1]} loaded, {files[2]} opened, last on {last} UTC"
        return f"The package is in use: {counted}. Whether the vulnerable code ran is not known. {_looked(observation)}"
    if Seen.BEFORE in seen:
        return f"The package was in use in the image before this one; in this one not yet seen. {_looked(observation)}"
    if observation.baseline.reasons:
        why = ", ".join(map(escape, observation.baseline.reasons))
        return f"Not seen in use, but no candidate: the observation is partial ({why}). {_looked(observation)}"
    return (
        "Candidate for not_affected, vulnerable_code_not_in_execute_path: no file of the package was seen executed, "
        f"loaded or opened. {_looked(observation)} What was not seen may still be used: a person must decide."
    )


def _looked(observation: Observation) -> str:
    baseline = observation.baseline
    where = f"{plural(len(baseline.containers), 'container')}, {plural(baseline.startups, 'complete start-up')}"
    return f"Observed: {baseline.elapsed_ns // NS} s of running time in {where}, baseline {version_of(baseline)}."


def _product(observation: Observation) -> str:
    """The image as a purl of type oci, or as a name of our own if it has no digest."""
    baseline = observation.baseline
    name = repository(baseline.image).rpartition("/")[2].lower()
    if not name or not baseline.key.startswith("sha256:"):
        return f"urn:driftline:{_quoted(baseline.key)}"
    return f"pkg:oci/{_quoted(name)}@{_quoted(baseline.key)}"


def _iri(purl: str) -> str:
    """``purl`` with what no IRI may hold percent-encoded."""
    return quote(purl.encode("utf-8", "surrogateescape"), safe="%:/@?=&#+~")


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def _now() -> str:
    """Now, or the moment reproducible builds are told (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(given) if given.isdecimal() and len(given) < 11 else int(time.time())
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _read(path: Path) -> Iterator[Finding]:
    """Findings in a report of Grype or Trivy."""
    name = escape(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(REPORT_BYTES + 1)
        if len(data) > REPORT_BYTES:
            raise StateError(f"{name} is larger than {REPORT_BYTES} bytes: no report of a scanner")
        document = json.loads(data)
    except OSError as error:
        raise StateError(f"{name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"{name} is no JSON: {error}") from error
    rows = document if isinstance(document, dict) else {}
    if isinstance(rows.get("matches"), list):
        found = list(_grype(rows["matches"]))
    elif isinstance(rows.get("Results"), list):
        found = list(_trivy(rows["Results"]))
    else:
        raise StateError(f"{name} is no report of Grype or Trivy", "grype IMAGE -o json, or trivy image -f json IMAGE")
    if len(found) > MAX_FINDINGS:
        raise StateError(f"{name} has more than {MAX_FINDINGS} findings")
    yield from found


def _grype(matches: list[Any]) -> Iterator[Finding]:
    for match in matches:
        yield from _finding(_at(match, "vulnerability", "id"), _at(match, "artifact", "purl"))


def _trivy(results: list[Any]) -> Iterator[Finding]:
    for result in results:
        for one in _at(result, "Vulnerabilities") or ():
            yield from _finding(_at(one, "VulnerabilityID"), _at(one, "PkgIdentifier", "PURL"))


def _finding(vulnerability: Any, purl: Any) -> Iterator[Finding]:
    if isinstance(vulnerability, str) and isinstance(purl, str) and vulnerability and parse(purl):
        yield Finding(vulnerability, purl)


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
