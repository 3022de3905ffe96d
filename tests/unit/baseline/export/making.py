"""Baselines with hostile names in them, for the tests of every format."""

from __future__ import annotations

from hypothesis import strategies as st

from driftline.baseline.export.common import Wanted
from driftline.baseline.patterns.pattern import CLASSES, literal
from driftline.baseline.schema import LEARNED, Baseline, Entry, Standing, State
from driftline.nouns import (
    EPHEMERAL,
    Behaviour,
    ConnectBehaviour,
    ExecBehaviour,
    LoadBehaviour,
    OpenBehaviour,
    Origin,
)
from unit.baseline.making import hostile_text

KEY = "sha256:" + "ab12" * 16
WANTED = Wanted(labels=(("app", "web"),))
EVIL = "/srv/\x1b[31m a\"b'c\\d{e}*f?[g]^,#h\n\udcff<>&%\u202e"
"""A raw path with everything some format gives a meaning."""

SERVER = ExecBehaviour("/usr/sbin/nginx", "nginx", "", False)
PLUGIN = ExecBehaviour("/data/plugin", "plugin", "/usr/sbin/nginx", False, "writable")
LIBC = LoadBehaviour("/lib/libc.so.6")
CONFIG = OpenBehaviour("/etc/nginx/nginx.conf", "read")
DATA = OpenBehaviour("/var/lib/nginx/{num}/**", "write")
HTTPS = ConnectBehaviour("tcp", "10.0.3.0/24", 443)
DNS = ConnectBehaviour("udp", "resolver", 53)
NAMED = ConnectBehaviour("tcp", "api.example.com", 443)
LOCAL = ConnectBehaviour("tcp", "loopback", 8080)
SOCKET = ConnectBehaviour("unix", "/run/x.sock", 0)
REPLY = ConnectBehaviour("udp", "2001:db8::/64", EPHEMERAL)

ALL: tuple[Behaviour, ...] = (SERVER, PLUGIN, LIBC, CONFIG, DATA, HTTPS, DNS, NAMED, LOCAL, SOCKET, REPLY)


def entry(standing: Standing = Standing.ALLOWED) -> Entry:
    return Entry(LEARNED, 1, 2, 3, frozenset({"c1"}), standing)


def baseline(*behaviours: Behaviour, others: tuple[Behaviour, ...] = (), **fields: object) -> Baseline:
    """``behaviours`` are allowed, ``others`` need review."""
    entries = {one: entry() for one in behaviours} | {one: entry(Standing.NEEDS_REVIEW) for one in others}
    made = Baseline(KEY, image="docker.io/library/nginx:1.22", state=State.ACTIVE, revision=3, entries=entries)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


_raw = st.one_of(hostile_text, st.just(EVIL)).map(lambda text: "/" + text.replace("\0", "").replace("/..", "/x"))
_piece = st.one_of(
    hostile_text.map(lambda text: literal(text.replace("\0", "").replace("/", "_"))),
    st.sampled_from([f"{{{name}}}" for name in CLASSES]),
    st.just("x*"),
)
_patterns = st.builds(
    lambda pieces, deep: "/srv/" + "/".join(pieces) + ("/**" if deep else ""),
    st.lists(_piece, min_size=1, max_size=3),
    st.booleans(),
)
_origins = st.sampled_from(["", *map(str, Origin)])
_addresses = st.sampled_from(
    ["10.0.0.1", "10.0.0.0/8", "2001:db8::1", "fe80::/10", "loopback", "self", "resolver", "a.example", "-", "a b", ""]
)
behaviours: st.SearchStrategy[Behaviour] = st.one_of(
    st.builds(ExecBehaviour, _raw, hostile_text, _raw, st.booleans(), _origins),
    st.builds(OpenBehaviour, st.one_of(_raw.map(literal), _patterns), st.sampled_from(["read", "write"])),
    st.builds(LoadBehaviour, _raw, _origins),
    st.builds(
        ConnectBehaviour,
        st.sampled_from(["tcp", "udp", "unix", "icmp", "99"]),
        st.one_of(_addresses, _raw),
        st.sampled_from([EPHEMERAL, 0, 1, 443, 65535]),
    ),
)
baselines = st.builds(lambda found: baseline(*found), st.lists(behaviours, max_size=12))
