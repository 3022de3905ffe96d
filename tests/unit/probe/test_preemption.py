"""How a kernel's preemption is told, the surest source first."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.probe.preemption import preemption


@pytest.mark.parametrize(
    ("scheduler", "command_line", "version", "expected"),
    [
        ("none voluntary (full)\n", "preempt=none", "#1 SMP PREEMPT_DYNAMIC", "full"),
        ("none voluntary full (lazy)\n", "", "#1 SMP PREEMPT_DYNAMIC", "lazy"),
        (None, "quiet preempt=full panic=-1\n", "#1 SMP PREEMPT_DYNAMIC", "full"),
        (None, "quiet nopreempt=full\n", "#1 SMP PREEMPT_DYNAMIC", ""),
        (None, None, "#1 SMP PREEMPT_DYNAMIC Debian", ""),
        (None, None, "#1 SMP PREEMPT Tue", "full"),
        (None, None, "#1 SMP PREEMPT_RT Tue", "full"),
        (None, None, "#1 SMP Debian 5.10.223-1", "voluntary"),
    ],
)
def test_preemption(
    tmp_path: Path, scheduler: str | None, command_line: str | None, version: str, expected: str
) -> None:
    for name, text in (("scheduler", scheduler), ("command_line", command_line)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert preemption(tmp_path / "scheduler", tmp_path / "command_line", version) == expected
