"""The demo: a real container is learned, then attacked; each deviation appears within milliseconds.

In: ``--keep`` (leave it all running), ``--stop`` (end what was kept). Out: a story on standard output, its last line
the sums; exit status 0 only if every expected deviation came, nothing else did, and nothing was lost. Run it as
``make demo``. Next: nobody; ``stage`` holds the parts, ``attacks`` the attacks.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / "tests"), str(Path(__file__).resolve().parent)]  # the test rig, and our neighbours

import keeping  # noqa: E402
import stage  # noqa: E402
import traffic  # noqa: E402
from attacks import ATTACKS, PAYLOADS, Attack  # noqa: E402
from driftline.errors import DriftlineError  # noqa: E402
from score import Score  # noqa: E402

QUIET_SECONDS = 4.0  # of ordinary traffic before the first attack: nothing may be told
_ATTACK_SECONDS = 20.0  # for everything expected of one attack to appear, on a busy machine
_SETTLE_SECONDS = 0.5  # for what is not expected to appear


def say(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Learn a real container, attack it, watch the deviations arrive.")
    parser.add_argument("--keep", action="store_true", help="leave collector, agent and container running")
    parser.add_argument("--stop", action="store_true", help="end what --keep left running")
    parser.add_argument("--kept-by", type=int, help=argparse.SUPPRESS)  # internal: descriptor to report to
    wanted = parser.parse_args()
    if wanted.stop:
        return keeping.stop(say)
    if wanted.kept_by is None and (problem := keeping.obstacle()):
        print(f"demo: {problem}", file=sys.stderr)
        return 2
    if wanted.keep:
        return keeping.start_keeper([sys.executable, __file__])
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run(wanted.kept_by)
    except KeyboardInterrupt:
        say("demo: interrupted, everything is cleaned up")
        return 130
    except (RuntimeError, OSError, DriftlineError) as error:
        print(f"demo: it failed, everything is cleaned up: {error}", file=sys.stderr)
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(kept_by: int | None) -> int:
    """Set up, learn, attack, count."""
    began = time.monotonic()
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    score = Score(say, colour)
    with stage.standing(lambda text: say(f"- {text}"), score.take) as parts, keeping.undisturbed_end():
        score.watch(parts.service.id)
        say(f"- learning it under traffic ({stage.LEARN_SECONDS} s or more)")
        learned = parts.agent.wait_for(r"^driftline agent: (detecting .*)$", 60)
        say(f"- {learned}")
        say(f"- ordinary traffic for {QUIET_SECONDS:.0f} s: nothing must be told")
        time.sleep(QUIET_SECONDS)
        for number, attack in enumerate(ATTACKS, 1):
            strike(number, attack, parts, score)
        losses = parts.losses()
        say(f"- {time.monotonic() - began:.0f} s in all")
        last, good = score.last_line(losses), score.complete(losses)
        if kept_by is not None:
            keeping.keep(kept_by, parts, last, good)
    say(last)
    return 0 if good else 1


def strike(number: int, attack: Attack, parts: stage.Stage, score: Score) -> None:
    """Run one attack and wait for what must be seen of it."""
    say(f"\nattack {number} of {len(ATTACKS)}: {attack.sentence}")
    body = attack.body
    if body.endswith(".py"):
        body = (PAYLOADS / body).read_text().replace("@HOST@", parts.network.host)
    score.begin(attack)
    traffic.request(parts.network.inside, "POST", attack.endpoint, body)
    if not score.wait(_ATTACK_SECONDS):
        say("  NOT ALL OF IT WAS SEEN")
    time.sleep(_SETTLE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
