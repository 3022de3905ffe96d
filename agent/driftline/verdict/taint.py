"""Taint: a program that failed a check while its image is learned (it is not the image's, a remote shell, somebody on a
terminal) teaches nothing by what it does, nor do the programs it starts.

In: events of images being learned with their verdicts, in kernel order. Out: whether one comes from such a program.
Why: a dropped binary is told, but its files and addresses would still become part of the baseline, and be silent from
then on. Next: ``judging`` learns what is tainted for review only (``BY_TAINTED``); the kernel remembers none of it.
"""

from __future__ import annotations

from collections import OrderedDict

from driftline.nouns import Event, ExecEvent
from driftline.verdict.outcome import Verdict

MAX_TAINTED = 4_096
"""Program images remembered, under 1 MiB. The oldest goes first, counted: what it does then teaches again."""


class Taint:
    """Program images (exec ids) whose doings must not be learned as allowed."""

    def __init__(self) -> None:
        self._images: OrderedDict[int, None] = OrderedDict()
        self.evictions = 0

    def mark(self, event: Event, verdict: Verdict) -> bool:
        """Take an event in kernel order; return whether it comes from a tainted program.

        An exec that failed the check itself is not done by a tainted program: it is the taint.
        """
        image, images = event.process.exec_id, self._images
        if not isinstance(event, ExecEvent):
            before, taints = image in images, verdict.taints
        else:
            before = event.by_exec_id != 0 and event.by_exec_id in images
            taints = before or verdict.taints
        if taints and image and image not in images:
            self._add(image)
        return before

    def _add(self, image: int) -> None:
        self._images[image] = None
        if len(self._images) > MAX_TAINTED:
            self._images.popitem(last=False)
            self.evictions += 1
