"""Whom to trust: the options of ``driftline baseline verify`` and ``import``, and who signed a baseline.

In: key files, a directory, the node's own. Out: keys; lines about who signed a baseline. Next: ``baseline_sign``,
``baseline_import``, ``baseline_show``, ``baseline_list``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline
from driftline.baseline.signing.envelope import signers
from driftline.baseline.signing.judged import TRUST
from driftline.baseline.signing.keys import PublicKey, load_public, load_trusted, unique
from driftline.baseline.signing.verification import read_envelope, read_statement
from driftline.cli.baseline import day
from driftline.cli.baselinefile import read_signed
from driftline.errors import SignatureError
from driftline.text import escape
from driftline.wire.jsontext import wall_time

Keys = Annotated[list[Path] | None, typer.Option("--key", metavar="PUB.pem", help="Trusted public key. Repeatable.")]
Trust = Annotated[
    Path | None,
    typer.Option("--trust", metavar="DIR", help="Directory of trusted keys. Default: trust in the state directory."),
]
Threshold = Annotated[int, typer.Option(min=1, max=16, help="How many trusted keys must have signed.")]


def trusted(keys: list[Path] | None, trust: Path | None, state_dir: Path) -> tuple[PublicKey, ...]:
    """Return the keys somebody named; else those the node trusts, () if it trusts none. Raises SignatureError."""
    named = [load_public(path) for path in keys or ()]
    if trust is not None:
        named += load_trusted(trust)
    if named or trust is not None:
        return unique(named)
    own = state_dir / TRUST
    return load_trusted(own) if own.is_dir() else ()


class SignedBy(NamedTuple):
    """What is known of the signatures of a baseline. ``verified``: by id, which file of a trusted key it is."""

    ids: tuple[str, ...]
    verified: dict[str, str]
    expires_ns: int
    problem: str = ""


NOBODY = SignedBy((), {}, 0)


def signatures_of(store: BaselineStore, baseline: Baseline, image: str = "") -> bytes | None:
    """Return the envelope of a baseline: of a signed file ``image`` that one, else the one that is kept, if any."""
    if image and Path(image).is_file():
        return read_signed(Path(image))
    return store.signatures(baseline) if store.is_signed(baseline) else None


def signed_by(data: bytes | None, baseline: Baseline, keys: tuple[PublicKey, ...]) -> SignedBy:
    """Return who signed ``baseline``, as it is now, in the envelope ``data``."""
    if data is None:
        return NOBODY
    try:
        envelope = read_envelope(data)
        statement = read_statement(envelope)
    except (SignatureError, ValueError) as error:
        return NOBODY._replace(problem=str(error.args[0]))
    if statement.baseline != baseline:
        signed = statement.baseline.revision
        other = f"only revision {signed} is" if signed != baseline.revision else "what was signed is something else"
        return NOBODY._replace(problem=other)
    verified = {key.id: key.name for key in signers(envelope, keys)}
    return SignedBy(tuple(one.keyid for one in envelope.signatures), verified, statement.expires_ns)


def described(found: SignedBy, trusting: bool, now_ns: int) -> list[str]:
    """Return a line for each signature; one that says no if there is none."""
    if not found.ids:
        return [f"no: {escape(found.problem)}" if found.problem else "no"]
    until = f", until {day(found.expires_ns)} UTC" if found.expires_ns else ""
    until = f", EXPIRED on {day(found.expires_ns)} UTC" if 0 < found.expires_ns <= now_ns else until
    names = {one: f"{one} ({escape(name)})" for one, name in found.verified.items()}
    unknown = "not by a trusted key" if trusting else "not verified: no keys are trusted here"
    rest = [f"{escape(one) or 'no key id'} ({unknown})" for one in found.ids if one not in names]
    return [f"by {one}{until}" for one in (*names.values(), *rest)]


def signed_json(found: SignedBy) -> dict[str, object]:
    """Return the same as plain values."""
    return {
        "by": [{"id": escape(one), "trusted_as": escape(found.verified.get(one, "")) or None} for one in found.ids],
        "expires": wall_time(found.expires_ns) if found.expires_ns else None,
        "problem": escape(found.problem) or None,
    }
