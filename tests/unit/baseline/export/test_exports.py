"""Each format: valid by its own validator, holding what the baseline allows and nothing else, saying what it cannot."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from driftline.baseline.export.common import Effect, Exported, ExportError, Wanted
from driftline.baseline.export.formats import Policy, export
from driftline.baseline.format.canonical import version_of
from driftline.baseline.patterns.pattern import literal
from driftline.baseline.schema import Baseline
from driftline.nouns import EPHEMERAL, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour
from unit.baseline.export import validating
from unit.baseline.export.making import (
    ALL,
    CONFIG,
    DATA,
    DNS,
    EVIL,
    HTTPS,
    KEY,
    LIBC,
    LOCAL,
    NAMED,
    PLUGIN,
    SERVER,
    SOCKET,
    WANTED,
    baseline,
)

COMMENTED = [policy for policy in Policy if policy is not Policy.SECCOMP]
OCI = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {"names": ["connect", "read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["connect"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
    ],
}


def made(policy: Policy, one: Baseline, wanted: Wanted = WANTED) -> Exported:
    return export(one, policy, wanted)


def gap(found: Exported, words: str) -> tuple[Effect, int]:
    """The one gap that has ``words`` in it."""
    (one,) = [one for one in found.gaps if words in one.what]
    return one.effect, one.count


# --- every format -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", COMMENTED)
def test_it_begins_with_what_it_is_of_and_what_it_cannot_say(policy: Policy) -> None:
    one = baseline(*ALL, partial=("attached late",), losses=2)
    found = made(policy, one)
    comments = "".join(line for line in found.text.splitlines(keepends=True) if line.startswith("#"))
    assert found.text.startswith(comments)
    for words in ("docker.io/library/nginx:1.22", KEY, version_of(one), "revision 3", "attached late, losses 2"):
        assert words in comments
    assert found.gaps
    assert all(one.sentence in comments for one in found.gaps)


@pytest.mark.parametrize("policy", COMMENTED)
def test_the_same_baseline_gives_the_same_text_in_any_order(policy: Policy) -> None:
    assert made(policy, baseline(*ALL)) == made(policy, baseline(*reversed(ALL)))


@pytest.mark.parametrize("policy", COMMENTED)
def test_only_what_is_allowed_is_in_it(policy: Policy) -> None:
    waiting = (
        ExecBehaviour("/bin/waiting", "w", "", False),
        OpenBehaviour("/etc/waiting", "write"),
        LoadBehaviour("/lib/waiting.so"),
        ConnectBehaviour("tcp", "203.0.113.77", 4444),
    )
    with_them, without = made(policy, baseline(*ALL, others=waiting)), made(policy, baseline(*ALL))
    body = with_them.text.partition("# not in it: what is needs-review (4)\n")[2]
    assert body
    assert not re.search("waiting|203.0.113.77|4444", body)
    assert body == re.sub(r"\A.*?revision 3\)\n", "", without.text, flags=re.DOTALL)


@pytest.mark.parametrize("policy", COMMENTED)
def test_a_workloads_overlay_comes_with_its_image(policy: Policy) -> None:
    overlay = baseline(ConnectBehaviour("tcp", "10.9.9.9", 5432), workload="shop/web")
    found = export(overlay, policy, WANTED, baseline(*ALL))
    assert "with the image's own: sha256:" in found.text
    if policy is Policy.NETWORKPOLICY:
        document = validating.networkpolicy(found.text)
        assert document["metadata"]["namespace"] == "shop"
        blocks = [to["ipBlock"]["cidr"] for rule in document["spec"]["egress"] for to in rule.get("to", [])]
        assert sorted(blocks) == ["10.0.3.0/24", "10.9.9.9/32", "2001:db8::/64"]


@pytest.mark.parametrize("policy", [Policy.NETWORKPOLICY, Policy.TETRAGON, Policy.KUBEARMOR])
def test_a_policy_for_every_pod_is_refused(policy: Policy) -> None:
    with pytest.raises(ExportError, match="must say which pods it is for"):
        export(baseline(*ALL), policy, Wanted())


# --- NetworkPolicy ----------------------------------------------------------------------------------------------------


def egress(*connects: ConnectBehaviour) -> tuple[Any, Exported]:
    found = made(Policy.NETWORKPOLICY, baseline(*connects))
    return validating.networkpolicy(found.text)["spec"]["egress"], found


def test_networks_that_are_reached_at_the_same_ports_share_a_rule() -> None:
    rules, _ = egress(HTTPS, ConnectBehaviour("tcp", "10.0.9.9", 443), ConnectBehaviour("udp", "10.0.9.9", EPHEMERAL))
    https, both = {"protocol": "TCP", "port": 443}, {"protocol": "UDP", "port": 32768, "endPort": 60999}
    assert {"to": [{"ipBlock": {"cidr": "10.0.3.0/24"}}], "ports": [https]} in rules
    assert {"to": [{"ipBlock": {"cidr": "10.0.9.9/32"}}], "ports": [https, both]} in rules
    assert len(rules) == 2


def test_dns_is_allowed_only_where_it_was_used() -> None:
    rules, found = egress(DNS)
    assert rules == [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]
    assert gap(found, "DNS is allowed to any server") == (Effect.WIDER, 0)
    assert egress(HTTPS)[0][-1]["to"]


def test_without_connects_nothing_may_go_out() -> None:
    assert egress()[0] == []
    assert egress(LOCAL, SOCKET, ConnectBehaviour("tcp", "self", 80))[0] == []


def test_what_it_cannot_say_of_connects() -> None:
    _, found = egress(NAMED, LOCAL, SOCKET, ConnectBehaviour("icmp", "10.0.0.1", 0), ConnectBehaviour("tcp", "::1x", 1))
    assert gap(found, "host names") == (Effect.NARROWER, 2)
    assert gap(found, "never leave the pod") == (Effect.UNSAID, 1)
    assert gap(found, "Unix sockets") == (Effect.UNSAID, 1)
    assert gap(found, "protocols or ports") == (Effect.NARROWER, 1)


# --- AppArmor ---------------------------------------------------------------------------------------------------------


def rules(*behaviours: Any) -> list[str]:
    text = made(Policy.APPARMOR, baseline(*behaviours)).text
    validating.apparmor(text)
    return [line.strip() for line in text.splitlines() if line.startswith('  "')]


def test_files_programs_and_libraries_have_their_modes() -> None:
    assert rules(SERVER, LIBC, CONFIG, DATA) == [
        '"/etc/nginx/nginx.conf{,/}" r,',
        '"/lib/libc.so.6" rm,',
        '"/usr/sbin/nginx" rmix,',
        '"/var/lib/nginx/[0-9]*/**" rw,',
    ]


def test_a_script_may_be_executed_under_its_own_name() -> None:
    """What runs is the interpreter; what AppArmor and KubeArmor ask about is the script."""
    script = ExecBehaviour("/bin/dash", "/entry point.sh", "", False)
    assert rules(script) == ['"/bin/dash" rmix,', '"/entry point.sh" rix,']
    spec = validating.kubearmor(made(Policy.KUBEARMOR, baseline(script)).text)["spec"]
    assert spec["process"]["matchPaths"] == [{"path": "/bin/dash"}, {"path": "/entry point.sh"}]
    assert falco(script)[0]["driftline_nginx_ab12ab12_programs"]["items"] == ["/bin/dash"]


def test_hostile_names_mean_themselves_to_the_parser() -> None:
    """The parser prints what it made of a path: bytes as they are, what means something in a glob escaped."""
    text = made(Policy.APPARMOR, baseline(OpenBehaviour(literal(EVIL), "read"))).text
    said = validating.apparmor(text, "--dump", "rule-exprs")
    path = EVIL
    for char in "\\*?[]{}^":
        path = path.replace(char, f"\\{char}")
    assert f"aare: {path}{{,/}}   ->" in said


def test_code_from_one_place_is_said_to_be_from_any() -> None:
    found = made(Policy.APPARMOR, baseline(PLUGIN))
    assert gap(found, "from one place only") == (Effect.WIDER, 1)


# --- Falco ------------------------------------------------------------------------------------------------------------


def falco(*behaviours: Any, **fields: Any) -> tuple[dict[str, Any], Exported]:
    found = made(Policy.FALCO, baseline(*behaviours, **fields))
    items = validating.falco(found.text)
    return {item.get("rule") or item.get("macro") or item.get("list"): item for item in items[1:]}, found


def test_rules_hold_lists_of_what_is_expected() -> None:
    items, found = falco(*ALL)
    start = "driftline_nginx_ab12ab12"
    assert items[f"{start}_container"]["condition"] == f"container.id != host and container.image.digest = {KEY}"
    assert items[f"{start}_programs"]["items"] == ["/usr/sbin/nginx"]
    assert items[f"{start}_written_programs"]["items"] == ["/data/plugin"]
    assert "fd.name glob /var/lib/nginx/[0-9]*/**" in items[f"{start}_expected_write"]["condition"]
    connects = items[f"{start}_expected_connect"]["condition"]
    assert 'fd.l4proto = tcp and fd.sport = 443 and fd.snet in ("10.0.3.0/24")' in connects
    assert "fd.sip.name = api.example.com" in connects
    assert items["Drift of driftline-nginx-ab12ab12: read file"]["enabled"] is False
    assert gap(found, "libraries") == (Effect.UNSAID, 1)


def test_a_path_that_needs_quotes_is_left_out_and_said() -> None:
    items, found = falco(ExecBehaviour(EVIL, "x", "", False), OpenBehaviour(literal(EVIL), "write"))
    assert not [name for name in items if "expected" in name]
    assert "srv" not in json.dumps(items)
    assert gap(found, "need quotes") == (Effect.NARROWER, 1)


def test_an_image_without_a_digest_is_said() -> None:
    _, found = falco(SERVER, key="container:\x1babc def")
    assert gap(found, "no known digest") == (Effect.NARROWER, 0)


# --- Tetragon ---------------------------------------------------------------------------------------------------------


def probes(*behaviours: Any) -> dict[str, Any]:
    document = validating.tetragon(made(Policy.TETRAGON, baseline(*behaviours)).text)
    return {
        probe["call"]: [one.get("matchArgs") for one in probe["selectors"]] for probe in document["spec"]["kprobes"]
    }


def test_what_is_not_in_the_baseline_is_posted() -> None:
    found = probes(*ALL)
    assert found["security_bprm_creds_from_file"] == [
        [{"index": 1, "operator": "NotEqual", "values": ["/data/plugin", "/usr/sbin/nginx"]}]
    ]
    assert {"index": 0, "operator": "NotPrefix", "values": ["/var/lib/nginx/"]} in found["security_file_permission"][0]


def test_a_port_is_bound_to_its_addresses() -> None:
    found = probes(HTTPS, ConnectBehaviour("tcp", "10.1.1.1", 5432), LOCAL)["tcp_connect"]
    assert found[0][0] == {"index": 0, "operator": "DPort", "values": ["443"]}
    assert found[0][1] == {"index": 0, "operator": "NotDAddr", "values": ["10.0.3.0/24"]}
    assert found[-1] == [{"index": 0, "operator": "NotDPort", "values": ["443", "5432", "8080"]}]


def test_more_ports_than_selectors_are_said_to_be_mixed() -> None:
    many = [ConnectBehaviour("tcp", f"10.0.0.{port}", port) for port in range(1, 9)]
    found = made(Policy.TETRAGON, baseline(*many))
    validating.tetragon(found.text)
    assert gap(found, "five selectors") == (Effect.WIDER, 0)


def test_without_connects_every_one_is_posted() -> None:
    assert probes(SERVER)["tcp_connect"] == [None]


def test_a_namespace_makes_it_namespaced() -> None:
    found = validating.tetragon(made(Policy.TETRAGON, baseline(), Wanted(WANTED.labels, "shop", "web")).text)
    assert (found["kind"], found["metadata"]) == ("TracingPolicyNamespaced", {"name": "web", "namespace": "shop"})


# --- KubeArmor --------------------------------------------------------------------------------------------------------


def test_an_allow_list_of_what_it_can_say() -> None:
    found = made(Policy.KUBEARMOR, baseline(*ALL, OpenBehaviour("/srv/cache/**", "read")))
    spec = validating.kubearmor(found.text)["spec"]
    assert spec["process"]["matchPaths"] == [{"path": "/data/plugin"}, {"path": "/usr/sbin/nginx"}]
    assert {"path": "/etc/nginx/nginx.conf", "readOnly": True} in spec["file"]["matchPaths"]
    assert spec["file"]["matchDirectories"] == [{"dir": "/srv/cache/", "recursive": True, "readOnly": True}]
    assert spec["file"]["matchPatterns"] == [{"pattern": "/var/lib/nginx/[0-9]*/**"}]
    assert spec["network"]["matchProtocols"] == [{"protocol": "tcp"}, {"protocol": "udp"}]
    assert gap(found, "addresses and ports") == (Effect.WIDER, 5)


def test_a_path_it_would_take_for_a_pattern_is_left_out() -> None:
    found = made(Policy.KUBEARMOR, baseline(ExecBehaviour("/usr/bin/[", "[", "", False)))
    assert "process" not in validating.kubearmor(found.text)["spec"]
    assert gap(found, "take for patterns") == (Effect.NARROWER, 1)


# --- seccomp ----------------------------------------------------------------------------------------------------------


def test_where_nothing_connects_connect_is_refused() -> None:
    found = made(Policy.SECCOMP, baseline(SERVER, CONFIG), Wanted(base=OCI))
    profile = validating.seccomp(found.text)
    assert profile["syscalls"] == [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["connect"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    ]
    assert profile["defaultAction"] == OCI["defaultAction"]
    assert found.gaps


@pytest.mark.parametrize(
    ("one", "base", "words"),
    [
        (baseline(SERVER, HTTPS), OCI, "it connects"),
        (baseline(SERVER, SOCKET), OCI, "it connects"),
        (baseline(SERVER, losses=1), OCI, "only a complete one"),
        (baseline(SERVER, others=(HTTPS,)), OCI, "only a complete one"),
        (baseline(SERVER), None, "a profile replaces the runtime's own"),
        (baseline(SERVER), {}, "no defaultAction"),
        (baseline(SERVER), {"defaultAction": "x", "syscalls": [{"names": [1]}]}, "no list of rules"),
    ],
)
def test_where_nothing_can_be_decided_it_says_why(one: Baseline, base: Any, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        made(Policy.SECCOMP, one, Wanted(base=base))
