"""``driftline agent``: validate the settings, then become the agent.

In: options. Out: nothing; this process is replaced (same pid) by ``driftline.lifecycle``, which imports neither this
CLI nor pydantic: the agent stays lean. Next: ``lifecycle``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from driftline.cli.options import to_json, with_settings
from driftline.errors import SettingsError
from driftline.settings import Settings


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
        from driftline.wire.address import loopback_address

        loopback_address(settings.collector)
    sys.stdout.flush()
    arguments = [sys.executable, "-m", "driftline.lifecycle", json.dumps(to_json(settings))]
    os.execv(sys.executable, arguments)
