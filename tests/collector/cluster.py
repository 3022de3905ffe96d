"""A real PostgreSQL of the tests' own: made in a temporary directory, run by nobody, on a Unix socket and the loopback.

In: the distribution's programs (/usr/lib/postgresql). Out: databases to connect to; a server that can be stopped,
killed and paused. Why another user: the server refuses to run as root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from driftline_collector.server import Collector
from rig import ports

PASSWORD = "s3cret-of-the-tests"
NOBODY = 65534


def programs() -> Path | None:
    """Return where the newest PostgreSQL's programs are, None if there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


def serve() -> Iterator[Cluster]:
    """Run one for a fixture. Without PostgreSQL's programs the test is skipped, or fails where all must run."""
    if (found := programs()) is None:
        reason = "needs PostgreSQL's programs in /usr/lib/postgresql (make setup)"
        pytest.fail(reason) if os.environ.get("DRIFTLINE_KERNEL_TESTS") == "1" else pytest.skip(reason)
    one = Cluster(found)
    try:
        one.start()
        yield one
    finally:
        one.clean_up()


def stop_all(collectors: Iterable[Collector]) -> None:
    """Stop replicas of one store at the same time: each waits for its threads."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Collector.stop, collectors))


class Cluster:
    """A server. ``stop`` and ``clean_up`` leave nothing behind. ``synced``: each commit is on disk, as by default."""

    def __init__(self, programs: Path, parent: Path | None = None, *, synced: bool = False) -> None:
        self._programs = programs
        self._fsync = "on" if synced else "off"
        self._addresses = "127.0.0.1"
        self.directory = Path(tempfile.mkdtemp(prefix="driftline-postgres-", dir=parent))
        self.data = self.directory / "data"
        self.port = ports.free()
        password = self.directory / "password"
        password.write_text(PASSWORD)
        for path in (self.directory, password):
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        auth = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"]
        self._run("initdb", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username=driftline", *auth)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory, timeout=60)
        log = self.directory / "log"
        assert done.returncode == 0, done.stderr + done.stdout + (log.read_text()[-2000:] if log.exists() else "")

    def start(self) -> None:
        options = f"-c fsync={self._fsync} -c listen_addresses={self._addresses} -c port={self.port} " + (
            f"-c unix_socket_directories={self.directory} -c max_connections=60"
        )
        # pg_ctl's child keeps what it inherits: nothing of ours may be among it
        self._run("pg_ctl", "start", "--wait", "--silent", "-l", str(self.directory / "log"), "-o", options)

    def let_in(self, network: str, address: str) -> None:
        """Listen at ``address`` too, for those of ``network``, from the next start on."""
        self._addresses += f",{address}"
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} scram-sha-256\n")

    def stop(self, mode: str = "fast") -> None:
        """``fast`` ends sessions and rolls back; ``immediate`` is a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "-m", mode)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its processes: SIGSTOP and SIGCONT make it hang for a while."""
        main = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):  # a session that has just ended
                os.kill(pid, number)

    def url(self, database: str, tcp: bool = False) -> str:
        """Return what ``--store`` takes."""
        if tcp:
            return f"postgresql://driftline@127.0.0.1:{self.port}/{database}"
        return f"postgresql://driftline@/{database}?host={self.directory}&port={self.port}"

    def create(self, *options: str) -> str:
        """Return the name of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute("postgres", f"CREATE DATABASE {name} {' '.join(options)}")
        return name

    def drop(self, name: str) -> None:
        self.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, database: str, statement: str) -> list[tuple[object, ...]]:
        """Run ``statement`` and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def running(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    @property
    def alive(self) -> bool:
        """Whether its main process runs; one that crashed leaves its file behind."""
        try:
            main = (self.data / "postmaster.pid").read_text().split("\n")[0]
            return "postgres" in Path(f"/proc/{main}/comm").read_text()
        except OSError:  # it has ended, or ends now
            return False

    def clean_up(self) -> None:
        if self.alive:
            self.signal_all(signal.SIGCONT)
            self.stop("immediate")
        shutil.rmtree(self.directory)
