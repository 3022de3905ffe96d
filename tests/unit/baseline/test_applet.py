"""Which name an exec goes by: applets are told apart, free text in argv[0] is not."""

from __future__ import annotations

import pytest

from driftline.baseline.applet import MAX_APPLET, absolute, invoked_name, names_by_argument
from driftline.nouns import RecordFlag
from unit.baseline.making import executed

SCRIPT = int(RecordFlag.SCRIPT)


@pytest.mark.parametrize(
    ("path", "invoked", "argv", "name"),
    [
        ("/usr/sbin/nginx", "/usr/sbin/nginx", ("nginx: worker process",), "nginx"),
        ("/bin/bash", "/bin/bash", ("-bash",), "bash"),
        ("/bin/bash", "bash", (), "bash"),
        ("/bin/busybox", "/bin/cat", ("cat", "/etc/passwd"), "cat"),
        ("/bin/busybox", "/bin/cat", ("nc", "-l"), "nc"),
        ("/bin/busybox", "/proc/self/exe", ("cat",), "cat"),
        ("/bin/busybox", "/proc/77/exe", ("ls",), "ls"),
        ("/bin/busybox", "/bin/busybox", ("nc",), "nc"),
        ("/bin/busybox", "/bin/busybox", ("busybox", "nc", "-l"), "nc"),
        ("/bin/busybox", "/bin/busybox", ("busybox",), "busybox"),
        ("/bin/busybox", "/bin/busybox", ("busybox", "not an applet"), "busybox"),
        ("/bin/busybox", "/bin/busybox", (), "busybox"),
        ("/bin/busybox.static", "/bin/sh", ("-sh",), "sh"),
        ("/usr/bin/coreutils", "/usr/bin/coreutils", ("coreutils", "--coreutils-prog=rm", "x"), "rm"),
        ("/usr/bin/python3.11", "/usr/bin/python3", ("/usr/bin/python3", "a.py"), "python3"),
        ("/usr/bin/dash", "/bin/sh", ("my worker: 3",), "sh"),
        ("/usr/bin/dash", "/bin/sh", ("x" * (MAX_APPLET + 1),), "sh"),
        ("/usr/bin/dash", "/proc/self/exe", ("my worker: 3",), "dash"),
        ("/usr/bin/prog", "/dev/fd/6", ("free text!",), "prog"),
        ("/bin/busybox", "/usr/bin/[", ("[", "-f", "x"), "["),
    ],
)
def test_name(path: str, invoked: str, argv: tuple[str, ...], name: str) -> None:
    assert invoked_name(executed(path, invoked, argv)) == name


@pytest.mark.parametrize(
    ("invoked", "cwd", "name"),
    [
        ("/app/run.sh", "/", "/app/run.sh"),
        ("run.sh", "/app", "/app/run.sh"),
        ("./run.sh", "/", "/run.sh"),
        ("../run.sh", "/app/", "/app/../run.sh"),
    ],
)
def test_a_script_goes_by_its_absolute_path(invoked: str, cwd: str, name: str) -> None:
    event = executed("/usr/bin/dash", invoked, ("/bin/sh", invoked), cwd=cwd, flags=SCRIPT)
    assert invoked_name(event) == name == absolute(invoked, cwd)


@pytest.mark.parametrize(
    ("path", "invoked", "argv", "flags", "expected"),
    [
        ("/bin/busybox", "/bin/cat", ("cat",), 0, False),
        ("/bin/busybox", "/bin/busybox", ("busybox", "cat"), 0, True),
        ("/bin/busybox", "/bin/busybox", (), 0, True),
        ("/usr/bin/dash", "/bin/sh", ("sh",), 0, False),
        ("/usr/bin/dash", "./run.sh", ("sh",), SCRIPT, True),
        ("/usr/bin/dash", "/run.sh", ("sh",), SCRIPT, False),
    ],
)
def test_what_a_key_of_file_name_and_first_argument_cannot_tell(
    path: str, invoked: str, argv: tuple[str, ...], flags: int, expected: bool
) -> None:
    assert names_by_argument(executed(path, invoked, argv, flags=flags)) is expected
