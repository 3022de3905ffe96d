"""What baselines cost: loading a large one, matching one behaviour, keeping many in memory.

In: nothing; no root, no kernel. Out: a table. Why made up and not learned: the largest baseline allowed is far larger
than any service shows. Next: ``run``; alone: ``python -m benchmarks.baselines``.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context

from benchmarks.figures import Row, Section, markdown, spread

from driftline.baseline.format.canonical import load_matcher, to_msgpack
from driftline.baseline.matching import READ, Matcher
from driftline.baseline.schema import LEARNED, MAX_BEHAVIOURS, Baseline, Entry
from driftline.nouns import Behaviour, ConnectBehaviour, ExecBehaviour, LoadBehaviour, OpenBehaviour

REPEATS = 5
IMAGES, BEHAVIOURS = 64, 600
FOLDS = 200
ASKED = 20_000
LOAD_SECONDS, MATCH_US, MEMORY_MB = 1.0, 5.0, 30.0
METHOD = (
    f"A baseline of {MAX_BEHAVIOURS:,} behaviours (nine tenths opens, a third of those with token classes, {FOLDS} "
    "patterns with `*` and `**`, the rest execs, loads and connects, some of them networks), from the bytes of its "
    f"file to what the agent judges by; CPU seconds, {REPEATS} times. One look-up: {ASKED:,} different ones in a loop, "
    f"the loop's own cost included. Memory: resident set of a fresh process before and after it loaded {IMAGES} "
    f"baselines of {BEHAVIOURS} behaviours, half of them libraries and files many images share."
)


def behaviours(total: int, image: int = 0) -> Iterator[Behaviour]:
    """``total`` different behaviours as a large service might show them; half are the same everywhere."""
    opens = total * 9 // 10
    for number in range(opens):
        access = "write" if number % 4 == 0 else "read"
        own = f"app{image}" if number % 2 else "shared"
        if number < FOLDS * total // MAX_BEHAVIOURS:
            yield OpenBehaviour(f"/srv/{own}/{number}/" + ("cache-*.tmp" if number % 3 else "**"), access)
        elif number % 3 == 0:
            yield OpenBehaviour(f"/srv/{own}/d{number}/{{num}}.log", access)
        else:
            yield OpenBehaviour(f"/usr/lib/{own}/pkg{number % 97}/mod_{number}.py", access)
    for number in range(total - opens):
        own = f"app{image}" if number % 2 else "shared"
        if number % 3 == 0:
            yield ExecBehaviour(f"/usr/bin/{own}-{number}", f"{own}-{number}", "/bin/sh", False)
        elif number % 3 == 1:
            yield LoadBehaviour(f"/usr/lib/{own}/lib{number}.so.1")
        else:
            network = f"10.{number % 200}.0.0/{16 + number % 9}" if number % 100 == 2 else f"192.0.2.{number % 250}"
            yield ConnectBehaviour("tcp", network, number % 60_000)


def packed(total: int, image: int = 0) -> bytes:
    """The file of such a baseline."""
    containers, now = frozenset({f"{image:064x}"}), 1_790_000_000_000_000_000
    entries = {each: Entry(LEARNED, now, now, 3, containers) for each in behaviours(total, image)}
    return to_msgpack(Baseline(f"sha256:{image:064x}", image=f"shop/app{image}:1", entries=entries))


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    before = time.process_time()
    work()
    return time.process_time() - before


def microseconds(ask: Callable[[str], object], paths: Iterable[str]) -> list[float]:
    """CPU µs of one of the questions, ``REPEATS`` times."""
    asked = list(paths)

    def loop() -> None:
        for path in asked:
            ask(path)

    return [seconds(loop) / len(asked) * 1e6 for _ in range(REPEATS)]


def opens(matcher: Matcher) -> Iterator[Row]:
    """Rows of the kinds of open."""
    dice = random.Random(1)
    patterns = [each.path for each in behaviours(MAX_BEHAVIOURS) if isinstance(each, OpenBehaviour)]
    literal = dice.choices([path for path in patterns if path in matcher.opens], k=ASKED)
    token = [_made(path, dice) for path in dice.choices([path for path in patterns if "{" in path], k=ASKED)]
    fold = [_made(path, dice) for path in dice.choices([path for path in patterns if "*" in path], k=ASKED)]
    missed = [f"/srv/shared/{number}/elsewhere/some.file" for number in range(ASKED)]
    mixed = [dice.choice(kind) for kind in dice.choices((literal, token, fold), (7, 2, 1), k=ASKED)]
    longest = ["/srv/shared/0/" + "/".join(f"{n}{n}a" for n in range(400)) for _ in range(200)]
    for what, paths, target in (
        ("7 known files, 2 with tokens, 1 in a fold", mixed, True),
        ("a known file", literal, True),
        ("a path with tokens", token, True),
        ("a path in a fold", fold, True),
        ("a path nothing matches", missed, True),
        (f"the longest path, {len(longest[0]):,} characters, 400 of its segments nearly tokens", longest, False),
    ):
        measured = microseconds(lambda path: matcher.opens.get(path) or matcher.open_bits(path, False, READ), paths)
        yield _row(f"open: {what}", measured, target)
    yield _row(f"open: in a directory with {FOLDS * 10:,} folds, no two alike", _crowded(), False)


def _made(pattern: str, dice: random.Random) -> str:
    """A path that falls under ``pattern``."""
    number = str(dice.randrange(10**6, 10**9))
    return pattern.replace("{num}", number).replace("**", "a/b").replace("*", f"x{number[:2]}")


def _crowded() -> list[float]:
    matcher = Matcher(
        OpenBehaviour(f"/srv/data/{'a' * (n % 45)}*{'b' * (n // 45)}.tmp", "read") for n in range(FOLDS * 10)
    )
    return microseconds(lambda path: matcher.open_bits(path, False), ["/srv/data/" + "c" * 200] * 200)


def connects(matcher: Matcher) -> Row:
    """An address in no network: every prefix length is tried."""
    measured = microseconds(lambda path: matcher.connects_to("tcp", path, 443), ["203.0.113.9"] * ASKED)
    return _row("connect: an address in no network", measured, True)


def _row(what: str, measured: list[float], has_target: bool) -> Row:
    met = min(measured) < MATCH_US if has_target else None
    return Row(what, spread(measured, "µs", 2), f"< {MATCH_US:g} µs" if has_target else "", met)


def memory() -> float:
    """MB a fresh process grows by."""
    files = [packed(BEHAVIOURS, image) for image in range(IMAGES)]
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_grown, (files,))


def _grown(files: list[bytes]) -> float:
    load_matcher(files[0])
    before = _resident()
    kept = [load_matcher(data) for data in files]
    grown = _resident() - before
    assert len(kept) == IMAGES
    return grown / 1e6


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def section() -> Section:
    """All of it."""
    data = packed(MAX_BEHAVIOURS)
    loading = [seconds(lambda: load_matcher(data)) for _ in range(REPEATS)]
    matcher = load_matcher(data).matcher
    grown = memory()
    rows = [
        Row(
            f"load {MAX_BEHAVIOURS:,} behaviours ({len(data) / 1e6:.1f} MB)",
            spread(loading, "s", 2),
            f"< {LOAD_SECONDS:g} s",
            min(loading) < LOAD_SECONDS,
        ),
        *opens(matcher),
        connects(matcher),
        Row(f"{IMAGES} baselines in force", f"{grown:.1f} MB", f"< {MEMORY_MB:g} MB", grown < MEMORY_MB),
    ]
    return Section("Baselines", METHOD, rows)


if __name__ == "__main__":
    print(markdown(section()))
