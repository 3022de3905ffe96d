"""The agent process, from start to stop.

In: validated settings. Out: an exit status. ``_start`` reads like a checklist: each step is fatal, or degrades by an
explicit sentence on standard error. Why no CLI here: the agent process stays lean (see tests/repo). Runs as
``python -m driftline.lifecycle SETTINGS_JSON``. Next: nobody; this is the top.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from driftline.baseline.inventory.keeper import Keeper
from driftline.baseline.keeping.errands import Beside
from driftline.baseline.keeping.plain import PlainCopies
from driftline.baseline.keeping.promotion import Policy
from driftline.baseline.keeping.saving import Saving
from driftline.baseline.keeping.store import BaselineStore
from driftline.baseline.keeping.upkeep import Upkeep
from driftline.baseline.shelf import Shelf
from driftline.baseline.shelved import Shelved
from driftline.delivery import make_sharing, make_sink
from driftline.errors import DriftlineError, StateError
from driftline.health import Health
from driftline.identify.addresses import name_servers
from driftline.identify.engines.installed import installed_engines
from driftline.identify.hierarchy import find
from driftline.identify.late import LateReader
from driftline.identify.resolver import Resolver
from driftline.inventories import Inventories, may_read_layers
from driftline.live import trace_existing
from driftline.memory import give_back, share_one_arena
from driftline.metrics import gather, page, state_of
from driftline.nouns import Loss
from driftline.pipeline import Pipeline
from driftline.probe.counters import losses as only_losses
from driftline.probe.preflight import choose, examine_providers
from driftline.probe.sensor import Sensor
from driftline.saying import Complaints, attempt, say
from driftline.scheduling import prefer_short_slices
from driftline.settings import Settings, from_json
from driftline.statedir import prepare, write_status
from driftline.text import escape
from driftline.verdict.refusal import Refused
from driftline.verdict.worker import Worker
from driftline.wire.exposition import Histogram

if TYPE_CHECKING:
    from driftline.baseline.signing.guard import Guard
    from driftline.sharing import Sharing
    from driftline.vetting import Vetting

NS = 1_000_000_000
TICK_SECONDS = 0.25  # how late a window may end; an idle agent wakes four times a second
COMPLAIN_SECONDS = 5.0
PAUSE_SECONDS = 0.001  # least time between two reads of busy rings: batches instead of one wake-up per record
QUICK_READS = 4  # without that pause, after a quiet moment: a lone exec and what surrounds it are told at once
GC_YOUNG = 10_000  # objects between two looks for garbage: events leave none behind, and each look is a pause
ORPHAN_SECONDS = 120.0  # after the start: every container still running has shown itself by then
STOP_SECONDS = 4.5  # for the whole stop; the sink gets what the threads leave of it to deliver the rest
DELIVER_SECONDS = (0.5, 3.0)  # least and most for the sink
STOP_READS = 4  # of the rings, 8192 records each: what is in them at the end, not what goes on arriving


class Agent:
    """One agent. ``run`` returns when it was told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = False
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._told: dict[tuple[str, str], int] = {}
        self._started = time.monotonic()
        self._complaints = Complaints()
        self._health = Health("", self.wake)
        self._batches = Histogram()
        self._errands = Beside()
        self._keeper: Keeper | None = None
        self._upkeep: Upkeep | None = None
        self._copies: PlainCopies | None = None
        self._guard: Guard | None = None
        self._vetting: Vetting | None = None
        self._sharing: Sharing | None = None

    # --- start -------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Start, work, stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._start()
        try:
            self._loop()
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        settings = self._settings
        prefer_short_slices()
        share_one_arena()
        self._health = Health(settings.http, self.wake)
        if self._health.trouble:
            say(self._health.trouble)
        self._hierarchy = find()
        state = prepare(Path(self._settings.state_dir), say)
        provider, reason = choose(examine_providers(), settings.open_provider)
        self._sensor = Sensor.start(settings, provider, Path(self._hierarchy.root), state / "cache" if state else None)
        self._keep_baselines(state)
        self._sharing = make_sharing(settings, state, self.wake)
        self._sink = make_sink(settings, provider, say, self._sharing)
        self._resolver = Resolver(
            installed_engines(settings), settings.identify_seconds, settings.watched_roots, self.wake
        )
        bases = (f"{settings.podman_root}/overlay",)
        self._worker = Worker(settings.hash_bytes, bases, self.wake)
        if settings.inventory and state:
            self._keep_inventories(state)
        vetting = self._vetting = self._vet_containers()
        self.pipeline = Pipeline(
            settings,
            self._sensor,
            vetting or self._resolver,
            self._shelf,
            self._sink,
            self._worker,
            self._on_changed,
            self._hierarchy.path_of,
            inventories=Inventories(self._keeper, bases),
            name_servers=name_servers,
            refused=self._take_refused,
        )
        for part in (self._sink, self._resolver, self._worker):
            part.start()
        if self._sharing:
            self._sharing.start()
        self._running: dict[int, str] = {}
        trace_existing(self._hierarchy, self._sensor, settings, self._appear_late)
        self._late = LateReader(self._running, self.wake)
        self._late.start()
        self._state = state
        self._armed_at = time.time()
        self._health.armed()  # before it is said: who reads it may ask at once
        say(f"armed in {time.monotonic() - self._started:.2f} s, opens by {provider} ({reason})")
        for sentence in self._sensor.shortcomings():
            say(sentence)
        if self._health.address:
            say(f"health and metrics on http://{self._health.address}")
        self._complain()
        gc.collect()
        give_back()
        gc.freeze()  # what was imported stays for ever: looking through it again would pause the loop by 20 ms
        gc.set_threshold(GC_YOUNG)

    def _keep_baselines(self, state: Path | None) -> None:
        settings, store = self._settings, BaselineStore(str(state)) if state else None
        stateless = state is None or not os.access(state, os.W_OK)
        self._errands.start()
        saving = self._require_signatures(state) if settings.require_signatures else Saving(store, self._errands)
        windows = (settings.learn_seconds, settings.learn_quiet_seconds)
        self._shelf = Shelf(store, *windows, stateless=stateless, saving=saving)
        if store is not None:
            policy = Policy(settings.promote_after_days, settings.promote_min_containers)
            self._upkeep = Upkeep(store, self._shelf, settings.keep_baselines_days, policy, self._errands)
            self._copies = None if stateless else PlainCopies(str(state))

    def _require_signatures(self, state: Path | None) -> Saving:
        from driftline.vetting import make_guard, saving_of  # 200 KiB that only such an agent pays

        self._guard = make_guard(self._settings, state, self.wake)
        self._guard.start()
        return saving_of(self._guard, self._errands)

    def _vet_containers(self) -> Vetting | None:
        if self._guard is None:
            return None
        from driftline.vetting import Vetting

        return Vetting(self._resolver, self._guard)

    def _take_refused(self) -> list[Refused]:
        found = self._vetting.take_refused() if self._vetting else []
        if self._sharing:
            found += self._sharing.take_refused(self._shelf, self.pipeline.subjects.get)
        return found

    def _keep_inventories(self, state: Path) -> None:
        if not may_read_layers():
            say("images are not read for their packages: that needs CAP_SYS_ADMIN (or say --no-inventory)")
            return
        self._keeper = Keeper(str(state), self._settings.sbom_dir, self._settings.syft)
        self._keeper.start()

    def _appear_late(self, cgroup: int, path: str) -> None:
        if self.pipeline.appear(cgroup, cgroup, path, 0, attached_late=True):
            self._running[cgroup] = self._hierarchy.directory(path)

    # --- work --------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Make the loop look at what other threads finished. Any thread."""
        try:
            os.eventfd_write(self._wake_fd, 1)
        except BlockingIOError:
            pass  # it is awake already

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self.wake()

    def _loop(self) -> None:
        poller = select.epoll()
        for descriptor in (*self._sensor.epoll_fds, self._wake_fd):
            poller.register(descriptor, select.EPOLLIN)
        due = {"tick": 0.0, "complain": 0.0, "beat": 0.0, "upkeep": time.monotonic() + ORPHAN_SECONDS}
        last_read, quick = 0.0, 0
        while not self._stopping:
            ready = poller.poll(TICK_SECONDS)
            if any(descriptor == self._wake_fd for descriptor, _events in ready):
                os.eventfd_read(self._wake_fd)
            now = time.monotonic()
            quick = quick + 1 if now - last_read < PAUSE_SECONDS else 0
            if quick > QUICK_READS:
                time.sleep(max(0.0, last_read + PAUSE_SECONDS - now))
            records = self._sensor.read()
            if records:
                read = time.monotonic()
                self.pipeline.feed(records)
                last_read = time.monotonic()
                self._batches.observe(last_read - read)
            for snapshot in self._late.take():
                self.pipeline.take_snapshot(snapshot)
            self.pipeline.collect()
            self._now_and_then(due)
            self._health.come_round(self._page)
        poller.close()

    def _now_and_then(self, due: dict[str, float]) -> None:
        now = time.monotonic()
        if now >= due["tick"]:
            due["tick"] = now + TICK_SECONDS
            self.pipeline.tick(time.monotonic_ns())
            for shelved in self._shelf:
                self._on_changed(shelved)
            self._account()
            self._shelf.save_next(time.monotonic_ns())
            self._copy_baselines()
            if self._sharing:
                self._sharing.look(self._shelf, now)
        if now >= due["complain"]:
            due["complain"] = now + COMPLAIN_SECONDS
            self._complain()
        if now >= due["upkeep"]:
            due["upkeep"] = now + TICK_SECONDS
            self._look_after_baselines()
        if now >= due["beat"]:
            due["beat"] = now + self._settings.heartbeat_seconds
            self._beat()

    def _look_after_baselines(self) -> None:
        sentence = self._upkeep.step(time.time()) if self._upkeep else ""
        if sentence:
            say(escape(sentence))
            if self._copies is not None:
                self._copies.want()

    def _copy_baselines(self) -> None:
        """For people: what was put in force."""
        if self._copies is not None:
            if self._shelf.take_put_in_force():
                self._copies.want()
            trouble = self._copies.step(time.monotonic_ns())
            self._shelf.errors.extend([trouble] if trouble else [])

    def _account(self) -> None:
        """Losses in the kernel and at the sink since the last call; what the token buckets held back is counted per
        container by the pipeline."""
        counts = only_losses(self._sensor.counters()) | self._sink_losses()
        fresh = []
        for (hook, cause), count in counts.items():
            if cause != "bucket_empty" and count > self._told.get((hook, cause), 0):
                fresh.append(Loss(hook, cause, count - self._told.get((hook, cause), 0)))
        self._told = counts
        self.pipeline.account([*fresh, *self._hierarchy.losses()])
        self.pipeline.tell_losses(time.monotonic_ns())

    def _sink_losses(self) -> dict[tuple[str, str], int]:
        return {(loss.hook, loss.cause): loss.count for loss in self._sink.losses()}

    def _beat(self) -> None:
        losses = [Loss(hook, cause, count) for (hook, cause), count in self.pipeline.lost.items()]
        self._sink.heartbeat(losses, self._counters(), self._sensor.troubles())
        self._write_status()

    def _counters(self) -> dict[str, int]:
        found = {f"kernel.{hook}.{name}": count for (hook, name), count in self._sensor.counters().items()}
        failures, _last = self._resolver.engine_failures
        if self._upkeep is not None:
            found |= {"baselines.removed": self._upkeep.removed, "baselines.promoted": self._upkeep.promoted}
        if self._guard is not None:
            found["baselines.refused"] = self._guard.refused
        if self._sharing is not None:
            found |= self._sharing.counters()
        return found | self.pipeline.counters() | {"identify.engine_failures": failures}

    def _page(self) -> str:
        """The metrics."""
        threads = {"engines": self._resolver.waiting, "evidence": self._worker.waiting}
        parts = self.pipeline, self._shelf, self._sink, threads, self._batches
        return page(gather(self._sensor.provider, self._counters(), self._sink_losses(), *parts))

    def _write_status(self) -> None:
        """For `driftline doctor`: what this agent counts."""
        if self._state is None:
            return
        status = {
            "pid": os.getpid(),
            "provider": self._sensor.provider,
            "armed_at": self._armed_at,
            "losses": {f"{hook}.{cause}": count for (hook, cause), count in self.pipeline.lost.items()},
            "counters": self._counters(),
            "baselines": {one.name: state_of(one) for one in self._shelf},
        }
        try:
            write_status(self._state, status)
        except StateError as error:
            self._shelf.errors.append(error)

    def _complain(self) -> None:
        """Each trouble with the disk or with an image once, not every five seconds."""
        others = [error for one in (self._keeper, self._guard, self._sharing) if one for error in one.take_errors()]
        self._complaints.say((*self._shelf.errors, *others))
        self._shelf.errors.clear()

    def _on_changed(self, shelved: Shelved) -> None:
        """A baseline judges otherwise from now on. It is said once the disk has it, for others to read there."""
        if shelved.news and not shelved.writing:
            where = f" in {shelved.workload}" if shelved.workload else ""
            say(escape(f"detecting {shelved.image or shelved.key}{where}: {shelved.news}"))
            shelved.news = ""
            give_back()  # what learning took

    # --- stop --------------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Take what the rings still hold, then give everything back. A step that fails keeps no other from its turn."""
        deadline = time.monotonic() + STOP_SECONDS
        self._health.stopping()
        steps = (
            self._read_rest,
            self._sensor.close,
            self.pipeline.detach,
            self._stop_threads,
            self._judge_rest,
            self.pipeline.finish,
            self._errands.stop,
        )
        for step in steps:
            attempt(step)
        least, most = DELIVER_SECONDS
        self._sink.stop(min(most, max(least, deadline - time.monotonic())))
        attempt(self._complain)
        attempt(self._health.stop)
        after = sum(count - self._told.get(cause, 0) for cause, count in self._sink_losses().items())
        lost = sum(self.pipeline.lost.values()) + after
        say(f"stopped: {self.pipeline.figures.deviations} deviations told, {lost} losses counted")

    def _read_rest(self) -> None:
        for _ in range(STOP_READS):
            records = self._sensor.read()
            if not records:
                break
            self.pipeline.feed(records)
        self._account()

    def _stop_threads(self) -> None:
        """All at once: each may have to wait for an engine or a file system that does not answer."""
        calls: list[Callable[[], object]] = [self._late.stop, self._resolver.stop, self._worker.stop]
        calls += [one.stop for one in (self._keeper, self._guard, self._sharing, self._copies) if one]
        stops = [threading.Thread(target=call) for call in calls]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def _judge_rest(self) -> None:
        """What the threads finished, and what nobody will name any more."""
        for snapshot in self._late.take():
            self.pipeline.take_snapshot(snapshot)
        self.pipeline.collect()
        self.pipeline.release_all()
        self.pipeline.account([])
        self.pipeline.tell_losses(time.monotonic_ns())


def main() -> int:
    """Run the agent with the settings given as JSON on the command line."""
    try:
        return Agent(from_json(json.loads(sys.argv[1]))).run()
    except DriftlineError as error:
        say(f"error: {error}")
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
