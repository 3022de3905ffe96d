"""``driftline baseline show``: what needs a decision first, what packages explain in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.decisions import with_excuse
from driftline.baseline.format.yamltext import from_yaml, to_yaml
from driftline.baseline.schema import Entry, Excuse, Standing
from driftline.cli.baseline_text import Wanted, lines
from driftline.nouns import Behaviour, ConnectBehaviour, OpenBehaviour
from unit.cli.baselines import DROPPED, HOUR, NOW, SHELL, Node, entry, identify, web


def test_the_head_says_what_it_is_and_why_it_may_be_incomplete(node: Node) -> None:
    text = node.run("show", "nginx").out
    assert "candidate, revision 1 (no person has approved it yet)" in text
    assert "no: attached late, losses 3" in text
    assert "5 m 12 s from 2 containers, 2 complete start-ups, nothing new for 1 m 3 s" in text


def test_what_needs_review_comes_first_with_check_reason_and_evidence(node: Node) -> None:
    text = node.run("show", "nginx").out
    review = text[text.index("NEEDS REVIEW (2)") : text.index("unconfirmed (1)")]
    assert f"{identify(SHELL)}  exec /bin/dash as sh by /usr/sbin/nginx\n" in review
    assert "NL-05 a server started a shell (T1505.003): " in review
    assert (
        f'{identify(DROPPED)}  exec "/tmp/\\x1b[31mx y\\x0a<b>\\u{{202e}}" as x by /bin/dash, from writable' in review
    )
    assert "3× in 1 of 2, 2026-11-23 14:30 to 2026-11-23 15:30 UTC" in review
    order = [
        text.index(word) for word in ("NEEDS", "unconfirmed", "\nexec", "\nconnect", "\nwrite", "\nread", "\nrejected")
    ]
    assert order == sorted(order)


def test_what_packages_and_directories_explain_is_one_line(node: Node) -> None:
    text = node.run("show", "nginx").out
    assert "40  files of nginx 1.22.1-9\n" in text
    assert "7  files of libc6 2.36-9+deb12u4\n" in text
    assert "9  files in /srv/www\n" in text
    assert "read /etc/passwd  (3× in 1 of 2)" in text
    assert len(text.splitlines()) < 60
    everything = node.run("show", "nginx", "--all").out
    assert everything.count("read /usr/share/nginx/") == 40


def test_a_pattern_shows_what_it_came_from(node: Node) -> None:
    text = node.run("show", "nginx").out
    assert "write /var/lib/nginx/{num}/**  (3× in 1 of 2)\n" in text
    assert "such as /var/lib/nginx/1/a, /var/lib/nginx/2/\\x07\n" in text


def test_filters(node: Node) -> None:
    only = node.run("show", "nginx", "--needs-review").out
    assert "exec /bin/dash" in only
    assert "exec /usr/sbin/nginx as" not in only
    assert node.run("show", "nginx", "--needs-review", "--section", "load").out.endswith("nothing needs review\n")
    connects = node.run("show", "nginx", "--section", "connect").out
    assert "connect tcp 10.0.3.0/24 port 443" in connects
    assert "exec /bin/dash" not in connects
    assert {one["section"] for one in node.json("show", "nginx", "--section", "load")["behaviours"]} == {"load"}


def test_as_json_with_ids_to_decide_by(node: Node) -> None:
    found = node.json("show", "nginx")
    assert len(found["behaviours"]) == 64
    review = node.json("show", "nginx", "--needs-review")["behaviours"]
    assert [(one["id"], one["standing"]) for one in review] == [
        (identify(SHELL), "needs-review"),
        (identify(DROPPED), "needs-review"),
    ]
    assert review[1]["checks"][0] == {"id": "NL-01", "title": "code that is not the image's"}
    assert review[1]["origin"] == "writable"


def test_as_yaml_and_of_a_file(node: Node, tmp_path: Path) -> None:
    assert from_yaml(node.run("show", "nginx", "--yaml").out) == node.one()
    path = tmp_path / "b.yaml"
    path.write_text(to_yaml(web()))
    assert "NEEDS REVIEW (2)" in node.run("show", str(path)).out
    status, _, err = node.run("show", "nginx", "--yaml", "--all")
    assert (status, "leave the other options away" in err) == (2, True)


def test_of_a_revision(node: Node) -> None:
    node.run("reject", "nginx", "--all-needs-review", "--reason", "no")
    assert "NEEDS REVIEW (2)" in node.run("show", "nginx@1").out
    assert "NEEDS REVIEW" not in node.run("show", "nginx@2").out


@pytest.mark.parametrize(("ends", "said"), [(0, "for good"), (NOW + HOUR, "until 2026-11-23"), (NOW - 1, "EXPIRED")])
def test_an_excuse_and_whether_it_still_holds(ends: int, said: str) -> None:
    baseline = with_excuse(web(), Excuse("NL-08", "it \x1b builds", "ann", ends))
    (line,) = [text for text, _ in lines(baseline, Wanted(), NOW) if text.startswith("excused")]
    assert said in line
    assert "it \\x1b builds" in line


def test_a_group_without_end_is_cut_and_says_so() -> None:
    many: dict[Behaviour, Entry] = {
        ConnectBehaviour("tcp", f"10.0.{place // 256}.{place % 256}", 80): entry() for place in range(300)
    }
    texts = [text for text, _ in lines(replace(web(), entries=many), Wanted(), NOW)]
    assert "  and 200 more (--all lists them)" in texts
    assert sum("connect tcp" in text for text in texts) == 100
    everything = [text for text, _ in lines(replace(web(), entries=many), Wanted(everything=True), NOW)]
    assert sum("connect tcp" in text for text in everything) == 300


def test_what_was_approved_despite_a_check_says_so() -> None:
    approved = replace(web(), entries={OpenBehaviour("/etc/shadow", "read"): entry(Standing.ALLOWED, "NL-13")})
    assert any("approved despite NL-13" in text for text, _ in lines(approved, Wanted(), NOW))


def test_a_check_of_another_version_is_no_error() -> None:
    unknown = replace(web(), entries={SHELL: entry(Standing.NEEDS_REVIEW, "NL-\x1b99")})
    assert any("NL-\\x1b99: a check this version does not know" in text for text, _ in lines(unknown, Wanted(), NOW))
