"""docs/outputs.md is what the code does: settings and defaults, examples, counters, the table of Falco's rules."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from driftline_collector.outputs import delivery, runner, syslog
from driftline_collector.outputs.config import (
    BATCH,
    OUTPUTS,
    FileOutput,
    OtlpOutput,
    Output,
    SyslogOutput,
    WebhookOutput,
)
from driftline_collector.outputs.configfile import read_outputs
from driftline_collector.outputs.falco_rules import TABLE
from driftline_collector.outputs.progress import Counts

PAGE = (Path(__file__).resolve().parents[2] / "docs/outputs.md").read_text()
SECTIONS: dict[str, type[Output]] = {
    "Settings of every output": Output,
    "`file`": FileOutput,
    "`syslog`": SyslogOutput,
    "`webhook`": WebhookOutput,
    "`otlp`": OtlpOutput,
}
SHARED = {"url", "url_file", "headers_file", "compression", "timeout_seconds", "tls"}  # of webhook and otlp
IN_WORDS = {"none", "all", "required", "2048 for UDP, else 8192", "required, or `url_file`"}


def section(title: str) -> str:
    _head, found, rest = PAGE.partition(f"\n## {title}\n")
    assert found, title
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize("title", SECTIONS)
def test_every_setting_and_its_default(title: str) -> None:
    model = SECTIONS[title]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section(title), re.MULTILINE))
    own = set(model.model_fields) - (set(Output.model_fields) if model is not Output else set()) - {"type"}
    assert set(rows) - {"type"} == own - (SHARED if model is OtlpOutput else set())
    for name, told in rows.items():
        if told in IN_WORDS:
            continue
        default = model.model_fields[name].default
        assert default is not PydanticUndefined, name
        plain = default.value if isinstance(default, Enum) else default
        assert told == f"`{str(plain).lower() if isinstance(plain, bool) else plain}`", name


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(outputs:\n.*?)```", PAGE, re.DOTALL))
def test_examples_are_right(tmp_path: Path, example: str) -> None:
    (tmp_path / "outputs.yaml").write_text(example)
    assert read_outputs(tmp_path / "outputs.yaml").outputs


def test_there_is_an_example_of_each() -> None:
    examples = "".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert set(re.findall(r"type: (\w+)", examples)) == {"file", "syslog", "webhook", "falco", "otlp"}


def test_counters() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", section("Counters"), re.MULTILINE)
    assert rows == [*Counts.model_fields, "lag", "failing", "sending"]


def test_rules() -> None:
    """Kind, check and rule of every row, in order."""
    rows = re.findall(r"^\| (?:`([a-z_.]+)`|any) \| (.+) \| ([^|]+) \|$", section("`falco`"), re.MULTILINE)
    assert [(kind, rule) for kind, _when, rule in rows] == [(str(row.kind), row.rule) for row in TABLE]
    assert all(row.check in when for row, (_kind, when, _rule) in zip(TABLE, rows, strict=True))


@pytest.mark.parametrize(
    "sentence",
    [
        f"up to {OUTPUTS} of them",
        f"up to {BATCH}",
        f"up to {delivery.LONGEST_WAIT:.0f} s, with chance",
        f"More than {['ten'][delivery.FREE_REFUSALS - 10]} refusals in a row",
        f"the last {runner.REMEMBERED:,} ids".replace(",", " "),
        f"longer than {syslog.VALUE_OCTETS} octets",
        f"{syslog.SMALLEST} to 65000",
    ],
)
def test_numbers(sentence: str) -> None:
    assert sentence in PAGE
