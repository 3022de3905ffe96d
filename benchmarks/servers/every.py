"""All servers, by name.

In: the modules of this package. Out: ``SERVERS``, and ``STARTERS``, those with a baseline in ``baselines/``. Next:
``benchmarks.false_alarms``, ``baselines/make.py``.
"""

from __future__ import annotations

from benchmarks.servers.haproxy import HAPROXY
from benchmarks.servers.memcached import MEMCACHED
from benchmarks.servers.nginx import NGINX
from benchmarks.servers.node import NODE
from benchmarks.servers.postgresql import POSTGRESQL
from benchmarks.servers.python import PYTHON
from benchmarks.servers.redis import REDIS
from benchmarks.servers.server import Server
from benchmarks.servers.tomcat import TOMCAT

STARTERS: dict[str, Server] = {one.name: one for one in (NGINX, REDIS, POSTGRESQL, MEMCACHED, HAPROXY)}
SERVERS: dict[str, Server] = STARTERS | {one.name: one for one in (PYTHON, NODE, TOMCAT)}
