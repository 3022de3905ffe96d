"""Documents made to harm: whatever is in them, the answer comes soon and is an SBOM or an InventoryError."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.baseline.inventory.join import join
from driftline.baseline.inventory.sbom import parse_sbom
from driftline.baseline.inventory.schema import MAX_LEFT_OUT, MAX_PACKAGES, InventoryError
from unit.inventory.roots import document

NAMES = ("cyclonedx-1.5.json", "spdx-2.3.json", "syft.json")
SECONDS = 20  # far above what each takes: a loaded machine, not a quadratic reader

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path to a value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, one in inner for found in places(one, (*path, key))]


PLACES = {name: places(document(name)) for name in NAMES}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_a_value_of_any_type_in_any_place(name: str, data: st.DataObject) -> None:
    changed = copy.deepcopy(document(name))
    for path in data.draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=3)):
        target = changed
        try:
            for key in path[:-1]:
                target = target[key]
            target[path[-1]] = data.draw(junk)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    try:
        said = join("", None, parse_sbom(json.dumps(changed).encode(), "x")).image
    except InventoryError as error:
        said = str(error)
    assert said[:3] in ("", "x: ")


def parse_timed(value: Any) -> Any:
    data = json.dumps(value).encode()
    started = time.process_time()
    try:
        return join("", None, parse_sbom(data, "x"))
    finally:
        assert time.process_time() - started < SECONDS


def cyclonedx(components: list[Any]) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components}


def test_200_000_components_are_refused() -> None:
    with pytest.raises(InventoryError, match=rf"x: components\[{MAX_PACKAGES}\]: more than {MAX_PACKAGES} packages"):
        parse_timed(cyclonedx([{"name": f"n{number}"} for number in range(200_000)]))


def test_as_many_packages_as_are_allowed_all_alike_take_no_quadratic_time() -> None:
    found = parse_timed(cyclonedx([{"name": "n", "version": "1"}] * MAX_PACKAGES))
    assert len(found.packages) > 0


def test_a_component_of_50_000_files() -> None:
    files = [{"type": "file", "name": f"/f/{number}"} for number in range(50_000)]
    assert len(parse_timed(cyclonedx([{"name": "n", "components": files}])).files) == 50_000


def test_components_nested_as_deeply_as_json_allows() -> None:
    value: dict[str, Any] = {"name": "n"}
    for _ in range(300):
        value = {"name": "n", "components": [value]}
    assert len(parse_timed(cyclonedx([value])).packages) > 0


def test_relationships_in_circles() -> None:
    packages = [{"SPDXID": f"p{number}", "name": f"p{number}"} for number in range(3)]
    relations = [
        {
            "spdxElementId": f"p{number % 3}",
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": f"p{(number + 1) % 3}",
        }
        for number in range(100_000)
    ]
    found = parse_timed({"spdxVersion": "SPDX-2.3", "packages": packages, "relationships": relations})
    assert len(found.packages) == 3


def test_what_is_left_out_is_listed_within_bounds() -> None:
    sbom = parse_sbom(json.dumps(cyclonedx([1] * 100_000)).encode(), "x")
    assert sbom.draft.left_out_count == 100_000
    assert len(sbom.draft.left_out) == MAX_LEFT_OUT


def test_huge_texts_are_left_out() -> None:
    sbom = parse_sbom(json.dumps(cyclonedx([{"name": "n" * 10_000_000}, {"name": "m"}])).encode(), "x")
    assert [package.name for package in sbom.draft.packages] == ["m"]
    assert all(len(one.place) + len(one.why) < 200 for one in sbom.draft.left_out)
