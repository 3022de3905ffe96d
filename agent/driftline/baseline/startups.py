"""Complete start-ups: which containers were seen from their first program on until they had nothing new to show.

In: containers' first execs, what they show, losses, running time. Out: how many start-ups were complete. Why: what a
service does only while it starts is missing from a baseline that never saw it start. Next: ``learning`` waits for one.

A start-up is complete when the agent saw the container's init executed by its runtime, nothing of the container was
lost since, and it then either showed nothing new for the quiet time of learning while it ran, or ended: a job that runs
for seconds was seen whole.
"""

from __future__ import annotations


class Startups:
    """Start-ups under way of one image's containers, by cgroup. Bounded by the containers the node can hold."""

    __slots__ = ("_quiet", "complete")

    def __init__(self) -> None:
        self._quiet: dict[int, int] = {}  # cgroup → ns it ran since it last showed something new
        self.complete = 0

    @property
    def under_way(self) -> bool:
        """Whether a container is starting now and all of it was seen so far."""
        return bool(self._quiet)

    def begin(self, cgroup: int) -> None:
        """The init of a container was seen being executed."""
        self._quiet[cgroup] = 0

    def novel(self, cgroup: int) -> None:
        """A container showed something new."""
        if cgroup in self._quiet:
            self._quiet[cgroup] = 0

    def spoil(self, cgroup: int = 0) -> None:
        """Something a container did was lost; 0: of one that cannot be told."""
        if cgroup:
            self._quiet.pop(cgroup, None)
        else:
            self._quiet.clear()

    def end(self, cgroup: int) -> bool:
        """A container ended; return whether that completes its start-up."""
        whole = self._quiet.pop(cgroup, None) is not None
        self.complete += whole
        return whole

    def advance(self, passed_ns: int, quiet_ns: int) -> int:
        """Let running time pass; return how many start-ups it completes."""
        done = 0
        for cgroup, quiet in list(self._quiet.items()):
            if quiet + passed_ns >= quiet_ns:
                del self._quiet[cgroup]
                done += 1
            else:
                self._quiet[cgroup] = quiet + passed_ns
        self.complete += done
        return done
