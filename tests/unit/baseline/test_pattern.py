"""Path patterns: text and meaning agree, and no pattern opens what nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.baseline.patterns import pattern
from driftline.baseline.patterns.pattern import PatternError
from driftline.baseline.patterns.tokens import canonical
from unit.baseline.making import paths


@given(paths)
def test_a_literal_matches_its_path_and_reads_back(path: str) -> None:
    text = pattern.literal(path)
    assert pattern.plain(text) == path
    assert not pattern.is_pattern(text)
    assert pattern.matches(text, path)


@given(paths, paths)
def test_a_literal_matches_nothing_else(path: str, other: str) -> None:
    assert pattern.matches(pattern.literal(path), other) == (path == other)


@given(paths)
def test_the_canonical_form_of_a_path_matches_it(path: str) -> None:
    text = canonical(path)
    assert pattern.matches(pattern.literal(path) if text is path else text, path)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("/srv/*", "/srv/a", True),
        ("/srv/*", "/srv/", False),
        ("/srv/*", "/srv/a/b", False),
        ("/srv/a*", "/srv/a", True),
        ("/srv/*.log", "/srv/x.log.1", False),
        ("/srv/a*b*c", "/srv/a-b-b-c", True),
        ("/srv/a*b*c", "/srv/ac", False),
        ("/srv/**", "/srv/a/b/c", True),
        ("/srv/**", "/srv", False),
        ("/srv/*/x/**", "/srv/1/x/y", True),
        ("/srv/\\*", "/srv/*", True),
        ("/srv/\\*", "/srv/a", False),
        ("/srv/\\{num\\}", "/srv/{num}", True),
        ("/srv/\\{num\\}", "/srv/1234567", False),
        ("/srv/{num}", "/srv/1234567", True),
        ("/srv/{num}", "/srv/{num}", False),
        ("/srv/{num}/*", "/srv/1234567/a", True),
        ("/srv/{num}*", "/srv/1234567-a", True),
        ("/srv/{num}*", "/srv/abc", False),
        ("/srv/*}", "/srv/1234567", None),
    ],
)
def test_what_a_pattern_means(text: str, path: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(PatternError, match="offset"):
            pattern.matches(text, path)
    else:
        assert pattern.matches(text, path) is expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("srv/a", "begins with /"),
        ("", "begins with /"),
        ("/a/../b", "goes up"),
        ("/..", "goes up"),
        ("/a\n", "cannot be printed"),
        ("/a\x1b[2J", "cannot be printed"),
        ("/a\u202eb", "cannot be printed"),
        ("/a\udcff", "cannot be printed"),
        ("/a/{n}", "at offset 3"),
        ("/a/{", "at offset 3"),
        ("/a}", "at offset 2"),
        ("/a\\", "at offset 2"),
        ("/a\\b", "at offset 2"),
        ("/a/***", "at offset 3"),
        ("/a/**/b", "after the last /"),
        ("/a/b**", "after the last /"),
        ("/a/" + "*/" * 9, "more than 8 wildcards"),
        ("/*", "first segment"),
        ("/**", "first segment"),
        ("/*/x", "first segment"),
        ("/et*/shadow", "first segment"),
        ("/e*c/**", "first segment"),
        ("/etc/**", "everything in /etc"),
        ("/etc/*", "everything in /etc"),
        ("/usr/**", "everything in /usr"),
        ("/usr/*/*", "everything in /usr/bin"),
        ("/usr/b*/**", "everything in /usr/bin"),
        ("/proc/**", "everything in /proc"),
        ("/proc/*/*", "everything in /proc"),
        ("/proc/{pid}/*", "everything in /proc"),
        ("/root/**", "everything in /root"),
        ("/home/**", "everything in /home"),
        ("/home/*/.ssh/*", "everything in /home/*/.ssh"),
        ("/var/**", "everything in"),
        ("/run/**", "everything in /run/secrets"),
        ("/run/*/*", "everything in /run/secrets"),
        ("/var/lib/**", "everything in /var/lib"),
        ("/dev/**", "everything in /dev"),
    ],
)
def test_a_pattern_nobody_should_write_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint.replace("*", r"\*")):
        pattern.check(text)


@pytest.mark.parametrize(
    "text",
    [
        *("/srv/data/**", "/var/lib/postgresql/**", "/tmp/*", "/etc/nginx/conf.d/*", "/home/app/.cache/**"),
        *("/proc/{pid}/stat", "/proc/*/stat", "/usr/share/zoneinfo/**", "/run/nginx/*.sock", "/a\\*\\{\\}\\\\b", "/ä"),
    ],
)
def test_a_sensible_pattern_passes(text: str) -> None:
    pattern.check(text)


@given(st.text(st.sampled_from("ab/*{}\\num"), max_size=12))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        pattern.check_width(text)
    except PatternError:
        return
    assert pattern.is_pattern(text) == (pattern.plain(text) is None)
    pattern.matches(text, "/ab/num")
