"""What stands between a policy and its users: the real validators, and facts of those that are not to be had here.

In: a policy's text. Out: the parsed policy; AssertionError, or the validator's own error, for a bad one. Next: the
tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

KUBERNETES = "1.37"
OCI_SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")  # golang-…-specs-dev

_METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"},
        "namespace": {"type": "string"},
    },
}
_LABELS = {
    "type": "object",
    "required": ["matchLabels"],
    "additionalProperties": False,
    "properties": {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}},
}


def _resource(version: str, kinds: list[str], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {"apiVersion": {"const": version}, "kind": {"enum": kinds}, "metadata": _METADATA, "spec": spec},
    }


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, **more}


# Facts of cilium/tetragon, pkg/k8s/apis/cilium.io/client/crds/v1alpha1/cilium.io_tracingpolicies.yaml
_VALUES = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_OPERATORS = ["Equal", "NotEqual", "Prefix", "NotPrefix", "DPort", "NotDPort", "DAddr", "NotDAddr", "Mask"]
_PROBE = _object(
    ["call", "args", "selectors"],
    call={"enum": ["security_bprm_creds_from_file", "security_mmap_file", "security_file_permission", "tcp_connect"]},
    syscall={"const": False},
    args=_list(
        _object(["index", "type"], index={"type": "integer"}, type={"enum": ["file", "int", "uint32", "sock"]}),
        maxItems=5,
    ),
    selectors=_list(
        _object(
            ["matchActions"],
            matchArgs=_list(
                _object(
                    ["index", "operator", "values"],
                    index={"type": "integer", "minimum": 0},
                    operator={"enum": _OPERATORS},
                    values=_VALUES,
                ),
                maxItems=5,
            ),
            matchActions=_list(_object(["action"], action={"const": "Post"})),
        ),
        maxItems=5,  # MaxItems of selectors, and what the kernel side takes
    ),
)
TETRAGON = _resource(
    "cilium.io/v1alpha1",
    ["TracingPolicy", "TracingPolicyNamespaced"],
    _object(["podSelector", "kprobes"], podSelector=_LABELS, kprobes=_list(_PROBE)),
)

# Facts of kubearmor/KubeArmor, deployments/CRD/KubeArmorPolicy.yaml
_PATH = {"type": "string", "pattern": r"^\/+.*[^\/]$"}
_READ_ONLY = {"const": True}
KUBEARMOR = _resource(
    "security.kubearmor.com/v1",
    ["KubeArmorPolicy"],
    _object(
        ["selector", "action"],
        severity={"type": "integer", "minimum": 1, "maximum": 10},
        message={"type": "string"},
        tags={"type": "array", "items": {"type": "string"}},
        action={"const": "Allow"},
        selector=_LABELS,
        process=_object([], matchPaths=_list(_object(["path"], path=_PATH))),
        file=_object(
            [],
            matchPaths=_list(_object(["path"], path=_PATH, readOnly=_READ_ONLY)),
            matchDirectories=_list(
                _object(
                    ["dir", "recursive"],
                    dir={"type": "string", "pattern": r"^\/$|^\/.*\/$"},
                    recursive={"const": True},
                    readOnly=_READ_ONLY,
                )
            ),
            matchPatterns=_list(_object(["pattern"], pattern={"type": "string"}, readOnly=_READ_ONLY)),
        ),
        network=_object(
            [],
            matchProtocols=_list(_object(["protocol"], protocol={"type": "string", "pattern": "^(icmp|tcp|udp|raw)$"})),
        ),
    ),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Facts of falco.org/docs: "Rule fields", "Supported fields", "Basic elements"
_FALCO_FIELDS = _words(
    """container.id container.image.digest container.image.repository container.name evt.type evt.rawres evt.res
    evt.is_open_read evt.is_open_write fd.name fd.typechar fd.l4proto fd.sport fd.snet fd.sip.name proc.exepath
    proc.pexepath proc.cmdline proc.is_exe_upper_layer proc.is_exe_from_memfd"""
)
_FALCO_WORDS = _words(
    """and or not in glob = != >= <= ( ) , execve execveat open openat openat2 creat connect tcp udp true false host f
    4 6 0 EINPROGRESS"""
)
_FALCO_RULE = frozenset({"rule", "desc", "condition", "output", "priority", "tags", "enabled"})
_FALCO_TOKEN = re.compile(r"\s*(\"[^\"\\]*\"|[()=,]|!=|>=|<=|[^\s()=,\"']+)")


def networkpolicy(text: str) -> Any:
    """By the JSON schemas of Kubernetes itself, strictly."""
    document = yaml.safe_load(text)
    kubernetes_validate.validate(document, KUBERNETES, strict=True)
    return document


def tetragon(text: str) -> Any:
    document = yaml.safe_load(text)
    jsonschema.validate(document, TETRAGON)
    return document


def kubearmor(text: str) -> Any:
    document = yaml.safe_load(text)
    jsonschema.validate(document, KUBEARMOR)
    return document


def seccomp(text: str) -> Any:
    """By the JSON schema of the OCI runtime specification."""
    profile = json.loads(text)
    _need(OCI_SCHEMAS.is_dir(), "golang-github-opencontainers-specs-dev")
    registry: Registry[Any] = Registry(retrieve=_oci)  # type: ignore[call-arg]
    schema = json.loads((OCI_SCHEMAS / "config-schema.json").read_text())
    document = {"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "linux": {"seccomp": profile}}
    jsonschema.Draft4Validator({**schema, "id": "config-schema.json"}, registry=registry).validate(document)
    return profile


def _oci(uri: str) -> Resource[Any]:
    return DRAFT4.create_resource(json.loads((OCI_SCHEMAS / uri.rpartition("/")[2]).read_text()))


def apparmor(text: str, *options: str) -> str:
    """By the real parser, everything but loading it. Return what it printed."""
    _need(bool(shutil.which("apparmor_parser")), "apparmor")
    command = ["apparmor_parser", "--skip-kernel-load", "--skip-cache", *(options or ("--stdout",))]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace") + text
    assert options or done.stdout.startswith(b"\x04\x08\x00version")  # a compiled policy
    return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def falco(text: str) -> Any:
    """Rules with known keys, conditions of known fields and words, every list and macro defined before it is used."""
    items = yaml.safe_load(text)
    names: set[str] = set()
    for item in items:
        if "list" in item:
            assert item.keys() == {"list", "items"}
            assert all(re.fullmatch(r"/[A-Za-z0-9/._+:@~%\[\]-]*", path) for path in item["items"])
            names.add(item["list"])
        elif "macro" in item:
            assert item.keys() == {"macro", "condition"}
            _condition(item["condition"], names)
            names.add(item["macro"])
        elif "rule" in item:
            assert _FALCO_RULE >= item.keys() >= _FALCO_RULE - {"enabled"}
            assert item["priority"] in {"CRITICAL", "ERROR", "NOTICE"}
            assert set(re.findall(r"%([a-z0-9_.]+)", item["output"])) <= _FALCO_FIELDS
            _condition(item["condition"], names)
        else:
            assert item == {"required_engine_version": 31}
    return items


def _condition(text: str, names: set[str]) -> None:
    tokens, place = [], 0
    while place < len(text):
        match = _FALCO_TOKEN.match(text, place)
        assert match, text[place:]
        tokens.append(match[1])
        place = match.end()
    assert tokens.count("(") == tokens.count(")")
    for before, token in zip(["", *tokens], tokens, strict=False):
        known = token in _FALCO_FIELDS | _FALCO_WORDS | names or token.startswith('"')
        value = before in {"=", ">=", "<=", "glob"}  # fd.sport = 443, fd.name glob /x/*, an image's digest
        assert known or value, (token, text)


def _need(there: bool, package: str) -> None:
    if not there and os.environ.get("DRIFTLINE_KERNEL_TESTS") == "1":
        pytest.fail(f"the package {package} is missing: run deploy/setup.sh")
    if not there:
        pytest.skip(f"the package {package} is missing")
