"""An SBOM of any format we read, bare or in an in-toto attestation.

In: a file. Out: an ``Sbom``; or an InventoryError that says what the file is instead. Source: SPDX and CycloneDX
specifications; in-toto Attestation Framework v1 (Statement, predicate types ``https://cyclonedx.org/bom`` and
``https://spdx.dev/Document``); DSSE v1. A signature is not checked here: that is ``cosign``'s work before. Next:
``join``.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from driftline.baseline.inventory.cyclonedx import read_cyclonedx
from driftline.baseline.inventory.draft import Draft, shown
from driftline.baseline.inventory.fields import Sbom, image_digests, mapping, text
from driftline.baseline.inventory.jsondoc import parse_json, read_file
from driftline.baseline.inventory.schema import InventoryError
from driftline.baseline.inventory.spdx import read_spdx
from driftline.baseline.inventory.syftjson import read_syft
from driftline.text import escape

FORMATS = "CycloneDX JSON 1.4 to 1.7, SPDX JSON 2.2 or 2.3, Syft JSON, or one of these in an in-toto attestation"
_ENVELOPE = ("payloadType", "payload", "signatures")
_IN_TOTO = "application/vnd.in-toto+json"
MAX_SUBJECTS = 1_000
"""Subjects of a statement looked at: cosign writes one."""


def read_sbom(path: Path) -> Sbom:
    """Return what the SBOM in the file ``path`` says. Raises InventoryError, naming the file and the place."""
    return parse_sbom(read_file(path), escape(str(path)))


def parse_sbom(data: bytes, source: str) -> Sbom:
    """Return what the SBOM in ``data`` says; ``source`` is what errors call it. Raises InventoryError."""
    try:
        return _read(_first_line(data, source), source)
    except MemoryError as error:
        raise InventoryError(f"{source}: needs more memory than is allowed") from error


def _first_line(data: bytes, source: str) -> Any:
    """The document. A file of JSON lines (a Sigstore bundle of several attestations) counts with its first."""
    line, _, rest = data.lstrip().partition(b"\n")
    if line.startswith(b'{"') and line.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{"):
        return parse_json(line, f"{source} (first line)")
    return parse_json(data, source)


def _read(document: Any, source: str) -> Sbom:
    if isinstance(document, dict) and all(key in document for key in _ENVELOPE):
        return _envelope(document, source)
    if isinstance(document, dict) and "predicateType" in document:
        return _statement(document, source)
    return _bare(document, source)


def _envelope(document: dict[str, Any], source: str) -> Sbom:
    """A DSSE envelope: its payload is a statement."""
    if document["payloadType"] != _IN_TOTO:
        raise InventoryError(f"{source}: payloadType: {shown(text(document['payloadType']))} is no in-toto statement")
    try:
        payload = base64.b64decode(text(document["payload"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InventoryError(f"{source}: payload: no base64") from error
    statement = parse_json(payload, f"{source}: payload")
    if not isinstance(statement, dict) or "predicateType" not in statement:
        raise InventoryError(f"{source}: payload: no in-toto statement")
    return _statement(statement, source)


def _statement(statement: dict[str, Any], source: str) -> Sbom:
    """An in-toto statement: predicate = SBOM, subjects = the images it is of."""
    predicate = statement.get("predicate")
    while isinstance(predicate, dict) and isinstance(predicate.get("Data"), dict):
        predicate = predicate["Data"]  # cosign's wrapping of custom predicates
    if isinstance(predicate, dict) and isinstance(predicate.get("Data"), str):
        predicate = parse_json(predicate["Data"].encode("utf-8", "replace"), f"{source}: predicate.Data")
    sbom = _bare(predicate, f"{source}: predicate")
    subjects = statement.get("subject")
    listed = subjects[:MAX_SUBJECTS] if isinstance(subjects, list) else []
    digests = (text(mapping(mapping(one).get("digest")).get("sha256")) for one in listed)
    sbom.images |= image_digests(*(f"sha256:{digest}" for digest in digests))
    sbom.format += " in an in-toto attestation"
    return sbom


def _bare(document: Any, source: str) -> Sbom:
    if not isinstance(document, dict):
        raise InventoryError(f"{source}: no SBOM: a JSON object was expected", f"give {FORMATS}")
    draft = Draft(source)
    if document.get("bomFormat") == "CycloneDX":
        return read_cyclonedx(document, draft)
    if "spdxVersion" in document:
        return read_spdx(document, draft)
    if isinstance(document.get("artifacts"), list) and ("schema" in document or "descriptor" in document):
        return read_syft(document, draft)
    raise InventoryError(f"{source}: {_what_else(document)}", f"give {FORMATS}")


def _what_else(document: dict[str, Any]) -> str:
    """What a document is that we do not read."""
    if "@graph" in document or "spdx.org/rdf/3" in text(document.get("@context")):
        return "SPDX 3.0, which is not read yet"
    if "openvex" in text(document.get("@context")) or "statements" in document:
        return "a VEX document (OpenVEX): it lists vulnerabilities, no packages"
    if "SchemaVersion" in document and "Results" in document:
        return "a report of Trivy, no SBOM"
    return "no SBOM: none of the formats that are read"
