"""A Python web application: Flask under Gunicorn, with uploads, reports, a SQLite database and calls to a backend.

In: nothing. Out: ``PYTHON``. Next: ``servers``.
"""

from __future__ import annotations

import signal
import uuid
from random import Random

from benchmarks.servers.server import BACKEND_PORT, JOBS, Running, Server, http

PORT = 8000
_DATA = "/var/lib/shop"
_PID = "/run/shop.pid"
_APP = f'''
import csv, os, sqlite3, tempfile, urllib.request, uuid
from flask import Flask, render_template, request

app = Flask(__name__)
DATA = "{_DATA}"
for name in ("uploads", "reports"):
    os.makedirs(f"{{DATA}}/{{name}}", exist_ok=True)

def database():
    one = sqlite3.connect(f"{{DATA}}/shop.db", timeout=20)
    one.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, what TEXT)")
    return one

@app.get("/")
def index():
    return render_template("index.html", name=request.args.get("name", ""))

@app.post("/order")
def order():
    with database() as one:
        one.execute("INSERT INTO orders (what) VALUES (?)", (request.get_data()[:100],))
    one.close()
    return "ok"

@app.post("/upload")
def upload():
    with open(f"{{DATA}}/uploads/{{uuid.uuid4()}}.{{request.args['kind']}}", "wb") as out:
        out.write(request.get_data())
    return "ok"

@app.get("/report/<name>")
def report(name):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", dir=f"{{DATA}}/reports", delete=False) as out:
        csv.writer(out).writerow([name])
    os.replace(out.name, f"{{DATA}}/reports/{{name}}.csv")
    with open(f"{{DATA}}/reports/{{name}}.csv") as found:
        return found.read()

@app.get("/backend")
def backend():
    return urllib.request.urlopen(f"http://{{os.environ['BACKEND']}}:{BACKEND_PORT}/", timeout=5).read()

@app.get("/late")
def late():
    import calendar, decimal, statistics, xml.dom.minidom, zoneinfo
    with tempfile.TemporaryDirectory() as where, open(f"{{where}}/scratch", "w") as out:
        out.write(str(statistics.mean([1, 2])))
    return str(zoneinfo.ZoneInfo("Europe/Berlin"))
'''


def _pages(running: Running, chance: Random) -> None:
    http(running, PORT, f"/?name={chance.random()}")
    http(running, PORT, "/order", chance.randbytes(chance.randint(1, 200)))
    http(running, PORT, f"/none-{chance.random()}")


def _uploads(running: Running, chance: Random) -> None:
    for _ in range(chance.randint(1, 6)):
        kind = chance.choice(("jpg", "jpg", "pdf"))
        http(running, PORT, f"/upload?kind={kind}", chance.randbytes(chance.randint(1, 20_000)))


def _reports(running: Running, chance: Random) -> None:
    names = (f"{chance.randrange(10**5)}", f"{uuid.UUID(int=chance.getrandbits(128))}", f"week-{chance.randint(1, 52)}")
    http(running, PORT, f"/report/{chance.choice(names)}")
    http(running, PORT, "/backend")


def _late(running: Running, _chance: Random) -> None:
    http(running, PORT, "/late")


def _reload(running: Running, _chance: Random) -> None:
    running.signal(signal.SIGHUP)


PYTHON = Server(
    name="python",
    packages=["gunicorn", "python3-flask", "tzdata"],
    start=[
        *("/usr/bin/gunicorn", "--bind", f"0.0.0.0:{PORT}", "--workers", "2", "--chdir", "/app", "--pid", _PID),
        *("--max-requests", "40", "--access-logfile", "/var/log/shop.log", "app:app"),
    ],
    ready=_pages,
    rounds=[_pages, _uploads, _reports, _late],
    jobs={"reload": _reload},
    inside=JOBS,
    files={
        "/app/app.py": _APP,
        "/app/templates/index.html": "<h1>{{ name }}</h1>\n",
        "/etc/logrotate.d/shop": "/var/log/shop.log {\n daily\n rotate 5\n copytruncate\n compress\n dateext\n"
        " dateformat -%Y%m%d-%s\n}\n",
    },
    volumes=[_DATA],
    data=f"{_DATA}/uploads",
)
