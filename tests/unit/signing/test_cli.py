"""``driftline baseline keygen, sign, verify``, and what import, export, list and show make of signatures."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from driftline.baseline.format.yamltext import to_yaml
from driftline.baseline.schema import Baseline, State
from driftline.baseline.signing.keys import to_pem
from driftline.nouns import LoadBehaviour
from unit.cli.baselines import OLD, SERVER, Node, entry, web
from unit.signing.making import baseline, inner, key, outer, put, signed, trust

NAME = "docker.io/library/nginx:1.22"


@pytest.fixture
def node(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node with one baseline, and the keys of some people in its directory."""
    monkeypatch.delenv("DRIFTLINE_KEY_PASSPHRASE", raising=False)
    made = Node(tmp_path, capsys)
    made.store.commit(replace(web(), partial=(), losses=0), "agent", "learn", "complete")
    for name in ("alice", "carl", "mallory"):
        private, public = to_pem(key(name), b"")
        (tmp_path / f"{name}.key").write_bytes(private)
        (tmp_path / f"{name}.pub").write_bytes(public)
    return made


def sign(node: Node, name: str, *words: str, what: str = "nginx") -> str:
    ran = node.run("sign", what, "--key", str(node.directory / f"{name}.key"), *words)
    assert ran.status == 0, ran.err
    return ran.out


def keys(node: Node, *names: str) -> list[str]:
    return [word for name in names for word in ("--key", str(node.directory / f"{name}.pub"))]


def test_sign_and_verify_what_is_in_force(node: Node) -> None:
    out = sign(node, "alice", "--expires", "90d")
    assert out.splitlines()[0].startswith(f"{NAME}: candidate, revision 1 (sha256:")
    assert f"signed by {key('alice').public.id} until " in out
    sign(node, "carl")
    ran = node.run("verify", "nginx", *keys(node, "alice", "carl"), "--threshold", "2")
    assert ran.status == 0
    assert ran.out.count("signed by SHA256:") == 2
    found = json.loads(node.run("verify", "nginx", *keys(node, "alice"), "--json").out)
    assert found["signed_by"] == [{"id": key("alice").public.id, "file": "alice.pub"}]
    assert found["revision"] == 1
    assert found["expires"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), "no key is trusted"),
        (("mallory",), "0 of 1 needed signatures are by trusted keys"),
        (("alice", "mallory", "--threshold", "2"), "1 of 2 needed signatures are by trusted keys"),
        (("alice", "alice", "--threshold", "2"), "2 signatures needed, and only 1 key trusted"),
    ],
)
def test_verify_refuses_with_exit_status_9(node: Node, words: tuple[str, ...], wanted: str) -> None:
    sign(node, "alice")
    names = [word for word in words if word in {"alice", "mallory"}]
    ran = node.run("verify", "nginx", *keys(node, *names), *words[len(names) :])
    assert ran.status == 9
    assert wanted in ran.err


def test_a_change_needs_new_signatures_and_the_old_ones_stay_with_the_old_revision(node: Node) -> None:
    sign(node, "alice")
    before = node.store.signatures(node.one())
    assert node.run("reject", "nginx", "read /etc/passwd", "--reason", "no").status == 0
    ran = node.run("verify", "nginx", *keys(node, "alice"))
    assert (ran.status, "nobody signed" in ran.err) == (9, True)
    assert node.run("export", "nginx", "--signed").status == 9
    old = node.directory / "old"
    assert node.run("export", "nginx@1", "--signed", "-o", str(old)).status == 0
    assert old.read_bytes() == before
    sign(node, "alice")
    assert node.run("verify", "nginx", *keys(node, "alice")).status == 0


def test_promoting_makes_another_revision_of_the_same_version(node: Node) -> None:
    sign(node, "alice")
    assert node.run("promote", "nginx", "--reason", "looked at it", "--force").status == 0
    ran = node.run("verify", "nginx", *keys(node, "alice"))
    assert "revision 1 was signed, 2 is in force" in ran.err
    assert "of something else, and dropped" in sign(node, "alice")


def test_a_tampered_file_does_not_verify(node: Node) -> None:
    """Counts, times and sources are signed too."""
    sign(node, "alice")
    one = node.one()
    entries = {**one.entries, SERVER: replace(one.entries[SERVER], count=4)}
    put(node.directory, replace(one, entries=entries))
    ran = node.run("verify", "nginx", *keys(node, "alice"))
    assert (ran.status, "what is in force is not what was signed" in ran.err) == (9, True)
    assert node.json("list")[0]["signatures"] == 0


def test_the_expiry_is_the_same_for_all_signers(node: Node) -> None:
    sign(node, "alice", "--expires", "2027-01-31")
    ran = node.run("sign", "nginx", "--key", str(node.directory / "carl.key"), "--expires", "1d")
    assert ran.status == 9
    assert "others signed it until 2027-02-01 00:00 UTC" in ran.err
    out = sign(node, "carl", "--expires", "1d", "--anew")
    assert out.endswith("; 1 signature\n")


def test_an_expired_one_does_not_verify(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(node, "alice", "--expires", "1d")
    later = time.time_ns() + 2 * 24 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    ran = node.run("verify", "nginx", *keys(node, "alice"))
    assert (ran.status, "it expired on" in ran.err) == (9, True)
    assert "EXPIRED on" in node.run("show", "nginx").out


def test_what_is_still_learned_cannot_be_signed(node: Node) -> None:
    put(node.directory, replace(node.one(), state=State.LEARNING))
    ran = node.run("sign", "nginx", "--key", str(node.directory / "alice.key"))
    assert ran.status == 9
    assert "still being learned" in ran.err


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_signed_beside_it_and_others_add_theirs(node: Node) -> None:
    """As in git: no node is needed."""
    path = node.directory / "nginx.yaml"
    path.write_text(to_yaml(replace(baseline(), revision=0)))
    made = node.directory / "nginx.dsse.json"
    assert "revision 4" in sign(node, "alice", "--revision", "4", "--expires", "90d", what=str(path))
    sign(node, "carl", what=str(made))
    assert len(outer(made.read_bytes())["signatures"]) == 2
    assert inner(made.read_bytes())["predicate"]["revision"] == 4
    assert node.run("verify", str(made), *keys(node, "alice", "carl"), "--threshold", "2").status == 0
    assert f"by {key('carl').public.id} (not verified" in node.run("show", str(made)).out


def test_signing_never_overwrites_another_file(node: Node) -> None:
    path, other = node.directory / "nginx.yaml", node.directory / "notes.txt"
    path.write_text(to_yaml(baseline()))
    other.write_text("mine")
    ran = node.run("sign", str(path), "--key", str(node.directory / "alice.key"), "-o", str(other))
    assert ran.status == 2
    assert other.read_text() == "mine"


def test_import_puts_a_signed_file_in_force_exactly_as_it_is(node: Node) -> None:
    path = node.directory / "x.dsse.json"
    path.write_bytes(signed("alice", one=baseline(7)))
    trust(node.directory / "trust", "alice")
    ran = node.run("import", str(path))
    assert ran.status == 0, ran.err
    assert "(alice.pub)" in ran.out
    assert node.one() == baseline(7)
    again = node.directory / "again"
    assert node.run("export", "nginx", "--signed", "-o", str(again)).status == 0
    assert again.read_bytes() == path.read_bytes()
    assert node.run("import", str(path)).status == 0  # once more does no harm


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (signed("mallory", one=baseline(7)), "0 of 1 needed signatures"),
        (signed("alice", one=baseline(7), expires_ns=1), "it expired on"),
        (signed("alice", one=baseline(1)), "revision 1 of sha256:"),
        (signed("alice", one=baseline(7)).replace(b"application/vnd", b"application/vne"), "payloadType"),
    ],
    ids=["wrong", "expired", "number taken", "type"],
)
def test_import_refuses_and_changes_nothing(node: Node, data: bytes, wanted: str) -> None:
    sign(node, "carl")
    before = node.one()
    (node.directory / "x.dsse.json").write_bytes(data)
    ran = node.run("import", str(node.directory / "x.dsse.json"), "--trust", str(trust(node.directory / "t", "alice")))
    assert ran.status != 0
    assert wanted in ran.err
    assert node.one() == before


def test_what_the_node_made_itself_gives_way_to_a_signed_one_of_any_number(node: Node) -> None:
    """Every node counts what it learned from 1."""
    assert node.run("promote", "nginx", "--reason", "ok", "--force").status == 0
    path = node.directory / "x.dsse.json"
    path.write_bytes(signed("alice", one=baseline(1)))
    ran = node.run("import", str(path), *keys(node, "alice"))
    assert ran.status == 0, ran.err
    assert node.one() == baseline(1)
    assert [one.number for one in node.store.revisions(OLD)] == [1]
    aside = node.store.directory(OLD) / "revisions.own"
    assert sorted(one.name for one in aside.iterdir()) == ["000001.msgpack", "000002.msgpack"]
    assert node.run("promote", "nginx", "--reason", "ok", "--force").status == 0
    assert node.one().revision == 2


def test_a_rollback_gives_way_although_somebody_signed_what_it_went_back_to(node: Node) -> None:
    """Its contents, and so its version, are those of the signed revision; it is not that revision."""
    path = node.directory / "x.dsse.json"
    more = {**baseline().entries, LoadBehaviour("/more.so"): entry()}
    for one in (baseline(2), baseline(3, entries=more)):
        path.write_bytes(signed("alice", one=one))
        assert node.run("import", str(path), *keys(node, "alice")).status == 0
    assert node.run("rollback", "nginx", "2", "--reason", "too wide").status == 0
    assert node.one().revision == 4
    again = baseline(4, entries=more)
    path.write_bytes(signed("alice", one=again))
    ran = node.run("import", str(path), *keys(node, "alice"))
    assert ran.status == 0, ran.err
    assert node.one() == again


def test_import_without_trusted_keys_says_so_and_does_not_widen(node: Node) -> None:
    more = {**baseline().entries, LoadBehaviour("/more.so"): entry()}
    path = node.directory / "x.dsse.json"
    path.write_bytes(signed("mallory", one=baseline(7, entries=more)))
    ran = node.run("import", str(path))
    assert ran.status == 2
    assert "NOT verified" in ran.out
    assert node.run("import", str(path), "--widen").status == 0


def test_an_unsigned_import_still_wants_a_reason(node: Node) -> None:
    path = node.directory / "x.yaml"
    path.write_text(to_yaml(baseline(7)))
    assert "reason" in node.run("import", str(path)).err


# --- list and show ----------------------------------------------------------------------------------------------------


def test_list_and_show_say_who_signed(node: Node) -> None:
    assert node.json("list")[0]["signatures"] == 0
    assert "signed      no" in node.run("show", "nginx").out
    sign(node, "alice")
    sign(node, "carl")
    assert node.json("list")[0]["signatures"] == 2
    trust(node.directory / "trust", "carl")
    out = node.run("show", "nginx").out
    assert f"signed      by {key('carl').public.id} (carl.pub)" in out
    assert f"signed      by {key('alice').public.id} (not by a trusted key)" in out
    found = node.json("show", "nginx")["signed"]
    assert {one["id"]: one["trusted_as"] for one in found["by"]} == {
        key("carl").public.id: "carl.pub",
        key("alice").public.id: None,
    }


def test_a_damaged_envelope_is_shown_as_one(node: Node) -> None:
    sign(node, "alice")
    [path] = (node.store.directory(OLD) / "signatures").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    assert "signed      no: no DSSE envelope" in node.run("show", "nginx").out
    assert node.json("list")[0]["signatures"] == 0


# --- keys -------------------------------------------------------------------------------------------------------------


def run_keygen(node: Node, *words: str) -> tuple[int, str]:
    """It has no state directory."""
    from driftline.cli import main

    node._capsys.readouterr()
    status = main.run(["baseline", "keygen", *words])
    return status, "".join(node._capsys.readouterr())


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_keygen_makes_a_pair_nobody_else_can_read(node: Node, kind: str) -> None:
    name = node.directory / "dora"
    secret = node.directory / "secret"
    secret.write_text("correct horse\n")
    status, said = run_keygen(node, str(name), "--type", kind, "--passphrase-file", str(secret))
    assert status == 0
    assert "(encrypted)" in said
    assert stat.S_IMODE(os.stat(f"{name}.key").st_mode) == 0o600
    assert run_keygen(node, str(name))[0] == 2  # never over an old one
    assert node.run("sign", "nginx", "--key", f"{name}.key").status == 9
    assert node.run("sign", "nginx", "--key", f"{name}.key", "--passphrase-file", str(secret)).status == 0
    assert node.run("verify", "nginx", "--key", f"{name}.pub").status == 0


def test_the_passphrase_may_come_from_the_environment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_KEY_PASSPHRASE", "x" * 20)
    assert "(encrypted)" in run_keygen(node, str(node.directory / "e"))[1]
    assert node.run("sign", "nginx", "--key", str(node.directory / "e.key")).status == 0
    monkeypatch.setenv("DRIFTLINE_KEY_PASSPHRASE", "wrong")
    ran = node.run("sign", "nginx", "--key", str(node.directory / "e.key"))
    assert (ran.status, "passphrase is wrong" in ran.err) == (9, True)


def test_an_unencrypted_key_is_said_to_be_one(node: Node) -> None:
    assert "(NOT encrypted)" in run_keygen(node, str(node.directory / "f"))[1]


def test_what_is_signed_is_what_the_store_has(node: Node) -> None:
    sign(node, "alice")
    one = node.one()
    assert isinstance(one, Baseline)
    assert node.store.is_signed(one)
    assert inner(node.store.signatures(one) or b"")["predicate"]["baseline"]["image"] == NAME
