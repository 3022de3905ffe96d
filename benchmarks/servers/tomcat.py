"""A Java application: JSP pages in Tomcat, compiled at their first request, sessions, uploads to a work directory.

In: nothing. Out: ``TOMCAT``. Next: ``servers``.
"""

from __future__ import annotations

from random import Random

from benchmarks.servers.server import JOBS, Running, Server, http

PORT = 8100
PAGES = 6
_BASE = "/var/lib/tomcat10"
_PAGE = """<%@ page import="java.nio.file.*, java.util.*" %>
<% Path where = Files.createTempFile(Paths.get("/var/lib/shop"), "order", ".tmp");
   Files.write(where, new Date().toString().getBytes());
   Files.move(where, Paths.get("/var/lib/shop", UUID.randomUUID() + ".txt"));
   session.setAttribute("seen", "{number}"); %>
<h1>{number} <%= request.getParameter("name") %></h1>
"""


def _pages(running: Running, chance: Random) -> None:
    for _ in range(chance.randint(1, 4)):
        http(running, PORT, f"/app/page{chance.randrange(PAGES)}.jsp?name={chance.random()}")
    http(running, PORT, chance.choice(("/app/", "/app/plain.txt", f"/{chance.random()}")))


TOMCAT = Server(
    name="tomcat",
    packages=["tomcat10"],
    start=["/usr/libexec/tomcat10/tomcat-start.sh"],
    user="tomcat",
    ready=_pages,
    rounds=[_pages],
    inside=JOBS,
    files={
        f"{_BASE}/webapps/app/plain.txt": "text\n",
        **{f"{_BASE}/webapps/app/page{number}.jsp": _PAGE.format(number=number) for number in range(PAGES)},
    },
    edits={"/etc/tomcat10/server.xml": ('port="8080"', f'port="{PORT}"')},
    environment={  # as the package's systemd unit has it
        "CATALINA_HOME": "/usr/share/tomcat10",
        "CATALINA_BASE": _BASE,
        "CATALINA_TMPDIR": "/tmp",
        "JAVA_OPTS": "-Djava.awt.headless=true -Xmx128m",
    },
    volumes=["/var/lib/shop"],
    data="/var/lib/shop",
)
