"""``driftline collector`` with ``--store``, ``backup``, ``restore`` and ``migrate``, as an operator types them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import alembic.command as alembic
import pytest
from alembic.config import Config

from collector.baseline_agent import People, content, learned
from collector.cluster import PASSWORD, Cluster
from collector.rig import DRIFTLINE, PATIENCE, CollectorProcess, listing, sink
from collector.test_postgres_store import address
from driftline_collector import migrations, postgres
from driftline_collector.schema import SCHEMA_VERSION
from driftline_collector.store_changes import ROW_BYTES
from driftline_collector.store_postgres import PostgresStore
from unit.collector.test_migrate import SCHEMA_1
from unit.wire import samples


def run(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Run ``driftline collector``; return its exit status and all it said."""
    command = [*DRIFTLINE, "collector", *map(str, arguments)]
    env = os.environ | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=env)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def deliver(address: str, count: int) -> list[str]:
    agent, sent = sink(address), [samples.deviation() for _ in range(count)]
    for one in sent:
        agent.submit(one)
    agent.stop(PATIENCE)
    return [one.id for one in sent]


def ids(address: str) -> list[str]:
    return [item.deviation.id for item in listing(address)][::-1]


PUBLISHED = learned("/etc/a")
REVOKED = "sha256:" + "0" * 64
DECIDED = (content(PUBLISHED), [REVOKED])


def decide(address: str) -> None:
    """Publish a baseline and revoke another one."""
    people = People(address)
    people.publish(PUBLISHED)
    people.revoke(REVOKED)
    people.close()


def decided(address: str) -> tuple[bytes, list[str]]:
    """The published baseline, and which are revoked."""
    people = People(address)
    found = people.fetch(published=True).data, [one.version for one in people.get().revocations]
    people.close()
    return found


def test_a_backup_of_a_running_collector_is_put_back(process: CollectorProcess, tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy.db"
    first = deliver(process.start(), 101)
    decide(process.address)
    status, said = run("backup", copy, "--state", state)
    assert (status, said.startswith(f"the store is in {copy}")) == (0, True), said
    assert run("backup", copy, "--state", state)[0] == 2
    deliver(process.address, 53)
    status, said = run("restore", copy, "--state", state)
    assert (status, "another collector uses" in said) == (5, True), said
    process.end()
    status, said = run("restore", copy, "--state", state)
    assert (status, "the one before is " in said) == (0, True), said
    assert ids(process.start()) == first
    assert decided(process.address) == DECIDED
    process.end()


def test_a_store_of_version_1_is_migrated_by_the_start(process: CollectorProcess, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    shutil.copy(SCHEMA_1, tmp_path / "state/collector.db")
    command = [*DRIFTLINE, "collector", "--state", str(tmp_path / "state"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as one:
        assert one.stderr is not None
        assert one.stderr.readline() == f"the store had schema 1 and has {SCHEMA_VERSION} now\n"
        one.stderr.readline()
        one.terminate()
    assert one.returncode == 0
    assert len(ids(process.start())) == 23
    process.end()


def make_version_1(url: str) -> None:
    """Give an empty database the tables of version 1, and the rows of the SQLite store of that version."""
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent))
    config.set_main_option("path_separator", "os")
    with postgres.open_migrator(address(url)).begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0001")
        with closing(sqlite3.connect(SCHEMA_1)) as old:
            for table in ("deviations", "agents", "properties"):
                for row in old.execute(f"SELECT * FROM {table}"):
                    connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)


def test_an_older_postgresql_is_refused_until_migrate(cluster: Cluster, database: str, tmp_path: Path) -> None:
    url = cluster.url(database)
    make_version_1(url)
    status, said = run("--store", url, "--state", tmp_path, "--listen", "127.0.0.1:0")
    assert (status, "has schema 1" in said, "driftline collector migrate" in said) == (5, True, True), said
    status, said = run("migrate", "--store", url)
    assert (status, f"had schema 1 and has {SCHEMA_VERSION} now" in said) == (0, True), said
    assert f"has schema {SCHEMA_VERSION} already" in run("migrate", "--store", url)[1]
    process = CollectorProcess(tmp_path / "state", "--store", url)
    old = ids(process.start())
    assert len(old) == 23
    new = deliver(process.address, 7)
    assert ids(process.address) == [*old, *new]
    process.end()
    counted = f"SELECT sum(octet_length(body) + {ROW_BYTES}) FROM deviations"
    used = cluster.execute(database, "SELECT value FROM counters WHERE name = 'bytes'")
    assert used == [(int(str(cluster.execute(database, counted)[0][0])),)]


def test_migrated_and_new_tables_are_the_same(cluster: Cluster, database: str) -> None:
    """Defaults aside: a migrated column has one, a new one needs none."""
    make_version_1(cluster.url(database))
    assert run("migrate", "--store", cluster.url(database))[0] == 0
    new = cluster.create()
    with closing(PostgresStore(address(cluster.url(new)))):
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        for question in (columns, indexes, "SELECT version_num FROM alembic_version"):
            assert cluster.execute(database, question) == cluster.execute(new, question)
    cluster.drop(new)


def test_a_password_is_in_no_message_and_no_process_list(cluster: Cluster, database: str, tmp_path: Path) -> None:
    url, file = cluster.url(database, tcp=True), tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD)
    process = CollectorProcess(tmp_path / "state", "--store", url, "--store-password-file", str(file))
    deliver(process.start(), 1)
    assert process.process is not None
    assert PASSWORD not in Path(f"/proc/{process.process.pid}/cmdline").read_text()
    process.end()
    status, said = run("--store", url.replace("driftline@", f"driftline:{PASSWORD}@"))
    assert (status, "holds a password" in said, PASSWORD in said) == (2, True, False), said
    for variable in ({"PGPASSWORD": "wrong"}, {"PGPASSFILE": "/nonexistent"}):
        status, said = run("--store", url, "--state", tmp_path, "--listen", "127.0.0.1:0", **variable)
        assert (status, "--store-password-file" in said, PASSWORD in said) == (5, True, False), said
    assert run("migrate", "--store", url, PGPASSWORD=PASSWORD)[0] == 0


@pytest.mark.parametrize(("verb", "tool"), [("backup", "pg_dump"), ("restore", "pg_restore")])
def test_postgresql_has_its_own_tools_and_the_hint_is_a_command(
    cluster: Cluster, database: str, tmp_path: Path, verb: str, tool: str
) -> None:
    status, said = run(verb, tmp_path / "my copy", "--store", cluster.url(database))
    assert (status, f"try: {tool} " in said) == (2, True), said


def test_the_documented_way_back_from_a_dump_works(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """The very commands the hints give; afterwards the store is another one for tails."""
    url, dump = cluster.url(database), tmp_path / "dump"
    process = CollectorProcess(tmp_path / "state", "--store", url)
    sent = deliver(process.start(), 101)
    decide(process.address)
    shell(run("backup", dump, "--store", url)[1])
    deliver(process.address, 53)
    process.end()
    before = cluster.execute(database, "SELECT value FROM properties WHERE name = 'store_id'")
    shell(run("restore", dump, "--store", url)[1])
    cluster.execute(database, "DELETE FROM properties WHERE name = 'store_id'")
    assert ids(process.start()) == sent
    assert decided(process.address) == DECIDED
    assert cluster.execute(database, "SELECT value FROM properties WHERE name = 'store_id'") != before
    process.end()


def shell(said: str) -> None:
    """Run what the hint in ``said`` says."""
    command = said.partition("try: ")[2].strip()
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=PATIENCE)
