"""A Node application without a framework: sessions as files, uploads, a worker thread, calls to a backend.

In: nothing. Out: ``NODE``. Next: ``servers``.
"""

from __future__ import annotations

from random import Random

from benchmarks.servers.server import BACKEND_PORT, JOBS, Running, Server, http

PORT = 3000
_DATA = "/srv/data"
_APP = f"""
const fs = require('fs'), http = require('http'), crypto = require('crypto'), zlib = require('zlib');
const {{ Worker }} = require('worker_threads');
const lib = require('./lib/pages');
for (const name of ['sessions', 'uploads']) fs.mkdirSync(`{_DATA}/${{name}}`, {{ recursive: true }});
const log = () => fs.appendFileSync('/var/log/app.log', new Date().toISOString() + '\\n');
http.createServer((request, response) => {{
  log();
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/session') {{
    const id = crypto.randomBytes(16).toString('hex');
    fs.writeFileSync(`{_DATA}/sessions/${{id}}.json`, '{{}}');
    return response.end(fs.readFileSync(`{_DATA}/sessions/${{id}}.json`));
  }}
  if (url.pathname === '/upload') {{
    const name = `{_DATA}/uploads/${{Date.now()}}-${{url.searchParams.get('name')}}`;
    return request.pipe(fs.createWriteStream(name)).on('finish', () => response.end('ok'));
  }}
  if (url.pathname === '/backend')
    return http.get(`http://${{process.env.BACKEND}}:{BACKEND_PORT}/`, (answer) => answer.pipe(response));
  if (url.pathname === '/work') {{
    const worker = new Worker('/app/lib/worker.js');
    return worker.once('message', (text) => response.end(zlib.gzipSync(text)));
  }}
  response.end(lib.page(url.pathname));
}}).listen({PORT}, '0.0.0.0');
"""


def _pages(running: Running, chance: Random) -> None:
    http(running, PORT, f"/{chance.random()}")
    for _ in range(chance.randint(1, 5)):
        http(running, PORT, "/session")


def _uploads(running: Running, chance: Random) -> None:
    name = chance.choice(("invoice", "photo", "notes")) + f"{chance.randrange(10**4)}.{chance.choice(('pdf', 'jpg'))}"
    http(running, PORT, f"/upload?name={name}", chance.randbytes(chance.randint(1, 50_000)))


def _others(running: Running, _chance: Random) -> None:
    http(running, PORT, "/work")
    http(running, PORT, "/backend")


NODE = Server(
    name="node",
    packages=["nodejs"],
    start=["/usr/bin/node", "/app/server.js"],
    ready=_pages,
    rounds=[_pages, _uploads, _others],
    inside=JOBS,
    files={
        "/app/server.js": _APP,
        "/app/lib/pages.js": "exports.page = (path) => `<h1>${path.length}</h1>`;\n",
        "/app/lib/worker.js": "require('worker_threads').parentPort.postMessage('done');\n",
        "/etc/logrotate.d/app": "/var/log/app.log {\n daily\n rotate 3\n compress\n nocreate\n}\n",
    },
    volumes=[_DATA],
    data=f"{_DATA}/uploads",
)
