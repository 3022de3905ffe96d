"""The outputs file, read and checked.

In: a YAML file. Out: its outputs. Every mistake is told with file, line and the name of what is wrong, never with its
value: it may be a secret in the wrong place. Next: ``build``.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from driftline.baseline.format.reading import DocumentError
from driftline.baseline.format.yamlplain import plain_values
from driftline.errors import SettingsError
from driftline.text import escape
from driftline_collector.outputs.config import OutputsFile
from driftline_collector.outputs.tls import read_limited

CONFIG_BYTES = 256 * 1024
"""Largest outputs file: sixteen outputs with every setting have some 20 KiB."""

_HINT = "docs/outputs.md has an example of each; `driftline outputs check FILE` tells whether it is right now"
_TYPES = ("file", "syslog", "webhook", "falco", "otlp")


def read_outputs(path: Path) -> OutputsFile:
    """Return the outputs in ``path``. Raises SettingsError naming every mistake, ten at most."""
    try:
        text = read_limited(str(path), CONFIG_BYTES).decode("utf-8")
        values = plain_values(text)
        if not isinstance(values, dict):
            raise SettingsError(f"{escape(str(path))} holds no `outputs:`", _HINT)
        return OutputsFile.model_validate(values)
    except OSError as error:
        raise SettingsError(f"{escape(str(path))} cannot be read: {error.strerror or error}") from error
    except (DocumentError, UnicodeDecodeError) as error:
        raise SettingsError(f"{escape(str(path))}: {escape(str(error))}", _HINT) from error
    except ValidationError as error:
        places = _Places(text)
        mistakes = [_mistake(one["loc"], one["msg"], places) for one in error.errors(include_input=False)[:10]]
        raise SettingsError("\n".join(f"{escape(str(path))}, {mistake}" for mistake in mistakes), _HINT) from None


def _mistake(location: tuple[int | str, ...], message: str, places: _Places) -> str:
    steps = [step for number, step in enumerate(location) if not (number == 2 and step in _TYPES)]
    name = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{escape(step)}" for step in steps).lstrip(".")
    said = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "there is no such setting")
    return f"line {places.line(steps)}: {name or 'the file'}: {escape(said)}"


class _Places:
    """Where in the text each value is."""

    def __init__(self, text: str) -> None:
        self._root = yaml.compose(text, Loader=yaml.CSafeLoader)  # no aliases in it: it was read once already

    def line(self, steps: list[int | str]) -> int:
        """Return the line of the value at the end of ``steps``, or of the nearest one above that is there."""
        node, line = self._root, 1
        for step in steps:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            elif isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if not found:
                    break
                line, node = found[0][0].start_mark.line + 1, found[0][1]
            else:
                break
        return line
