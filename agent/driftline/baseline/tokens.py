"""Path → pattern: the parts of a name that are made anew each time become token classes.

In: a raw path. Out: pattern text (``pattern``), the path itself if nothing in it is such a part. Why by the path alone:
learning and judging must say the same of equal paths, whatever was seen before. Why these classes: each stands for a
scheme of a real program; docs/generalisation.md lists them. Next: ``behaviour`` while learning, ``matching`` while
judging; ``folding`` for names people choose.

The order of the alternatives counts: at one place the first that fits wins, and the leftmost place wins over all. Every
run is looked at from its left border only, so the time grows with the length of the path.
"""

from __future__ import annotations

import re
from itertools import pairwise

from driftline.baseline.paths import is_telling

_HINT = re.compile(r"[0-9A-Z\\{}*]")  # one set: searched at some ns a character

_LEFT, _RIGHT, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])", r"(?![^/])"

_SPECIAL = r"(?P<special>[\\{}*])"
_UUID = rf"(?P<uuid>[0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}{_RIGHT})"
_SIZES = "|".join(f"[0-9a-f]{{{size}}}|[0-9A-F]{{{size}}}" for size in (128, 64, 40, 32))
_HASH = rf"(?P<hash>(?:{_SIZES}){_RIGHT})"  # hex digits of SHA-512, SHA-256, SHA-1, MD5
_SMALL, _LARGE = "(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}", "(?=[A-F]*[0-9])(?=[0-9]*[A-F])[0-9A-F]{8,}"
_HEX = rf"(?P<hex>(?:{_SMALL}|{_LARGE}|[0-9a-f]{{16,}}|[0-9A-F]{{16,}}){_RIGHT})"
_SHARD = rf"(?P<shard>(?<=/)[0-9a-f]{{1,3}}(?=(?:/[0-9a-f]{{1,3}}){{0,3}}/[0-9a-f]{{16,}}{_RIGHT}))"

# The kubelet swaps such a directory in for each update of a ConfigMap, Secret or token (AtomicWriter in
# kubernetes/pkg/volume/util/atomic_writer.go).
_SWAPPED = rf"(?P<swapped>(?<=/\.\.)[0-9]{{4}}(?:_[0-9]{{2}}){{5}}\.[0-9]+{_END})"
_PYC = rf"(?P<pyc>(?<=\.pyc\.)[0-9]+{_END})"  # importlib's temporary name (_write_atomic)


def _time(name: str) -> str:
    """A date, perhaps with the time of day, as ISO 8601 and logrotate write them, separators as people like them."""
    date = rf"(?:19|20)[0-9]{{2}}(?P<{name}_>[-_]?)(?:0[1-9]|1[0-2])(?P={name}_)(?:0[1-9]|[12][0-9]|3[01])"
    clock = r"[T_.-]?[0-9]{2}[:_.-]?[0-9]{2}(?:[:_.-]?[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    return rf"(?P<{name}>{date}(?:{clock})?{_RIGHT})"


_PAIR = rf"(?P<pair>(?<=/)[0-9]{{3,}}\.[0-9]{{1,4}}{_END})"  # PostgreSQL's further segments of a relation, 16384.1
# nginx puts 0000000023 into 3/02/ (ngx_create_temp_file)
_SERIAL = rf"(?<=/)[0-9]{{1,2}}(?=(?:/[0-9]{{1,2}}){{0,2}}/0[0-9]{{9}}{_END})"
_TEMPORARY = rf"(?:(?<=temp[-_.])|(?<=tmp[-_.])|(?<=rewriteaof-)|(?<=aof-bg-))[0-9]+{_RIGHT}"  # Redis: temp-21.rdb
_TEMPORARY += r"|(?<=\.aof\.)[0-9]+(?=\.(?:base|incr)\.)"
_ROTATED = rf"(?<=[A-Za-z]\.)[0-9]{{1,2}}(?=(?:\.(?:gz|xz|bz2|zst))?{_END})"  # logrotate: access.log.2.gz
_LONG_RUN = rf"(?<![0-9]\.)[0-9]{{3,15}}{_RIGHT}(?!\.[0-9])"  # never a part of a version 1.24.300
_DATABASE = (
    r"(?<=/base/)[0-9]{1,2}(?=/(?:t?[0-9]|pg_|PG_))"  # PostgreSQL: base/5/16384, the first ones have short numbers
)
_TERMINAL = rf"(?<=/dev/pts/)[0-9]+{_END}"  # the node's, mounted somewhere; its own is a plain device
_NUM = rf"(?P<num>{_SERIAL}|{_TEMPORARY}|{_ROTATED}|{_LONG_RUN}|{_DATABASE}|{_TERMINAL})"

_TMP = (
    rf"(?P<tempfile>tmp[a-z0-9_]{{8}}{_RIGHT})",  # Python's
    rf"(?P<mktemp>tmp\.[0-9A-Za-z]{{10}}{_END})",  # mktemp(1)
    rf"(?P<sed>(?<=/)sed[0-9A-Za-z]{{6}}{_END})",  # sed -i
    rf"(?P<aptcache>(?<=pkgcache\.bin\.)[0-9A-Za-z]{{6}}{_END})",  # apt's two caches, made anew by its daily job
    rf"(?P<nfs>(?<=/\.)nfs[0-9a-f]{{16,32}}{_END})",  # removed while open on NFS
    rf"(?P<session>(?<=/)sess_[0-9A-Za-z,-]{{22,256}}{_END})",  # PHP
    rf"(?P<sort>(?<=pgsql_)tmp[0-9]+\.[0-9]+{_RIGHT})",  # PostgreSQL, pgsql_tmp123.4.fileset/o5of16.p0.0 as well
    rf"(?P<backend>(?<=/)t[0-9]{{1,6}}(?=_[0-9]{{3,}}(?:_[a-z]+)?{_END}))",  # its temporary tables: t3_16395
    rf"(?P<sorted>(?<=\.fileset/)[io]?[0-9]+(?:of[0-9]+)?\.(?:p[0-9]+\.)?[0-9]+{_END})",
    rf"(?P<mkstemp>(?:(?<=[-_.])|(?<=/tmp/))(?:[0-9A-Za-z]{{6}}|[0-9A-Za-z]{{8}}|[0-9A-Za-z]{{10}}){_END})",
)
_OF_DIGITS = "|".join((_SWAPPED, _time("time"), _PAIR, _NUM))
_BORDERED = "|".join((_UUID, _HASH, _SHARD, f"(?=[0-9])(?:{_OF_DIGITS})", _HEX, *_TMP))
# Java's Files.createTempFile: 64 random bits right after the prefix, which have fewer digits once in 18 million times
_LONG = rf"(?P<long>[0-9]{{13,20}}{_RIGHT})"
_ANYWHERE = re.compile(rf"{_SPECIAL}|{_LEFT}(?:{_BORDERED})|(?<=[A-Za-z])(?:(?=[12]){_time('stamp')}|{_LONG})")

# The same for nearly every path, at a quarter of the cost: the search jumps from border to border, and of the words it
# finds there looks closer only at those that any scheme could begin with.
_WORTH = r"(?=[a-z]*[0-9A-Z]|tmp|sed|nfs|sess_|[0-9a-f]{8}|[0-9a-f]{1,3}/)"
_BORDERS = re.compile(rf"[^0-9A-Za-z]{_WORTH}(?:{_BORDERED})")
_JOINED = re.compile(r"[0-9](?<=[A-Za-z].)(?:[09][0-9]{2}|[0-9]{12})")  # right after a letter: no border there

_PIDS = rf"(?P<pid>(?:(?<=/proc/)|(?<=/task/))[0-9]+{_END})"
_SLOTS = rf"(?P<slot>(?:(?<=/fd/)|(?<=/fdinfo/))[0-9]+{_END})"
_MAPPED = rf"(?P<mapped>(?<=/map_files/)[0-9a-f]+-[0-9a-f]+{_END})"

_IN_PROC = re.compile(r"/proc/[0-9]+/")  # the node's /proc, mounted at /host/proc

_TELLING = re.compile("|".join((_SPECIAL, _SWAPPED, _PYC)))
_PROCFS = re.compile("|".join((_SPECIAL, _PIDS, _SLOTS, _MAPPED, f"{_LEFT}(?:{_UUID}|{_HASH})")))
_DEVICES = re.compile("|".join((_SPECIAL, f"{_LEFT}(?:{_UUID}|{_HASH})")))

_PROC_SECRETS = ("/environ", "/mem")
"""Secrets in which the number is no part of what they are: whichever process it is of, it is the same secret."""
_MIXTURE = 2
"""Changes between lower case, upper case and digits that make six characters look random: ``sha256`` has one."""

_CLASSES = {
    "aptcache": (0, "{tmp}"),
    "backend": (1, "{num}"),
    "hash": (0, "{hash}"),
    "hex": (0, "{hex}"),
    "long": (0, "{tmp}"),
    "mapped": (0, "{hex}-{hex}"),
    "mktemp": (4, "{tmp}"),
    "nfs": (3, "{tmp}"),
    "num": (0, "{num}"),
    "pair": (0, "{num}.{num}"),
    "pid": (0, "{pid}"),
    "pyc": (0, "{num}"),
    "sed": (3, "{tmp}"),
    "session": (5, "{tmp}"),
    "shard": (0, "{hex}"),
    "slot": (0, "{num}"),
    "sort": (3, "{num}.{num}"),
    "sorted": (0, "{tmp}"),
    "stamp": (0, "{time}"),
    "swapped": (0, "{time}"),
    "tempfile": (3, "{tmp}"),
    "time": (0, "{time}"),
    "uuid": (0, "{uuid}"),
}
"""What a scheme's name becomes: how many of its characters stay, and the class for the others."""


def canonical(path: str) -> str:
    """Return the pattern of the raw ``path``: token classes put in, all else literal; ``path`` itself if that is it.

    A path whose very name matters (``paths.is_telling``) keeps everything but what its owner is known to renew: the
    number of a process below /proc, the directory the kubelet swaps in, CPython's temporary name.
    """
    if _HINT.search(path) is None and "tmp" not in path:
        return path
    rules = _rules(path)
    if rules is _ANYWHERE and _is_usual(path):
        text = _BORDERS.sub(_replace_after_border, path)
    else:
        text = rules.sub(_replace, path)
    if text == path:
        return path
    return text if not is_telling(path) or _is_process(path) else _TELLING.sub(_replace, path)


def _is_usual(path: str) -> bool:
    """Whether ``_BORDERS`` finds all that ``_ANYWHERE`` does."""
    if "\\" in path or "{" in path or "}" in path or "*" in path or path[:1] != "/":
        return False
    return _JOINED.search(path) is None


def _rules(path: str) -> re.Pattern[str]:
    if "/proc/" in path and (path.startswith("/proc/") or _IN_PROC.search(path)):
        return _PROCFS
    return _DEVICES if path.startswith(("/sys/", "/dev/")) and not path.startswith("/dev/shm/") else _ANYWHERE


def _is_process(path: str) -> bool:
    return path.startswith("/proc/") or path.endswith(_PROC_SECRETS)


def _replace(match: re.Match[str]) -> str:
    return _replaced(match.lastgroup or "", match.group())


def _replace_after_border(match: re.Match[str]) -> str:
    text = match.group()
    return text[0] + _replaced(match.lastgroup or "", text[1:])


def _replaced(scheme: str, text: str) -> str:
    if scheme == "special":
        return f"\\{text}"
    if scheme == "mkstemp":
        return "{tmp}" if _looks_random(text) else text
    kept, name = _CLASSES[scheme]
    return text[:kept] + name


def _looks_random(text: str) -> bool:
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in text]
    return sum(one != other for one, other in pairwise(kinds)) >= _MIXTURE
