"""PostgreSQL: tables made and dropped, sorts that spill, dumps, VACUUM, ANALYZE, extensions, its own log files.

In: nothing. Out: ``POSTGRESQL``. Next: ``servers``.
"""

from __future__ import annotations

from random import Random

import psycopg
from benchmarks.servers.server import JOBS, TLS, Running, Server, swap_certificate

PORT = 5432
VERSION = 15  # Debian 12's
_ETC, _DATA = f"/etc/postgresql/{VERSION}/main", f"/var/lib/postgresql/{VERSION}/main"
_BIN = f"/usr/lib/postgresql/{VERSION}/bin"
_BACKUPS = "/var/lib/postgresql/backups"
_SETTINGS = f"""listen_addresses = '*'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%Y-%m-%d_%H%M%S.log'
log_min_duration_statement = 0
log_rotation_size = 100kB
work_mem = 64kB
maintenance_work_mem = 1MB
autovacuum_naptime = 10s
checkpoint_timeout = 30s
ssl = on
ssl_cert_file = '{TLS}/tls.crt'
ssl_key_file = '{TLS}/tls.key'
"""
_AS_POSTGRES = "/usr/bin/setpriv --reuid=postgres --regid=postgres --init-groups"


def _connect(running: Running, database: str = "postgres", *, tls: bool = False) -> psycopg.Connection[tuple[object]]:
    return psycopg.connect(
        host=running.address,
        port=PORT,
        dbname=database,
        user="postgres",
        autocommit=True,
        connect_timeout=20,
        sslmode="require" if tls else "disable",
    )


def _sql(running: Running, *statements: str, database: str = "postgres", tls: bool = False) -> None:
    try:
        with _connect(running, database, tls=tls) as connection:
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.Error as error:
        raise ConnectionError(str(error)) from error


def _ready(running: Running, _chance: Random) -> None:
    _sql(running, "CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, what text, at timestamptz)")


def _orders(running: Running, chance: Random) -> None:
    rows, secure = chance.randint(10, 5_000), chance.random() < 0.5
    fill = f"INSERT INTO orders (what, at) SELECT md5(random()::text), now() FROM generate_series(1, {rows})"
    ask = f"SELECT count(*), max(at) FROM orders WHERE what LIKE '{chance.randrange(100)}%'"
    _sql(running, fill, ask, "SELECT what FROM orders ORDER BY md5(what) LIMIT 5", tls=secure)


def _table(running: Running, chance: Random) -> None:
    name = f"t{chance.randrange(10**12)}"
    _sql(
        running,
        f"CREATE TABLE {name} AS SELECT i, repeat(md5(i::text), {chance.randint(1, 100)}) AS long"
        f" FROM generate_series(1, {chance.randint(100, 8_000)}) AS i",
        f"CREATE INDEX ON {name} (i)",
        f"CREATE TEMP TABLE x{name} AS SELECT * FROM {name} ORDER BY long DESC",
        f"UPDATE {name} SET i = i + 1",
        *([f"DROP TABLE {name}"] if chance.random() < 0.7 else []),
    )


def _probe(running: Running, _chance: Random) -> None:
    running.probe([f"{_BIN}/pg_isready", "-q"])


def _database(running: Running, chance: Random) -> None:
    name = f"db{chance.randrange(10**12)}"
    _sql(running, f"CREATE DATABASE {name}")
    _sql(running, "CREATE TABLE a AS SELECT generate_series(1, 1000) AS i", "VACUUM FULL a", database=name)
    _sql(running, f"DROP DATABASE {name}")


def _upkeep(running: Running, _chance: Random) -> None:
    _sql(running, "VACUUM (ANALYZE) orders", "VACUUM FULL orders", "REINDEX TABLE orders", "ANALYZE", "CHECKPOINT")
    _sql(running, "SELECT pg_switch_wal()", "SELECT pg_rotate_logfile()")
    _sql(running, "DELETE FROM orders")


def _dump(running: Running, _chance: Random) -> None:
    target = f"{_BACKUPS}/postgres-$(/usr/bin/date +%Y%m%d-%H%M%S).dump"
    running.order(f"{_AS_POSTGRES} {_BIN}/pg_dump -Fc -f {target} postgres")
    running.order(f"/usr/bin/find {_BACKUPS} -name '*.dump' -mmin +5 -delete")


def _vacuumdb(running: Running, _chance: Random) -> None:
    running.order(f"{_AS_POSTGRES} {_BIN}/vacuumdb --all --analyze --quiet")


def _reload(running: Running, chance: Random) -> None:
    _sql(running, f"ALTER SYSTEM SET deadlock_timeout = '{chance.randint(1, 9)}s'", "SELECT pg_reload_conf()")


def _certificate(running: Running, _chance: Random) -> None:
    swap_certificate(running.volume(TLS), running.volume("/var/lib/postgresql").stat().st_uid)
    _sql(running, "SELECT pg_reload_conf()")
    _sql(running, "SELECT 1", tls=True)


POSTGRESQL = Server(
    name="postgresql",
    packages=[f"postgresql-{VERSION}"],
    start=[f"{_BIN}/postgres", "-D", _DATA, "-c", f"config_file={_ETC}/postgresql.conf"],
    user="postgres",
    ready=_ready,
    rounds=[_orders, _orders, _table, _probe],
    jobs={
        "databases": _database,
        "vacuum and analyze": _upkeep,
        "reload": _reload,
        "certificate": _certificate,
    },
    inside={"dump": _dump, "vacuumdb": _vacuumdb, **JOBS},
    files={
        f"{_ETC}/conf.d/site.conf": _SETTINGS,
        f"{_ETC}/pg_hba.conf": "local all all trust\nhost all all samenet trust\nhost all all samehost trust\n",
    },
    volumes=["/run/postgresql", "/var/lib/postgresql", _BACKUPS, TLS],
    data=_BACKUPS,
)
