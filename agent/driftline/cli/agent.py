"""``driftline agent``: validate the settings, then become the agent.

In: options. Out: nothing; this process is replaced (same pid) by ``driftline.lifecycle``, which imports neither this
CLI nor pydantic: the agent stays lean. Next: ``lifecycle``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.options import to_json, with_settings
from driftline.errors import SettingsError, SignatureError
from driftline.settings import Settings
from driftline.text import escape


@with_settings()
def command(
    settings: Settings,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="No collector: print deviations as JSON lines on standard output.")
    ] = False,
) -> None:
    """Watch every container of this node and report deviations."""
    if standalone and settings.collector:
        raise SettingsError("--standalone and --collector exclude each other")
    if not standalone and not settings.collector:
        raise SettingsError("no collector is named", "--collector HOST:PORT, or --standalone for JSON lines here")
    if settings.collector:
        check_way(settings)
    if settings.require_signatures:
        check_trust(settings)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # why a connection fails, we say ourselves, and once
    sys.stdout.flush()
    arguments = [sys.executable, "-m", "driftline.lifecycle", json.dumps(to_json(settings))]
    os.execv(sys.executable, arguments)


def check_way(settings: Settings) -> None:
    """Raise SettingsError now, with a terminal to say it on, if the collector cannot be reached with these settings."""
    from driftline.wire.credentials import Credentials, Link
    from driftline.wire.credentials_files import TlsPaths

    paths = TlsPaths(settings.tls_ca, settings.tls_cert, settings.tls_key)
    if settings.tls_ca and not settings.tls_cert:
        raise SettingsError("an agent proves its node with a certificate", "--tls-cert and --tls-key")
    Link(settings.collector, Credentials(paths, insecure_plaintext=settings.insecure_plaintext))


def check_trust(settings: Settings) -> None:
    """Raise SettingsError now if no baseline could be signed by enough trusted keys."""
    from driftline.baseline.signing.judged import TRUST
    from driftline.baseline.signing.keys import load_trusted

    directory = Path(settings.trust_dir or Path(settings.state_dir, TRUST))
    try:
        keys = load_trusted(directory)
    except SignatureError as error:
        raise SettingsError(f"require_signatures: {error.args[0]}", error.hint) from error
    if len(keys) < settings.signature_threshold:
        problem = f"{settings.signature_threshold} signatures are required, and {len(keys)} keys are trusted"
        raise SettingsError(f"signature_threshold: {problem}", f"put more keys into {escape(str(directory))}")
