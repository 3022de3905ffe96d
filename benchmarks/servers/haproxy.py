"""HAProxy: plain and TLS requests to two backends, one of them down now and then, statistics, reloads.

In: nothing. Out: ``HAPROXY``. Next: ``servers``.
"""

from __future__ import annotations

import signal
from random import Random

from benchmarks.servers.server import BACKEND_PORT, JOBS, TLS, Running, Server, http, swap_certificate

PORT, TLS_PORT = 8090, 8490
_PID = "/run/haproxy.pid"
_CONFIG = f"""global
  user haproxy
  group haproxy
  stats socket /run/haproxy/admin.sock mode 660 level admin
  maxconn 400
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  errorfile 503 /etc/haproxy/errors/503.http
frontend web
  bind :{PORT}
  bind :{TLS_PORT} ssl crt {TLS}/both.pem
  stats enable
  stats uri /stats
  default_backend apps
backend apps
  balance roundrobin
  option httpchk GET /health
  server one "${{BACKEND}}:{BACKEND_PORT}" check inter 2s
  server two 127.0.0.1:1 check inter 5s
"""


def _requests(running: Running, chance: Random) -> None:
    for _ in range(chance.randint(1, 10)):
        http(running, PORT, f"/{chance.randrange(10**6)}")


def _secure(running: Running, chance: Random) -> None:
    http(running, TLS_PORT, f"/{chance.randrange(10**6)}", chance.randbytes(chance.randint(0, 40_000)), tls=True)


def _stats(running: Running, _chance: Random) -> None:
    http(running, PORT, "/stats;csv")


def _reload(running: Running, _chance: Random) -> None:
    running.signal(signal.SIGUSR2)


def _certificate(running: Running, chance: Random) -> None:
    swap_certificate(running.volume(TLS))
    _reload(running, chance)


HAPROXY = Server(
    name="haproxy",
    packages=["haproxy"],
    start=["/usr/sbin/haproxy", "-W", "-db", "-f", "/etc/haproxy/site.cfg", "-p", _PID],
    ready=_requests,
    rounds=[_requests, _secure, _stats],
    jobs={"reload": _reload, "certificate": _certificate},
    inside=JOBS,
    files={"/etc/haproxy/site.cfg": _CONFIG},
    volumes=["/run/haproxy", TLS],
    data="/var/lib/haproxy",
)
