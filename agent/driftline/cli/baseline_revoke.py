"""``driftline baseline revoke``: a version found bad goes out of force on every node, for good.

In: a name, a version, a reason, perhaps a key. Out: a revocation at the collector; where the version is still in force.
Why a key: nodes that take only what is signed refuse other revocations, or who has a reviewer's token could make them
forget all they know. Next: the collector tells the agents.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from driftline.baseline.decisions import DecisionError
from driftline.baseline.format.reading import DocumentError
from driftline.baseline.keeping.revoked import Revoked
from driftline.baseline.signing.envelope import Envelope, to_bytes
from driftline.baseline.signing.envelope import sign as add_signature
from driftline.baseline.signing.intoto import is_digest
from driftline.baseline.signing.keys import PrivateKey, load_private
from driftline.baseline.signing.revocation import payload_of
from driftline.cli.authors import author_or_default
from driftline.cli.baseline import MIN_DIGITS, Author, Reason, checked_reason, label, short_digest
from driftline.cli.baseline_sign import PassphraseFile, passphrase_of
from driftline.cli.fleetanswers import LISTED, REFUSED, of_revocation, open_lines
from driftline.cli.fleetnames import Name, Wait, by, choose, known, stub
from driftline.cli.fleettext import obeyed
from driftline.cli.main import printable
from driftline.cli.reaching import Reaching, with_collector
from driftline.errors import SignatureError, StateError
from driftline.text import escape, plural
from driftline.wire.client import CollectorClient
from driftline.wire.gen.driftline.v1 import baseline_pb2 as pb
from driftline.wire.gen.driftline.v1 import collector_pb2

WAIT_SECONDS = 15
"""A node says within five seconds that it judges by something else."""
PAUSE_SECONDS = 0.5


@with_collector
def command(
    reaching: Reaching,
    name: Name,
    reason: Reason,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Its digest, or the beginning. Default: what is published.")
    ] = "",
    key: Annotated[
        list[Path] | None, typer.Option("--key", metavar="KEY.pem", help="Private key to sign it with. Repeatable.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    author: Author = "",
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Take a version of a baseline out of force on every node, for good.

    Each node goes back to the newest earlier version it has, or learns the image anew. Nodes that take only signed
    baselines take only signed revocations, of as many keys as they ask for. Needs the role reviewer. Exit status 1: it
    is revoked, and a node refused that.
    """
    reason, author = checked_reason(reason), author_or_default(author)
    with reaching.client() as client:
        found = client.get_baseline(choose(known(client), name).name)
        what = stub(found.summary.name, found.summary.image)
        revoked = Revoked(what.name, _version(found, version), reason)
        envelope = _signed(revoked, key or [], passphrase_file)
        if not envelope:
            print("nobody signed it: nodes refuse it, except where collector_baselines is any", file=sys.stderr)
        made = client.revoke_baseline(
            pb.Revocation(
                name=found.summary.name,
                version=revoked.version,
                reason=escape(reason),
                author=escape(author),
                envelope=envelope,
            )
        )
        print(f"{label(what)}: sha256:{short_digest(made.version)} is revoked by {by(made.author, made.made_by)}")
        _follow(client, made, wait)


def _version(found: collector_pb2.GetBaselineResponse, text: str) -> str:
    """The version ``text`` means: any digest, or the beginning of one the collector knows."""
    if not text:
        if not found.summary.HasField("published"):
            raise StateError("nothing is published that could be revoked", "name the version, as `fleet --json` has it")
        return found.summary.published.version
    if is_digest(text):
        return text
    versions = {found.summary.published.version}
    for one in found.nodes:
        versions |= {one.in_use.version, one.learned.version, one.outcome.version}
    digits = text.removeprefix("sha256:")
    fitting = [one for one in sorted(versions) if len(digits) >= MIN_DIGITS and one.startswith(f"sha256:{digits}")]
    if len(fitting) != 1:
        which = f"it can be {', '.join(map(printable, fitting))}" if fitting else "no node has one that begins so"
        raise DecisionError(f"{escape(text)} is no version of this baseline", which)
    return fitting[0]


def _signed(revoked: Revoked, keys: list[Path], passphrase_file: Path | None) -> bytes:
    """The envelope, b"" without keys. Raises SignatureError."""
    if not keys:
        return b""
    try:
        envelope = Envelope(payload_of(revoked))
    except DocumentError as error:
        raise SignatureError(f"it cannot be signed: {error}") from error
    for path in keys:
        envelope = add_signature(envelope, _private(path, passphrase_file))
    return to_bytes(envelope)


def _private(path: Path, passphrase_file: Path | None) -> PrivateKey:
    return load_private(path, lambda: passphrase_of(passphrase_file, f"Passphrase of {escape(str(path))}"))


def _follow(client: CollectorClient, made: pb.Revocation, seconds: int) -> None:
    """Say who obeys, who does not and why, and where it is still in force: when all answered, or the time is over."""
    until = time.monotonic() + seconds
    while True:
        found = client.get_baseline(made.name)
        progress = next((one for one in found.progress if one.version == made.version), None)
        using = [one.node for one in found.nodes if one.HasField("in_use") and one.in_use.version == made.version]
        answers = of_revocation(found.nodes, made.version)
        refusing = {node for node, answer in answers if answer.outcome == pb.OUTCOME_REFUSED}
        waiting = progress is not None and progress.nodes_waiting
        if not (waiting or set(using) - refusing) or time.monotonic() >= until:
            break
        time.sleep(PAUSE_SECONDS)
    if progress is not None:
        print(obeyed(progress), *open_lines(answers, f"driftline baseline fleet {printable(made.name)}"), sep="\n")
    print(_judging_by_it(using))
    if refusing:
        raise typer.Exit(REFUSED)


def _judging_by_it(using: list[str]) -> str:
    if not using:
        return "no node that reports judges by it"
    more = f", and {len(using) - LISTED} more" if len(using) > LISTED else ""
    nodes = ", ".join(map(printable, using[:LISTED]))
    return f"{plural(len(using), 'node')} judged by it when last heard: {nodes}{more}"
