"""Settings from the command line and a file: every field of ``Settings`` is an option and a key of the file.

In: what typer parsed. Out: validated ``Settings``. Raises SettingsError naming the setting, what is wrong with it, and
what is allowed. Why generated: one definition of each setting, its default and its reason. Next: the commands.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import TypeAdapter, ValidationError

from driftline import settings as module
from driftline.errors import SettingsError
from driftline.settings import Settings

CONFIG_BYTES = 1 << 20  # a settings file is some lines; anything larger is another file


def descriptions() -> dict[str, str]:
    """Field name → its docstring in settings.py, on one line."""
    body = next(
        node for node in ast.parse(inspect.getsource(module)).body if getattr(node, "name", "") == Settings.__name__
    )
    found, name = {}, ""
    for statement in body.body:  # type: ignore[attr-defined]
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            found[name] = " ".join(str(statement.value.value).split())
            name = ""
    return found


def with_settings(only: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one option per setting (or those named ``only``), and ``--config``.

    The command is called with ``settings=Settings`` and its own parameters.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        texts, hints = descriptions(), get_type_hints(Settings)
        chosen = [one for one in fields(Settings) if not only or one.name in only]
        own = [
            parameter
            for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
            if name != "settings"
        ]

        def run(**given: Any) -> Any:
            values = {one.name: given.pop(one.name) for one in chosen}
            path = given.pop("config")
            return command(
                settings=load(path, {name: value for name, value in values.items() if value not in (None, [])}), **given
            )

        parameters = [
            _parameter(one.name, hints[one.name], texts[one.name], _shown(one, texts[one.name])) for one in chosen
        ]
        config = inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[Path | None, typer.Option("--config", help="YAML file with settings; options win.")],
        )
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*own, config, *parameters])  # type: ignore[attr-defined]
        run.__doc__ = command.__doc__
        return run

    return decorate


def _shown(one: Any, text: str) -> str:
    """The default, as it ends the help; nothing where there is none, or the text says it."""
    if one.default is MISSING or one.default is False or one.default == "" or "Default:" in text:
        return ""
    value = " ".join(one.default) if isinstance(one.default, tuple) else str(one.default)
    return f" [default: {value}]"


def _parameter(name: str, hint: Any, text: str, default: str) -> inspect.Parameter:
    plain = list[str] if hint == tuple[str, ...] else hint
    word = name.replace("_", "-")
    words = f"--{word}/--no-{word}" if hint is bool else f"--{word}"  # to say no to what a file or the default says
    option = typer.Option(words, help=f"{text}{default}", show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[plain | None, option]
    )


def load(path: Path | None, given: dict[str, Any]) -> Settings:
    """Settings from the file, overridden by ``given``."""
    values = {**(_read(path) if path else {}), **given}
    known = {one.name for one in fields(Settings)}
    for name in values:
        if name not in known:
            close = ", ".join(sorted(known))
            raise SettingsError(f"there is no setting {name!r}" + (f" ({path})" if path else ""), f"one of: {close}")
    try:
        return TypeAdapter(Settings).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        where = f" in {path}" if path and name.partition(".")[0] not in given else ""
        raise SettingsError(f"setting {name}{where}: {first['msg']} (got {first['input']!r})") from None


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        if path.stat().st_size > CONFIG_BYTES:
            raise SettingsError(f"{path} is larger than {CONFIG_BYTES} bytes: no settings file")
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SettingsError(f"{path} must hold settings as `name: value` lines")
    return {name.replace("-", "_"): value for name, value in values.items()}


def to_json(settings: Settings) -> dict[str, Any]:
    """Plain values for ``settings.from_json``."""
    return asdict(settings)
