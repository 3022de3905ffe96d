"""Whatever a container called its files, every format stays valid, says the same again, and matches no less."""

from __future__ import annotations

import contextlib
import fnmatch
import ipaddress
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.baseline.export.common import ExportError
from driftline.baseline.export.formats import Policy, export
from driftline.baseline.export.globs import fixed_start, glob
from driftline.baseline.patterns.pattern import PatternError, decode, literal, matches
from driftline.baseline.patterns.tokens import canonical
from driftline.baseline.schema import Baseline
from driftline.nouns import EPHEMERAL, ConnectBehaviour
from driftline.text import escape
from unit.baseline.export import validating
from unit.baseline.export.making import EVIL, WANTED, baseline, baselines, behaviours

NAMES = ("1234", "0123456789abcdef0123456789abcdef", "tmp.Ab3dEf7h1J", "2026-11-23", "a b", "*", "x\\y", "{num}", "ü")


@given(baselines)
@settings(max_examples=40, deadline=None)
def test_yaml_formats_stay_valid(one: Baseline) -> None:
    for policy, validate in (
        (Policy.NETWORKPOLICY, validating.networkpolicy),
        (Policy.FALCO, validating.falco),
        (Policy.TETRAGON, validating.tetragon),
        (Policy.KUBEARMOR, validating.kubearmor),
    ):
        found = export(one, policy, WANTED)
        validate(found.text)
        assert all(line.isprintable() for line in found.text.split("\n"))
        assert export(one, policy, WANTED) == found


@given(baselines)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_apparmors_parser_takes_every_profile(one: Baseline) -> None:
    found = export(one, Policy.APPARMOR, WANTED)
    validating.apparmor(found.text)
    assert all(line.isprintable() for line in found.text.split("\n"))


@given(baselines)
def test_seccomp_decides_or_says_why(one: Baseline) -> None:
    with contextlib.suppress(ExportError):
        export(one, Policy.SECCOMP, WANTED)


@given(st.lists(behaviours, max_size=12).map(lambda found: baseline(*found)))
def test_a_networkpolicy_opens_what_the_baseline_connects_to_and_no_more(one: Baseline) -> None:
    expected = set()
    for behaviour in one.entries:
        if isinstance(behaviour, ConnectBehaviour) and behaviour.protocol in ("tcp", "udp") and behaviour.port:
            with contextlib.suppress(ValueError):
                network = ipaddress.ip_network(behaviour.address, strict=False)
                port = 32768 if behaviour.port == EPHEMERAL else behaviour.port
                expected.add((str(network), behaviour.protocol.upper(), port))
    rules = validating.networkpolicy(export(one, Policy.NETWORKPOLICY, WANTED).text)["spec"]["egress"]
    found = {
        (to["ipBlock"]["cidr"], port["protocol"], port["port"])
        for rule in rules
        for to in rule.get("to", [])
        for port in rule["ports"]
    }
    assert found == expected
    assert all(rule.get("to") or {port["port"] for port in rule["ports"]} == {53} for rule in rules)


def plain(char: str) -> str:
    """A character that means itself to fnmatch."""
    return f"[{char}]" if char in "*?[" else char


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_a_glob_matches_all_its_pattern_matches(names: list[str]) -> None:
    path = "/srv/" + "/".join(names)
    for pattern in (canonical(path), literal(path), "/srv/*", "/srv/x*/**", "/srv/**"):
        with contextlib.suppress(PatternError):
            if matches(pattern, path):
                assert fnmatch.fnmatchcase(path, glob(pattern, plain)), (pattern, path)
                assert path.startswith(fixed_start(pattern))


def test_the_evil_path_is_evil() -> None:
    """It holds what this is about: else the tests above would prove little."""
    assert escape(EVIL) != EVIL
    assert set("\"'\\{}*?[]^,#<>&%\n\x1b") <= set(EVIL)
    assert decode(literal(EVIL)) == EVIL
    assert re.search(r"\s", EVIL)
