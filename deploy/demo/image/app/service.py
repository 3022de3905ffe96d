"""The demo's victim: a small shop window with a debug endpoint that somebody forgot.

In: HTTP on the address in LISTEN. Out: pages from /app/pages, a price from the service in UPSTREAM, a line per request
in /var/log/web/access.log. ``POST /debug/eval`` runs the body as Python, ``POST /debug/shell`` in a shell: the hole
that the demo's attacks come through. Never run this anywhere else.
"""

import contextlib
import http.client
import io
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = "/app/pages"
LOG = "/var/log/web/access.log"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        if self.path == "/price":
            self._answer(_price())
        else:
            name = "index.html" if self.path == "/" else os.path.basename(self.path)
            with open(os.path.join(PAGES, name), "rb") as page:
                self._answer(page.read())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(_shell(body) if self.path == "/debug/shell" else _evaluate(body))

    def log_message(self, format: str, *arguments: object) -> None:
        with open(LOG, "a") as log:
            log.write(f"{self.client_address[0]} {format % arguments}\n")

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _price() -> bytes:
    host, _, port = os.environ["UPSTREAM"].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", "/price")
    content = connection.getresponse().read()
    connection.close()
    return content


def _shell(command: str) -> bytes:
    return subprocess.run(command, shell=True, capture_output=True, check=False).stdout


def _evaluate(source: str) -> bytes:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, "<debug>", "exec"), {"__name__": "debug"})
    return output.getvalue().encode()


if __name__ == "__main__":
    address, _, number = os.environ["LISTEN"].rpartition(":")
    print(f"listening on {address}:{number}", file=sys.stderr)
    ThreadingHTTPServer((address, int(number)), Handler).serve_forever()
