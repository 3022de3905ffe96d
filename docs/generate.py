"""Pages of the documentation that the code itself tells: settings, commands, the README's table of
commands, the JSON Schema of baselines.

In: ``driftline.settings``, the command line, the fields of a baseline. Out: docs/settings.md, docs/commands.md, one
table in README.md, baselines/schema.json. Why: a page that is written twice is wrong once; tests/docs compares. To
write them: ``.venv/bin/python docs/generate.py``.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MinLen
from typer.models import ArgumentInfo, OptionInfo

from driftline.baseline.format.schemafile import schema_text
from driftline.cli.main import COMMANDS, GROUPS, Command
from driftline.cli.options import descriptions
from driftline.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- commands: written by docs/generate.py -->\n", "<!-- end of commands -->\n"
UNITS: dict[Any, str] = {
    bool: "yes or no",
    float: "number",
    int: "whole number",
    str: "text",
    tuple[str, ...]: "list of texts",
}
SETTINGS_HEAD = """\
# Settings

Written by `docs/generate.py` from `agent/driftline/settings.py`; a test compares.

Every setting of the agent is a key of a YAML file (`driftline agent --config FILE`) and an option of the command line
with dashes (`learn_seconds` → `--learn-seconds`). The command line wins over the file. A setting that does not exist,
or is out of range, ends the start with exit status 2 and a sentence that names it.

```yaml
# /etc/driftline/agent.yaml
collector: 127.0.0.1:4780
learn_seconds: 900
watched_roots: [kubepods, kubepods.slice]
```
"""
COMMANDS_HEAD = """\
# Commands

Written by `docs/generate.py` from the command line itself; a test compares. `driftline COMMAND --help` says the same.

An error is one sentence on standard error, with what to try. Exit status: 1 something else, 2 a setting or option,
3 this host cannot run the sensor, 4 a capture that cannot be read, 5 the state directory, 6 the collector,
7 a container engine, 8 certificate, token or role, 9 a signature or a key for one. `baseline diff` ends with 1 if there
is a difference. `baseline learn` and `baseline check` have their own: [pipelines.md](pipelines.md).
"""


def settings_page() -> str:
    """Return docs/settings.md."""
    texts, hints = descriptions(), get_type_hints(Settings, include_extras=True)
    return SETTINGS_HEAD + "".join(_setting(one, hints[one.name], texts[one.name]) for one in fields(Settings))


def _setting(one: Field[Any], hint: Any, text: str) -> str:
    limits = "".join(f", {_limit(limit)}" for limit in getattr(hint, "__metadata__", ()))
    plain = get_args(hint)[0] if limits else hint
    return f"\n## `{one.name}`\n\n{text}\n\n{_kind(plain)}{limits}; default {_default(one)}\n"


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(f'`{choice}`' for choice in get_args(hint))}"
    return UNITS[hint]


def _limit(limit: object) -> str:
    if isinstance(limit, Ge):
        return f"at least {limit.ge}"
    if isinstance(limit, Le):
        return f"at most {limit.le}"
    if isinstance(limit, MinLen):
        return "not empty"
    raise TypeError(f"say in docs/generate.py what {limit!r} means")


def _default(one: Field[Any]) -> str:
    if one.default is MISSING:
        return "the host's name"
    if one.default == "":
        return "empty"
    return ", ".join(f"`{item}`" for item in (one.default if isinstance(one.default, tuple) else (one.default,)))


def commands_page() -> str:
    """Return docs/commands.md."""
    return COMMANDS_HEAD + "".join(_command(name, command) for name, command in COMMANDS.items())


def _command(name: str, command: Command) -> str:
    function = command.load()
    signature = inspect.signature(function, eval_str=True).parameters
    parameters = signature.values()
    settings = {one.name for one in fields(Settings)} if "config" in signature else set()
    rows = [_row(one) for one in parameters if one.name not in settings]
    shared = [f"`{_names(one)[0]}`" for one in parameters if one.name in settings]
    arguments = "".join(f" {_info(one).metavar}" for one in parameters if isinstance(_info(one), ArgumentInfo))
    text = f"\n## `driftline {name}{arguments}`\n\n{_paragraphs(function.__doc__ or '')}\n"
    if rows:
        text += "\n| option | meaning |\n|---|---|\n" + "".join(rows)
    if shared:
        text += f"\nSettings ([settings.md](settings.md)): {', '.join(shared)}\n"
    return text


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def _info(parameter: inspect.Parameter) -> OptionInfo | ArgumentInfo:
    info = parameter.annotation.__metadata__[0]
    assert isinstance(info, OptionInfo | ArgumentInfo)
    return info


def _names(parameter: inspect.Parameter) -> list[str]:
    """The option's names as typed, or the argument's placeholder."""
    info = _info(parameter)
    if isinstance(info, ArgumentInfo):
        return [str(info.metavar)]
    given = [info.default, *(info.param_decls or ())]  # typer keeps the first name where the default used to be
    dashed = parameter.name.replace("_", "-")
    usual = [f"--{dashed}", f"--no-{dashed}"] if parameter.default is True else [f"--{dashed}"]
    names = [name for both in given if isinstance(both, str) for name in both.split("/")] or usual
    return [f"{name} {info.metavar}" if info.metavar else name for name in names]


def _row(parameter: inspect.Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in _names(parameter))
    kind = get_args(parameter.annotation)[0]
    allowed = f" One of {', '.join(map(str, kind))}." if isinstance(kind, type) and issubclass(kind, Enum) else ""
    return f"| {names} | {_info(parameter).help}{allowed}{_option_default(parameter.default)} |\n"


def _option_default(default: object) -> str:
    if default is inspect.Parameter.empty:
        return " Required."
    return "" if default in (None, False, True, "") else f" Default: `{default}`."


def readme_table() -> str:
    """Return the table of commands in README.md: a line for each first word, with the words that may follow."""
    rows = "".join(_first_word(word) for word in dict.fromkeys(name.partition(" ")[0] for name in COMMANDS))
    return f"{BEGIN}\n| command | what it does |\n|---|---|\n{rows}\n{END}"


def _first_word(word: str) -> str:
    rest = ", ".join(f"`{name.partition(' ')[2]}`" for name in COMMANDS if name.startswith(f"{word} "))
    text = COMMANDS[word].help if word in COMMANDS else GROUPS[word]
    also = "Also " if word in COMMANDS else ""
    return f"| `driftline {word}` | {text}{f' {also}{rest}.' if rest else ''} |\n"


def readme_with_table(text: str) -> str:
    """Return README.md's ``text`` with the table of today. Raises ValueError if it has no place for it."""
    before, found, rest = text.partition(BEGIN)
    _old, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError("README.md has lost the comments around its table of commands")
    return before + readme_table() + after


def pages() -> dict[Path, str]:
    """Return each generated file's path and what it must hold."""
    readme = ROOT / "README.md"
    return {
        ROOT / "docs/settings.md": settings_page(),
        ROOT / "docs/commands.md": commands_page(),
        ROOT / "baselines/schema.json": schema_text(),
        readme: readme_with_table(readme.read_text()),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
