"""A directory of SBOMs, each named after the image it is of.

In: a directory, an image digest. Out: the file of its SBOM. Why by name: a security team puts there what its pipeline
made, and nothing needs to be opened to know which image it is of: ``sha256-<64 hex digits>.json``, or with any word
before the ending (``….cdx.json``, ``….spdx.json``, ``….intoto.jsonl``). Next: ``apart`` takes the file.
"""

from __future__ import annotations

import os
from pathlib import Path

from driftline.baseline.inventory.schema import InventoryError
from driftline.baseline.keeping.store import directory_name
from driftline.text import escape

_ENDINGS = (".json", ".jsonl")


def sbom_of(directory: str | Path, image: str) -> Path | None:
    """Return the SBOM of the image with digest ``image``, None if ``directory`` has none.

    Of several, the first by name. Raises InventoryError if the directory cannot be read.
    """
    start = directory_name(image) + "."
    try:
        found = sorted(name for name in os.listdir(directory) if name.startswith(start) and name.endswith(_ENDINGS))
    except OSError as error:
        message = f"the SBOMs in {escape(str(directory))} cannot be read: {error.strerror}"
        raise InventoryError(message, "name a directory with files called sha256-<digest>.json") from error
    return Path(directory, found[0]) if found else None
