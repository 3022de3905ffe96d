"""One section of RESULTS.md replaced, the others kept: for what is not measured together with the rest.

In: a section. Out: the file with it. Next: ``false_alarms``, ``run``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Section, markdown

FALSE_ALARMS = "False alarms after learning, attacks caught"
"""Title of the section that ``make falsealarms`` writes and ``make bench`` keeps."""


def markdown_with(section: Section, head: Sequence[str], command: str) -> str:
    """The section as Markdown, with the machine it was measured on and the command."""
    title, _empty, *rest = markdown(section).split("\n")
    return "\n".join([title, "", *head, f"- command: `{command}`", "", *rest])


def kept(file: Path, title: str) -> str:
    """The section called ``title``, "" if there is none."""
    text = file.read_text() if file.exists() else ""
    _before, found, after = text.partition(f"## {title}\n")
    return found + after.partition("\n## ")[0].rstrip("\n") + "\n" if found else ""


def put(file: Path, title: str, section: str) -> None:
    """Write ``section`` in the place of the one called ``title``, or at the end."""
    text, before = file.read_text(), kept(file, title)
    section = section.rstrip("\n") + "\n"
    file.write_text(text.replace(before, section) if before else f"{text.rstrip()}\n\n{section}")
