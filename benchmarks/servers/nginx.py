"""nginx: static files, TLS, a cache of a backend's answers, uploads passed on.

In: nothing. Out: ``NGINX``. Next: ``servers``.
"""

from __future__ import annotations

import signal
from random import Random

from benchmarks.servers.server import JOBS, TLS, Running, Server, http, swap_certificate

PORT, TLS_PORT = 8080, 8443
PAGES = 60
_SITE = f"""proxy_cache_path /var/cache/nginx/site levels=1:2 keys_zone=site:1m inactive=10m;
server {{
  listen {PORT}; listen [::]:{PORT};
  listen {TLS_PORT} ssl;
  ssl_certificate {TLS}/tls.crt; ssl_certificate_key {TLS}/tls.key;
  root /srv/www; index index.html;
  gzip on; gzip_types *;
  location /cached/ {{ proxy_pass http://127.0.0.1:8081; proxy_cache site; proxy_cache_valid any 5m; }}
  location /upload {{ proxy_pass http://127.0.0.1:8081; client_body_buffer_size 1k; client_max_body_size 8m; }}
  location /status {{ stub_status; }}
}}
server {{ listen 127.0.0.1:8081; location / {{ return 200 "$request_uri\\n"; }} }}
"""


def _static(running: Running, chance: Random) -> None:
    for _ in range(chance.randint(1, 8)):
        http(running, PORT, f"/page-{chance.randrange(PAGES)}.html")
    http(running, PORT, chance.choice(("/", "/status", "/missing", f"/missing-{chance.random()}", "/..%2f..%2fetc")))


def _secure(running: Running, chance: Random) -> None:
    http(running, TLS_PORT, f"/page-{chance.randrange(PAGES)}.html", tls=True)


def _cached(running: Running, chance: Random) -> None:
    for _ in range(chance.randint(1, 20)):
        page = chance.randrange(chance.choice((PAGES, 10**9)))  # half are asked for again: they come from its cache
        http(running, PORT, f"/cached/{page}")


def _upload(running: Running, chance: Random) -> None:
    http(running, PORT, "/upload", chance.randbytes(chance.randint(100, 200_000)))


def _reload(running: Running, _chance: Random) -> None:
    running.order("/usr/sbin/nginx -s reload")


def _certificate(running: Running, _chance: Random) -> None:
    swap_certificate(running.volume(TLS))
    running.signal(signal.SIGHUP)


NGINX = Server(
    name="nginx",
    packages=["nginx-light"],
    start=["/usr/sbin/nginx", "-g", "daemon off;"],
    ready=_static,
    rounds=[_static, _secure, _cached, _upload],
    jobs={"certificate": _certificate},
    inside={"reload": _reload, **JOBS},
    files={
        "/etc/nginx/conf.d/site.conf": _SITE,
        "/var/cache/nginx/.keep": "",
        "/srv/www/index.html": "<h1>it works</h1>\n",
        **{f"/srv/www/page-{number}.html": f"<h1>{number}</h1>\n" * number for number in range(PAGES)},
    },
    volumes=[TLS],
    data="/var/cache/nginx/site",
)
