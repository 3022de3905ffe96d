"""The containers of the node: which there are, whose cgroup is whose, what the kernel was told about them.

In: cgroups that come and go. Out: the subject of an event's cgroup, and per container its init, epoch and addresses.
Every cgroup that appears is told to the kernel and, if it is a container, to the namer. Why apart from ``pipeline``: it
judges nothing. Next: ``pipeline``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.errors import DriftlineError
from driftline.identify.arrivals import Arrivals
from driftline.identify.cgroups import Role
from driftline.identify.names import Names
from driftline.identify.resolver import subject_from_path
from driftline.identify.subjects import Subjects
from driftline.nouns import CgroupChange, CgroupEvent, DnsEvent, Loss, Subject
from driftline.ports import Clock, Kernel, Namer, NoKernel


@dataclass(slots=True)
class Container:
    """What is kept of a living container."""

    cgroups: set[int]  # its own and the nested ones
    init: int = 0  # pid
    epoch: int = 0
    held_back: tuple[int, int] = (0, 0)  # events, DNS answers: already told
    own: frozenset[str] = frozenset()  # its addresses, read at its first connect
    preset: frozenset[str] = frozenset()  # what it was started with (verdict.checks.execs.started_with)
    resolvers: frozenset[str] = frozenset()  # name servers of its resolv.conf as it started


class Roster:
    """Belongs to the pipeline's thread. ``path_of`` finds the path of a cgroup id, None if it is gone."""

    def __init__(
        self, roots: tuple[str, ...], kernel: Kernel, namer: Namer, path_of: Callable[[int], str | None], clock: Clock
    ) -> None:
        self._roots, self._kernel, self._namer, self._path_of = roots, kernel, namer, path_of
        self.subjects, self.names = Subjects(clock.now_ns), Names(clock.now_ns)
        self._arrivals = Arrivals(roots)
        self._containers: dict[int, Container] = {}
        self._monitors: set[int] = set()
        self._untraced = 0

    def find(self, cgroup: int) -> Subject | None:
        """Return whose events those of ``cgroup`` are, None if nobody named it yet (or ``is_monitor``).

        The birth of a cgroup never heard of was lost: it is registered now.
        """
        subject = self.subjects.get(cgroup)
        if subject is None and self.subjects.container(cgroup) is None:
            return self._stranger(cgroup)
        return subject

    def is_monitor(self, cgroup: int) -> bool:
        """Whether ``cgroup`` holds an engine's own process beside a container: nothing it does is a container's."""
        return cgroup in self._monitors

    def _stranger(self, cgroup: int) -> Subject | None:
        try:
            path = self._path_of(cgroup)
        except (DriftlineError, OSError):
            path = None  # the kernel will not say: told without a name, not at all would be worse
        if path is not None:
            self.appear(cgroup, cgroup, path, 0, attached_late=True)
            return self.subjects.get(cgroup)
        self.subjects.appear(cgroup, cgroup)
        self.subjects.vanish(cgroup)
        subject = self.nameless(cgroup)
        return subject if self.subjects.identify(subject) else None

    def nameless(self, cgroup: int) -> Subject:
        """Return a container as far as its path tells; no two are the same."""
        path = self._arrivals.path(cgroup)
        if path:
            return subject_from_path(cgroup, path, self._roots, 0, True)
        return Subject(cgroup, f"cgroup:{cgroup}", attached_late=True)

    def container(self, cgroup: int) -> Container:
        """Return what is kept of a container; of one that is not registered nothing is, for nobody would bury it."""
        found = self._containers.get(cgroup)
        if found is None:
            found = Container({cgroup})
            if self.subjects.container(cgroup) is not None:
                self._containers[cgroup] = found
        return found

    def take(self, event: CgroupEvent) -> None:
        """Take a birth or an end."""
        if event.change is CgroupChange.CREATED:
            self.appear(event.cgroup, event.subject, event.path, event.kernel_ns, attached_late=False)
            return
        owner = self.subjects.container(event.cgroup)
        self.subjects.vanish(event.cgroup)
        self._namer.gone(event.cgroup)
        self._kernel.untrace(event.cgroup)  # `appear` put it back if it was gone already when we read of its birth
        if owner is not None and owner != event.cgroup:
            self.container(owner).cgroups.discard(event.cgroup)

    def hear(self, event: DnsEvent) -> None:
        """Take a DNS answer. It needs no name of the container, only somebody who will bury it."""
        self.find(event.cgroup)
        if self.subjects.container(event.cgroup) is not None:
            self.names.take(event)

    def appear(self, cgroup: int, subject: int, path: str, kernel_ns: int, attached_late: bool) -> bool:
        """A watched cgroup is there; return whether it is a container of its own.

        Directories of containers and the engines' monitors are none, nested cgroups belong to theirs.
        """
        owner, role = self._arrivals.place(cgroup, subject, path)
        if not self.subjects.appear(cgroup, owner):
            self._arrivals.gone(cgroup)
            return False
        if role is Role.MONITOR:
            self._monitors.add(cgroup)
            self._kernel.untrace(cgroup)
        elif owner != cgroup:
            container = self.container(owner)
            container.cgroups.add(cgroup)
            self._trace(cgroup, owner, False, container.epoch)
        elif role is Role.TREE:
            self._trace(cgroup, cgroup, True, 0)
            self.subjects.identify(Subject(cgroup, path))
        else:
            self._trace(cgroup, cgroup, False, self.container(cgroup).epoch)
            self._namer.request(cgroup, path, kernel_ns, attached_late)
            return True
        return False

    def _trace(self, cgroup: int, subject: int, tree: bool, epoch: int) -> None:
        self._untraced += not self._kernel.trace(cgroup, subject, tree, epoch)

    def bump_epoch(self, cgroup: int) -> None:
        """Empty the container's part of the kernel's verdict cache."""
        container = self.container(cgroup)
        container.epoch += 1
        self._kernel.set_epoch(container.cgroups, cgroup, container.epoch)

    def bury(self) -> list[int]:
        """Forget the long dead; return the containers among them, for other stages to forget."""
        dead = self.subjects.bury()
        for cgroup in dead:
            self._containers.pop(cgroup, None)
            self._monitors.discard(cgroup)
            self._arrivals.gone(cgroup)
            self._kernel.forget(cgroup)
            self.names.forget(cgroup)
        return dead

    def losses(self) -> list[Loss]:
        """Return and reset what could not be registered or traced, and what each container was held back."""
        untraced, self._untraced = self._untraced, 0
        losses = [Loss("cgroup", "cgroups_full", untraced)] if untraced else []
        for cgroup, container in self._containers.items():
            held_back = events, answers = self._kernel.held_back(cgroup)
            if held_back != container.held_back:
                losses.append(Loss("kernel", "bucket_empty", events - container.held_back[0], cgroup))
                losses.append(Loss("dns", "bucket_empty", answers - container.held_back[1], cgroup))
                container.held_back = held_back
        return [loss for loss in losses if loss.count > 0] + self.subjects.losses() + self.names.losses()

    def detach(self) -> None:
        """The sensor is closed: nothing can be written back any more."""
        self._kernel = NoKernel()
