"""Which argument is the script: one line of a command, and the files it takes code from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.verdict.checks.interpreters import MAX_SCRIPTS, base_name, is_interpreter, scripts_of
from unit.baseline.making import hostile_text

COMMANDS = {
    "sh /tmp/x": ["/tmp/x"],
    "sh -e /tmp/x a b": ["/tmp/x"],
    "sh -c /tmp/x": [],
    "bash -ec 'true' x": [],
    "bash -euo pipefail run.sh": ["run.sh"],
    "bash -o pipefail run.sh": ["run.sh"],
    "bash --norc run.sh": ["run.sh"],
    "bash --rcfile /tmp/rc": ["/tmp/rc"],
    "bash --init-file=/tmp/rc run.sh": ["/tmp/rc", "run.sh"],
    "sh -- -odd": ["-odd"],
    "sh +x run.sh": ["run.sh"],
    "sh -s arg": [],
    "sh": [],
    "python3 /dev/shm/y.py": ["/dev/shm/y.py"],
    "python3.11 -B -u app.py --port 1": ["app.py"],
    "python -W ignore app.py": ["app.py"],
    "python -Wmodule app.py": ["app.py"],
    "python -Xfrozen_modules=off app.py": ["app.py"],
    "python -m http.server": [],
    "python -c pass x.py": [],
    "python -Bc pass": [],
    "python - x": [],
    "node /data/x.js": ["/data/x.js"],
    "node --inspect server.js": ["server.js"],
    "node -r ./hook.js server.js": ["./hook.js", "server.js"],
    "node --import=./hook.mjs server.js": ["./hook.mjs", "server.js"],
    "node -e 1": [],
    "deno run x.ts": ["x.ts"],
    "perl -w /tmp/x.pl": ["/tmp/x.pl"],
    "perl -I lib x.pl": ["x.pl"],
    "perl -Mstrict x.pl": ["x.pl"],
    "perl -ne print": [],
    "ruby -rsocket x.rb": ["x.rb"],
    "ruby -e 1": [],
    "php -f /tmp/x.php": ["/tmp/x.php"],
    "php -d a=b x.php": ["x.php"],
    "php -r 1": [],
    "php8.2 x.php": ["x.php"],
    "lua5.4 x.lua": ["x.lua"],
    "java -jar /tmp/x.jar": ["/tmp/x.jar"],
    "java -Xmx1g -cp /a.jar:/classes:/b.jar Main": ["/a.jar", "/b.jar"],
    "java Main": [],
    "awk -f /tmp/x.awk data": ["/tmp/x.awk"],
    "awk {print} data": [],
    "tclsh x.tcl": ["x.tcl"],
    "cat /tmp/x": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_script_of_a_command(command: str) -> None:
    name, *words = command.split()
    assert list(scripts_of(name, tuple(words))) == COMMANDS[command]


def test_versions_are_not_names() -> None:
    assert [base_name(name) for name in ("/usr/bin/python3.11", "perl5.36.0", "/bin/sh")] == ["python", "perl", "sh"]
    assert is_interpreter("php8.2")
    assert not is_interpreter("php-fpm8.2")
    assert not is_interpreter("nginx")


@given(st.sampled_from(("sh", "python3", "node", "java", "php", "perl")), st.lists(hostile_text, max_size=90))
def test_any_arguments_are_read_and_the_answer_is_bounded(name: str, words: list[str]) -> None:
    found = scripts_of(name, tuple(words))
    assert len(found) <= MAX_SCRIPTS
    assert all(found)
