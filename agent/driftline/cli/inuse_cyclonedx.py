"""Packages in use as CycloneDX 1.6 JSON: a component for each, with what was seen of it as properties.

In: an observation. Out: JSON, the same for the same baseline: serial number and time come from it. Why properties and
not ``scope``: "optional" would say a package can go, which nobody knows. Why the library: it owns the format. Next: a
tool that reads SBOMs.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from driftline import __version__
from driftline.baseline.format.canonical import version_of
from driftline.baseline.inventory.purl import parse
from driftline.baseline.observed import Observation, Use
from driftline.text import escape

NS = 1_000_000_000
PREFIX = "driftline:in-use"


def to_cyclonedx(observation: Observation) -> str:
    """Return the document."""
    baseline = observation.baseline
    version = version_of(baseline)
    image = Component(
        name=escape(baseline.image or baseline.key),
        type=ComponentType.CONTAINER,
        version=escape(baseline.key),
        bom_ref="image",
        properties=_window(observation),
    )
    components = [_component(use) for use in observation.uses]
    driftline = Component(name="driftline", type=ComponentType.APPLICATION, version=__version__, bom_ref="driftline")
    metadata = BomMetaData(
        component=image,
        tools=ToolRepository(components=[driftline]),
        timestamp=datetime.fromtimestamp(observation.last_ns // NS, UTC),
    )
    bom = Bom(components=components, metadata=metadata, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, version))
    bom.register_dependency(image, components)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _window(observation: Observation) -> list[Property]:
    baseline = observation.baseline
    facts = {
        "baseline": version_of(baseline),
        "window-seconds": str(baseline.elapsed_ns // NS),
        "containers": str(len(baseline.containers)),
        "startups": str(baseline.startups),
        "complete": "no" if baseline.reasons else "yes",
        "note": "what was not seen may still be used",
    }
    if baseline.reasons:
        facts["partial"] = ", ".join(map(escape, baseline.reasons))
    if observation.last_ns:
        facts |= {"first-seen": _time(observation.first_ns), "last-seen": _time(observation.last_ns)}
    return _properties(facts)


def _component(use: Use) -> Component:
    known = parse(use.package)
    name, version = (
        (known.name, known.version) if known else (use.package.partition(" ")[0], use.package.partition(" ")[2])
    )
    facts = {"seen": use.seen.value}
    for kind, count in (("executed", use.executed), ("loaded", use.loaded), ("read", use.read)):
        facts[f"files-{kind}"] = str(count)
    if use.last_ns:
        facts |= {"containers": str(len(use.containers)), "last-seen": _time(use.last_ns)}
    return Component(
        name=escape(name),
        version=escape(version) or None,
        type=ComponentType.LIBRARY,
        group=escape(known.namespace) if known and known.namespace else None,
        purl=_purl(use.package),
        bom_ref=escape(use.package),
        properties=_properties(facts),
    )


def _purl(text: str) -> PackageURL | None:
    try:
        return PackageURL.from_string(text)
    except ValueError:
        return None


def _properties(facts: dict[str, str]) -> list[Property]:
    return [Property(name=f"{PREFIX}:{name}", value=value) for name, value in facts.items()]


def _time(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns // NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
