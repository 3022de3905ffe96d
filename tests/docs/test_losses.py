"""Every hook, counter and cause of loss in the code has its entry in docs/metrics-and-losses.md, and no other has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from driftline.probe import counters, misses

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/metrics-and-losses.md").read_text()
CELL = r"\| `([^`]+)` "


def section(title: str) -> str:
    _head, found, rest = PAGE.partition(f"\n## {title}\n")
    assert found, title
    return rest.partition("\n## ")[0]


def modules() -> Iterator[ast.Module]:
    for path in (ROOT / "agent/driftline").rglob("*.py"):
        yield ast.parse(path.read_text())


def loss_calls(tree: ast.Module) -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Loss" and call.args]


def text_of(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def counted_by_name(tree: ast.Module) -> set[str]:
    """Causes that reach ``Loss`` through a variable: ``losses["x"]``, ``cause = "x"``, ``causes = {"x": …}``."""
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "_losses":
            found.add(text_of(node.slice))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name == "cause":
                found.add(text_of(node.value))
            if name == "causes" and isinstance(node.value, ast.Dict):
                found.update(text_of(key) for key in node.value.keys if key)
    return {cause for cause in found if cause}


def causes_in_the_code() -> set[tuple[str, str]]:
    found = set()
    for tree in modules():
        for call in loss_calls(tree):
            hook, cause = text_of(call.args[0]), text_of(call.args[1])
            if hook and cause:
                found.add((hook, cause))
            elif hook:
                found |= {(hook, name) for name in counted_by_name(tree)}
    return found


def test_kernel_hooks() -> None:
    assert set(re.findall(f"^{CELL}", section("Kernel hooks"), re.MULTILINE)) == set(counters.HOOKS.values())


def test_kernel_causes() -> None:
    losses = {name for number, name in counters.NAMES.items() if number >= counters.FIRST_LOSS}
    assert set(re.findall(f"^{CELL}", section("Causes in the kernel"), re.MULTILINE)) == losses | {misses.CAUSE}


def test_agent_causes() -> None:
    rows = re.findall(rf"^{CELL}{CELL}", section("Causes in the agent"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    found = causes_in_the_code()
    assert len(found) > 15  # else the search above no longer finds what the code does
    assert set(rows) == found


def test_counters() -> None:
    told = set(re.findall(f"^{CELL}", section("Counters that are no losses"), re.MULTILINE))
    kernel = {f"kernel.HOOK.{name}" for number, name in counters.NAMES.items() if number < counters.FIRST_LOSS}
    sources = "".join(path.read_text() for path in (ROOT / "agent/driftline").glob("*.py"))
    agent = set(re.findall(r'"((?:pipeline|identify|verdict|report|baselines)\.[a-z_]+)"', sources))
    assert "pipeline.records" in agent
    assert told == kernel | agent
