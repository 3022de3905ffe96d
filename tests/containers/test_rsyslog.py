"""The syslog output as a real rsyslogd reads it: octet counting, structured data, a Unix socket.

The daemon is the distribution's, unpacked beside the test and run in a root of its own: nothing is installed, and the
machine's own syslog is not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.outputs.rig import sender, until
from collector.rig import PATIENCE
from driftline.text import escape
from rig import mounts, packages, ports, session
from unit.collector.outputs import things
from unit.wire.samples import HOSTILE

pytestmark = pytest.mark.containers

CONFIG = """
module(load="imtcp" MaxFrameSize="65536")
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
module(load="mmpstrucdata")
global(workDirectory="/run" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
template(name="json" type="list") {{
  constant(value="{{") property(name="hostname" format="jsonf" outname="host") constant(value=",")
  property(name="app-name" format="jsonf" outname="app") constant(value=",")
  property(name="msgid" format="jsonf" outname="msgid") constant(value=",")
  property(name="syslogfacility-text" format="jsonf" outname="facility") constant(value=",")
  property(name="syslogseverity-text" format="jsonf" outname="severity") constant(value=",")
  property(name="timereported" dateFormat="rfc3339" format="jsonf" outname="time") constant(value=",")
  property(name="$!rfc5424-sd" format="jsonf" outname="sd") constant(value=",")
  property(name="msg" format="jsonf" outname="text") constant(value="}}\\n")
}}
input(type="imtcp" port="{port}" address="127.0.0.1" supportOctetCountedFraming="on")
input(type="imudp" port="{port}" address="127.0.0.1")
input(type="imuxsock" Socket="/run/log" UseSpecialParser="off" ParseHostname="on")
action(type="mmpstrucdata")
action(type="omfile" file="/run/out" template="json")
"""


@pytest.fixture(scope="module")
def rsyslog() -> Iterator[tuple[int, Path]]:
    """A port rsyslogd listens on (TCP and UDP), and the file with what it understood."""
    root = session.scratch("rsyslog")
    shutil.copytree(packages.layer(("rsyslog",)), root, symlinks=True, dirs_exist_ok=True)
    (root / "run").mkdir(exist_ok=True)
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/null").touch()
    port = ports.free()
    (root / "driftline.conf").write_text(CONFIG.format(port=port))
    command = ["chroot", str(root), "/usr/sbin/rsyslogd", "-n", "-f", "/driftline.conf", "-i", "/run/pid", "-C"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    try:
        until(lambda: (listening(port) and (root / "run/log").exists()) or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield port, root / "run/out"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        mounts.discard(root)


def listening(port: int) -> bool:
    """Whether it has both its ports."""
    here = f"0100007F:{port:04X} "  # 127.0.0.1, as the kernel prints it on little-endian machines
    return all(here in Path(f"/proc/net/{protocol}").read_text() for protocol in ("tcp", "udp"))


def understood(path: Path) -> list[dict[str, str]]:
    """Lines that are whole: the file is being written."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


@pytest.mark.parametrize("scheme", ["tcp", "udp", "unix"])
def test_rsyslog_understands_every_field(rsyslog: tuple[int, Path], tmp_path: Path, scheme: str) -> None:
    port, out = rsyslog
    before = len(understood(out))
    to = f"unix:{out.parent}/log" if scheme == "unix" else f"{scheme}://127.0.0.1:{port}"
    output = sender(tmp_path, f"type: syslog, facility: local3, to: '{to}'")
    hostile = 'a"b]c\\d[' + HOSTILE
    items = [things.stored(), things.stored(what=hostile, exe=hostile, argv=(hostile,)), things.connect()]
    output.send(items)
    until(lambda: len(understood(out)) == before + 3)
    output.close()
    first, second, third = understood(out)[before:]
    assert (first["host"], first["app"], first["msgid"]) == ("node-a", "driftline", "exec.drift")
    assert (first["facility"], first["severity"]) == ("local3", "err")
    assert first["text"] == items[0].deviation.sentence
    data = json.loads(first["sd"])["driftline@32473"]
    assert data["namespace"] == "shop"
    assert data["id"] == items[0].deviation.id
    assert json.loads(second["sd"])["driftline@32473"]["what"] == escape(hostile)
    assert third["msgid"] == "connect.unknown"
