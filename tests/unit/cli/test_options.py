"""Settings from options and a file: the option wins, and whatever is wrong is named in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.cli.options import CONFIG_BYTES, load, to_json, with_settings
from driftline.errors import SettingsError
from driftline.settings import Settings, from_json


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def test_the_file_is_read_and_an_option_wins(tmp_path: Path) -> None:
    path = file(tmp_path, "node: n\nlearn-seconds: 7\nwatched_roots: [a, b]\nopen_rate: 5\n")
    found = load(path, {"open_rate": 9})
    assert (found.node, found.learn_seconds, found.watched_roots, found.open_rate) == ("n", 7, ("a", "b"), 9)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(file(tmp_path, "# nothing\n"), {}) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learn_secconds: 3\n", ("learn_secconds", "learn_seconds")),
        ("learn_seconds: soon\n", ("learn_seconds", "settings.yaml", "soon")),
        ("learn_seconds: -1\n", ("learn_seconds", "-1")),
        ("ring_bytes: 1\n", ("ring_bytes",)),
        ("open_provider: magic\n", ("open_provider", "magic")),
        ("node: ''\n", ("node",)),
        ("watched_roots: default\n", ("watched_roots",)),
        ("- a\n- b\n", ("must hold settings",)),
        ("1: 2\n", ("must hold settings",)),
        ("a: [\n", ("is no YAML",)),
        ("node: !!python/object/apply:os.system ['true']\n", ("is no YAML",)),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(file(tmp_path, text), {})
    for word in words:
        assert word in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_a_wrong_option_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(file(tmp_path, "node: n\n"), {"learn_seconds": -1})
    assert "settings.yaml" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    large = file(tmp_path, "#" * (CONFIG_BYTES + 1))
    for path in (large, tmp_path, tmp_path / "none"):
        with pytest.raises(SettingsError, match=str(path)):
            load(path, {})
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is no YAML"):
        load(binary, {})


def test_every_setting_is_an_option_and_its_way_to_the_agent_is_whole() -> None:
    seen: list[Settings] = []

    @with_settings()
    def command(settings: Settings) -> None:
        """Nothing."""
        seen.append(settings)

    values = dict.fromkeys(command.__signature__.parameters)  # type: ignore[attr-defined]
    assert set(values) == {"config", *Settings.__dataclass_fields__}
    command(**values | {"node": "n", "watched_roots": ["a"]})
    assert seen == [Settings(node="n", watched_roots=("a",))]
    assert from_json(to_json(seen[0])) == seen[0]
