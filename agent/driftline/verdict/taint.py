"""Taint: a program that was told while its image is learned (not the image's, a remote shell, somebody on a terminal)
teaches nothing by what it does, nor do the programs it starts.

In: events of images being learned with their verdicts, in kernel order. Out: whether one comes from such a program.
Why: a dropped binary is told, but its files and addresses would still become part of the baseline, and be silent from
then on. Next: the pipeline learns, and lets the kernel remember, only what is not tainted.
"""

from __future__ import annotations

from collections import OrderedDict

from driftline.nouns import Event, ExecEvent
from driftline.verdict.outcome import Verdict

MAX_TAINTED = 4_096
"""Program images remembered, under 1 MiB. The oldest goes first, counted: what it does then teaches again."""


class Taint:
    """Program images (exec ids) whose doings must not be learned."""

    def __init__(self) -> None:
        self._images: OrderedDict[int, None] = OrderedDict()
        self.evictions = 0

    def mark(self, event: Event, verdict: Verdict) -> bool:
        """Take an event in kernel order; return whether it comes from a tainted program."""
        image = event.process.exec_id
        if isinstance(event, ExecEvent):
            started = event.by_exec_id in self._images and event.by_exec_id != 0
            told = verdict.kind is not None and not verdict.learn
            if image and (started or told):
                self._add(image)
            return started or told
        return image in self._images

    def _add(self, image: int) -> None:
        self._images[image] = None
        if len(self._images) > MAX_TAINTED:
            self._images.popitem(last=False)
            self.evictions += 1
