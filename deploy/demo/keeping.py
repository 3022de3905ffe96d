"""``--keep`` and ``--stop``: the demo's parts outlive the command that started them.

In: the command of the demo. Out: a process of its own session, the keeper, that runs the demo and then sleeps until it
is told to end; ending it is the same clean-up as always, because it is the same program. Next: ``demo``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stage import Stage

_STATE = Path("/run/driftline-demo.keeper")  # pid and start time of the keeper
_STOP_SECONDS = 30.0
_TOOLS = ("containerd", "ctr", "runc", "ip", "unshare", "nsenter", "apt-get", "dpkg-deb", "tar")


def obstacle() -> str:
    """Why the demo cannot run here and now; "" if it can."""
    if os.geteuid() != 0:
        return "needs root: it loads programs into the kernel and runs containers (try: sudo make demo)"
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"needs {', '.join(missing)} (try: make setup)"
    if _keeper():
        return f"one is kept running already (try: {sys.executable} {sys.argv[0]} --stop)"
    return ""


def start_keeper(command: list[str]) -> int:
    """Run the demo in a process that stays; return the demo's exit status when its last line was written."""
    mine, its = os.pipe()
    keeper = subprocess.Popen([*command, "--kept-by", str(its)], pass_fds=(its,), start_new_session=True)
    os.close(its)
    _STATE.write_text(f"{keeper.pid} {_start_time(keeper.pid)}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: keeper.terminate())
    with os.fdopen(mine, "rb") as pipe:
        verdict = pipe.read()  # ends when the keeper has written its status, or has died
    if not verdict:
        _STATE.unlink()
        return keeper.wait()
    keeper.returncode = 0  # it stays: nobody shall wait for it
    return int(verdict)


def keep(pipe: int, parts: Stage, last: str, good: bool) -> None:
    """In the keeper: tell how to go on, let the command return, and sleep until somebody says stop."""
    where = parts.network.inside
    script = Path(sys.argv[0]).resolve()
    driftline = f"{Path(sys.executable).parent / 'driftline'}"
    print(f"\nit all runs on; the service answers at http://{where}:8080/")
    print(f"look:    {driftline} tail --collector {parts.collector} --since 10m")
    print(f"attack:  curl -d 'cat /etc/shadow' http://{where}:8080/debug/shell")
    ctr = f"ctr -a {parts.daemon.socket} -n {parts.service.namespace}"
    print(f"enter:   {ctr} task exec -t --exec-id me {parts.service.id} sh")
    print(f"stop:    {sys.executable} {script} --stop")
    print(last, flush=True)
    os.write(pipe, b"0" if good else b"1")
    os.close(pipe)
    with open(os.devnull, "r+b") as nothing:  # the terminal belongs to the shell again
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def stop(say: Callable[[str], None]) -> int:
    """End the keeper and wait until all is cleaned up."""
    pid = _keeper()
    if not pid:
        say("demo: nothing is kept running")
        return 0
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_SECONDS
    while _keeper() and time.monotonic() < until:
        time.sleep(0.1)
    if _keeper():
        say(f"demo: the keeper (pid {pid}) does not end")
        return 1
    _STATE.unlink()
    say("demo: stopped, everything is cleaned up")
    return 0


@contextlib.contextmanager
def undisturbed_end() -> Iterator[None]:
    """From the end of the block on, a second Ctrl-C does not interrupt the clean-up."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _keeper() -> int:
    """Process id of a living keeper, 0 if there is none."""
    with contextlib.suppress(OSError, ValueError):
        pid, started = _STATE.read_text().split()
        if _start_time(int(pid)) == started:
            return int(pid)
    return 0


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, ticks since boot: tells a recycled pid from the process we meant; "" for a zombie."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
