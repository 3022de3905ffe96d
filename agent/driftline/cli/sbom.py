"""``driftline sbom``: what an image ships, and what an SBOM says.

In: an image the agent has read, or a root directory; an SBOM. Out: packages, how many files each owns, executables no
package owns; or what a document says and what in it could not be used. Next: nobody.
"""

from __future__ import annotations

import json as jsonlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.baseline.inventory.child import limit_memory
from driftline.baseline.inventory.fields import Sbom
from driftline.baseline.inventory.making import Made, make
from driftline.baseline.inventory.packed import load_both, path_of
from driftline.baseline.inventory.sbom import read_sbom
from driftline.baseline.inventory.schema import InventoryError, LeftOut, Package
from driftline.baseline.inventory.syftrun import run_syft
from driftline.cli.baseline import find, open_store
from driftline.cli.spool import DEFAULT_STATE, StateDir
from driftline.errors import SettingsError
from driftline.text import escape

LISTED = 1_000
"""Lines of packages or executables printed; ``--json`` has all of them."""


def show(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE|DIR", help="An image that ran on this node, or an image's root directory.")
    ],
    sbom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The image's SBOM, joined with what DIR has.")
    ] = None,
    syft: Annotated[bool, typer.Option("--syft", help="With DIR, without --sbom: let Syft make one.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    state_dir: StateDir = DEFAULT_STATE,
) -> None:
    """Show what an image ships: its packages, how many files each owns, and the executables no package owns.

    Of an image that ran on this node, what the agent read from its layers.
    """
    limit_memory()
    if os.path.isdir(image):
        document = read_sbom(sbom) if sbom else _made(Path(image)) if syft else None
        made = make(image, document)
    elif sbom or syft:
        raise SettingsError("--sbom and --syft are for a directory", "give the image's root directory")
    else:
        made = _kept(state_dir, image)
    if json:
        print(jsonlib.dumps(_made_to_json(made)))
    else:
        _print(_summary(made))


def read(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An SBOM: CycloneDX, SPDX or Syft JSON.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Read an SBOM: print its packages, and what in it could not be used."""
    limit_memory()
    document = read_sbom(file)
    if json:
        print(jsonlib.dumps(_sbom_to_json(document)))
    else:
        _print(_document(document))


def _kept(state_dir: Path, image: str) -> Made:
    """What the agent of this node read of ``image``: its digest, or what ``driftline baseline`` finds it by."""
    key = image if path_of(str(state_dir), image).exists() else find(open_store(state_dir), image).key
    path = path_of(str(state_dir), key)
    found = load_both(path)
    if found is None:
        raise InventoryError(
            f"the packages of {escape(image)} were not read: there is no {path}",
            "give the image's root directory; docs/inventory.md says when the agent reads an image",
        )
    inventory, executables = found
    return Made(inventory, executables, (), inventory.left_out)


def _made(root: Path) -> Sbom:
    with tempfile.TemporaryDirectory(prefix="driftline-sbom-") as directory:
        target = Path(directory, "sbom.json")
        run_syft(root, target)
        return read_sbom(target)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _document(sbom: Sbom) -> list[str]:
    draft = sbom.draft
    subject = f" about {escape(sbom.subject)}" if sbom.subject else ""
    lines = [f"{escape(sbom.format)}{subject}: {len(draft.packages)} packages, {len(draft.files)} files"]
    lines += [f"image {digest}" for digest in sorted(sbom.images)]
    lines += _cut([_package(package) for package in draft.packages])
    return lines + _left_out(draft.left_out, draft.left_out_count)


def _summary(made: Made) -> list[str]:
    inventory, unowned = made.inventory, made.unowned()
    sources = ", ".join(inventory.databases) or "no package database"
    sources += f", {escape(inventory.sbom)}" if inventory.sbom else ""
    files = Counter(recorded.owner for _path, recorded in inventory.files)
    lines = [f"{len(inventory.packages)} packages, {len(inventory.files)} files ({sources})"]
    lines += [f"the SBOM is not of this image: {escape(reason)}" for reason in inventory.mismatches]
    rows = [f"{_package(package)}  {files[number]} files" for number, package in enumerate(inventory.packages)]
    lines += _cut([row + _listed(made, number) for number, row in enumerate(rows)])
    lines.append(f"{len(made.executables)} executables, {len(unowned)} of them owned by no package")
    lines += _cut([f"  {escape(path)}" for path in unowned])
    return lines + _left_out(made.left_out, made.left_out_count)


def _listed(made: Made, number: int) -> str:
    """What sets a package apart where an SBOM was given too."""
    package = made.inventory.packages[number]
    if not made.inventory.sbom or (package.in_sbom and package.database):
        return ""
    return "  only in the SBOM" if package.in_sbom else "  not in the SBOM"


def _package(package: Package) -> str:
    location = f"  {escape(package.location)}" if package.location else ""
    return f"  {escape(package.name)} {escape(package.version)}  {escape(package.purl) or '(no purl)'}{location}"


def _cut(lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - LISTED} more (--json has all)"] if len(lines) > LISTED else []
    return lines[:LISTED] + more


def _left_out(left_out: Iterable[LeftOut], count: int) -> list[str]:
    lines = [f"  {escape(one.place)}: {escape(one.why)}" for one in left_out]
    if not count:
        return []
    more = [f"  and {count - len(lines)} more"] if count > len(lines) else []
    return [f"{count} left out:", *lines, *more]


def _package_to_json(package: Package) -> dict[str, Any]:
    values = package._asdict().items()
    return {name: escape(value) if isinstance(value, str) else value for name, value in values}


def _left_out_to_json(left_out: Iterable[LeftOut]) -> list[dict[str, str]]:
    return [{"place": escape(one.place), "why": escape(one.why)} for one in left_out]


def _sbom_to_json(sbom: Sbom) -> dict[str, Any]:
    return {
        "format": escape(sbom.format),
        "subject": escape(sbom.subject),
        "images": sorted(sbom.images),
        "packages": [_package_to_json(package) for package in sbom.draft.packages],
        "files": len(sbom.draft.files),
        "left_out": _left_out_to_json(sbom.draft.left_out),
        "left_out_count": sbom.draft.left_out_count,
    }


def _made_to_json(made: Made) -> dict[str, Any]:
    inventory = made.inventory
    files = Counter(recorded.owner for _path, recorded in inventory.files)
    packages = enumerate(inventory.packages)
    return {
        "databases": list(inventory.databases),
        "sbom": escape(inventory.sbom),
        "mismatches": [escape(reason) for reason in inventory.mismatches],
        "packages": [{**_package_to_json(package), "files": files[number]} for number, package in packages],
        "files": len(inventory.files),
        "executables": len(made.executables),
        "unowned_executables": [escape(path) for path in made.unowned()],
        "left_out": _left_out_to_json(made.left_out),
        "left_out_count": made.left_out_count,
    }
