"""An OCI image made of directories: the same directories give the same bytes, and so a known digest.

In: layer directories, configuration. Out: a tar that ``ctr images import`` takes, and the manifest digest. Why
uncompressed layers: the digest must not depend on zlib's version, and import is faster. Source: opencontainers
image-spec 1.1 (image-layout.md, manifest.md, config.md, layer.md). Next: ``containerd``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_EPOCH = 1577836800  # 2020-01-01: every file's time; what a container changes is later
_MEDIA = "application/vnd.oci.image"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What the image's configuration says beside its layers."""

    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str = ""  # empty: root


@dataclass(frozen=True, slots=True)
class Image:
    """``name``: reference, ``digest``: of its manifest ("sha256:…"), ``tar``: the OCI layout."""

    name: str
    digest: str
    tar: Path


def build(name: str, layers: Sequence[Path], options: ImageOptions, target: Path) -> Image:
    """Write the image ``name`` ("localhost/web:1") with ``layers``, lowest first, to the new file ``target``."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        _add(out, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        tars = [_tar(directory) for directory in layers]
        described = [_blob(out, f"{_MEDIA}.layer.v1.tar", content) for content in tars]
        config = _blob(out, f"{_MEDIA}.config.v1+json", _json(_config(options, [one["digest"] for one in described])))
        document = {"schemaVersion": 2, "mediaType": f"{_MEDIA}.manifest.v1+json", "config": config}
        manifest = _blob(out, f"{_MEDIA}.manifest.v1+json", _json({**document, "layers": described}))
        named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        entry = {**manifest, "annotations": named, "platform": _platform()}
        _add(out, "index.json", _json({"schemaVersion": 2, "manifests": [entry]}))
    return Image(name, str(manifest["digest"]), target)


def _config(options: ImageOptions, layers: Sequence[object]) -> dict[str, object]:
    environment = {"PATH": _PATH, **options.environment}
    return {
        "created": "2020-01-01T00:00:00Z",
        **_platform(),
        "config": {
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "Entrypoint": list(options.entrypoint),
            "Labels": dict(options.labels),
            "WorkingDir": options.cwd,
            **({"User": options.user} if options.user else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": list(layers)},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "driftline rig"} for _ in layers],
    }


def _platform() -> dict[str, str]:
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    return {"architecture": names.get(os.uname().machine, os.uname().machine), "os": "linux"}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _blob(out: tarfile.TarFile, media: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    _add(out, f"blobs/sha256/{digest}", content)
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o644, _EPOCH
    out.addfile(entry, io.BytesIO(content))


def _tar(directory: Path) -> bytes:
    """The layer's bytes: sorted, one time for all, numeric owners; hard links stay links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as out:
        for path in _walk(directory):
            entry = out.gettarinfo(path, arcname=str(path.relative_to(directory)))
            entry.mtime, entry.uname, entry.gname = _EPOCH, "", ""
            if entry.isreg():
                with path.open("rb") as content:
                    out.addfile(entry, content)
            else:
                out.addfile(entry)
    return buffer.getvalue()


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
