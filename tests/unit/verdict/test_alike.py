"""Opens whose names differ only in what is made anew each time are one deviation; nothing that matters hides in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from driftline.baseline.inventory.files import table
from driftline.baseline.inventory.inventory import Inventory
from driftline.baseline.inventory.schema import Package, Recorded
from driftline.baseline.matching import Matcher
from driftline.nouns import Deviation, OpenEvent, Origin
from driftline.verdict import folding
from driftline.verdict.alike import name_pattern
from driftline.verdict.evidence import Context, deviation_of
from driftline.verdict.folding import Folder, brief_key, fold_key
from driftline.verdict.judge import judge
from driftline.verdict.uuid7 import Uuid7
from unit.baseline.making import SUBJECT, executed, loaded, opened

IDS = Uuid7()
WINDOW = 60
WRITE = 7
FIRST, SECOND = "/var/lib/shop/upload-b7f54b2d", "/var/lib/shop/upload-0c9a11fe"
PATTERN = "/var/lib/shop/upload-{hex}"


def written(path: str, origin: Origin = Origin.WRITABLE, access: int = WRITE) -> OpenEvent:
    return opened(path, access, origin)


def pattern_of(event: Any, owned: str = "") -> str:
    files = table({owned: Recorded(0, "", b"", "dpkg", False)})
    inventory = Inventory("sha256:11", (Package("shop", "1", "deb", ""),), files, rooted=True) if owned else None
    return name_pattern(event, judge(event, SUBJECT, Matcher(), False), lambda: inventory)


def deviation(event: OpenEvent, notes: tuple[str, ...] = ()) -> Deviation:
    context = Context("n", 1_000 + event.kernel_ns, SUBJECT, notes=notes)
    return deviation_of(event, judge(event, SUBJECT, Matcher(), False), context, IDS)


def told(folder: Folder, event: OpenEvent) -> bool:
    """As the pipeline does: whether it is told now."""
    verdict, pattern = judge(event, SUBJECT, Matcher(), False), pattern_of(event)
    brief = brief_key(event, verdict, SUBJECT, (), pattern)
    if folder.repeat(brief, event.kernel_ns, event.kernel_ns, event.file.path):
        return False
    return folder.offer(deviation(event), brief, pattern) is not None


def test_the_first_is_told_with_its_name_and_the_others_raise_its_count() -> None:
    folder = Folder(WINDOW)
    names = [FIRST, SECOND, FIRST, *(f"/var/lib/shop/upload-{number:08x}" for number in range(0xAB00, 0xAB05))]
    assert [told(folder, written(name)) for name in names] == [True] + [False] * 7
    (update,) = folder.expire(1 + WINDOW)
    assert (update.what, update.count) == (FIRST, 8)
    assert update.notes == (
        f"counted with it: other files called {PATTERN}, such as {SECOND}, "
        "/var/lib/shop/upload-0000ab00, /var/lib/shop/upload-0000ab01",
    )


def test_repeats_of_one_name_say_nothing_of_others() -> None:
    folder = Folder(WINDOW)
    assert [told(folder, written(FIRST)) for _ in range(3)] == [True, False, False]
    (update,) = folder.expire(1 + WINDOW)
    assert (update.count, update.notes) == (3, ())


def test_a_long_name_is_counted_and_not_repeated() -> None:
    folder = Folder(WINDOW)
    long = "/var/lib/shop/" + "x" * folding.MAX_OTHER + "/12345"
    told(folder, written(long))
    told(folder, written(long[:-5] + "67890"))
    (update,) = folder.expire(1 + WINDOW)
    assert (update.count, update.notes) == (2, ())


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(executed("/tmp/run-12345", origin=Origin.WRITABLE), id="exec"),
        pytest.param(loaded("/tmp/lib-12345", origin=Origin.WRITABLE), id="load"),
        pytest.param(written("/data/12345.php"), id="code"),
        pytest.param(written("/data/12345.key", access=1), id="key"),
        pytest.param(written("/data/.12345"), id="hidden"),
        pytest.param(written("/usr/local/bin/tool-12345"), id="program"),
        pytest.param(written("/proc/12345/environ", Origin.PSEUDO, 1), id="secret"),
        pytest.param(written("/run/secrets/12345", Origin.TMPFS, 1), id="mounted secret"),
        pytest.param(written("/srv/data/12345", Origin.IMAGE, 1), id="the image's"),
        pytest.param(written("/srv/data/{num}-12345"), id="a name like a pattern"),
        pytest.param(written("/srv/data/notes"), id="nothing made anew"),
    ],
)
def test_only_its_own_name_counts(event: Any) -> None:
    assert pattern_of(event) == ""


def test_a_file_a_package_owns_counts_by_its_own_name() -> None:
    assert pattern_of(written(FIRST), owned="/etc/other") == PATTERN
    assert pattern_of(written(FIRST), owned=FIRST) == ""


DIFFERENT: list[dict[str, Any]] = [
    {"access": 3},
    {"flags": 1},
    {"file": replace(written(SECOND).file, origin=Origin.VOLUME)},
    {"process": replace(written(SECOND).process, exec_id=99, uid=99)},
]


@pytest.mark.parametrize("change", DIFFERENT)
def test_another_access_place_or_program_is_another_deviation(change: dict[str, Any]) -> None:
    folder = Folder(WINDOW)
    assert told(folder, written(FIRST))
    assert told(folder, replace(written(SECOND), **change))
    assert not told(folder, written(SECOND))


def test_whose_file_it_is_counts_and_its_name_in_that_note_does_not() -> None:
    first, second = (deviation(written(name), (f"{name}, owned by no package",)) for name in (FIRST, SECOND))
    other = deviation(written(SECOND), (f"{SECOND}, package shop 1",))
    assert fold_key(first, PATTERN) == fold_key(second, PATTERN) != fold_key(other, PATTERN)


def test_a_pattern_is_no_name() -> None:
    """A file that is called like the pattern is another thing."""
    assert fold_key(deviation(written(FIRST)), PATTERN) != fold_key(deviation(written(PATTERN)))
