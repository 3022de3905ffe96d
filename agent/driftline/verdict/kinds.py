"""The table of deviation kinds: severity, ATT&CK technique, sentence, and what may be learned.

In: nothing. Out: ``RULES``, one entry per ``Kind``. Why a table: one place to see and review all of it;
docs/deviations.md is tested against it. Next: the ``judge`` modules, which may raise a severity or name a closer
technique.
"""

from __future__ import annotations

from typing import NamedTuple

from driftline.nouns import Kind, Severity


class Rule(NamedTuple):
    """How one kind is told."""

    severity: Severity  # unless what happened raises or lowers it
    technique: str  # id in MITRE ATT&CK for Enterprise, "" where none fits
    while_learning: str  # when it fires during learning too: "always", "never", or the condition
    learnable: bool  # whether seeing it may make it part of a baseline
    sentence: str  # for a tired person: {what} happened {where}, {why} it matters


_INFO, _LOW, _MEDIUM, _HIGH, _CRITICAL = Severity

_RAN = "{what} ran in {where}: {why}"
_WRITTEN = "{what} was opened for writing in {where}: {why}"
_READ = "{what} was opened in {where}: {why}"
_CONNECTED = "{where} connected to {what}: {why}"
_LOADED = "{what} was loaded as code in {where}: {why}"
_MISMATCH = "the SBOM given for {what}, which runs as {where}, is another image's: {why}"
_USED = "{what} is used in {where}: {why}"
_REFUSED = "the baseline of {what}, which runs as {where}, was refused: {why}"
_LOST = "{what}: events of {where} were lost, {why}"
_AGENT = "{what} of {where}: {why}"  # told by the collector, in its own words

RULES: dict[Kind, Rule] = {
    Kind.EXEC_DRIFT: Rule(_CRITICAL, "T1105", "always", False, _RAN),
    Kind.EXEC_FILELESS: Rule(_CRITICAL, "T1620", "always", False, _RAN),
    Kind.EXEC_UNKNOWN: Rule(_HIGH, "T1059", "only with input or output on a network connection", True, _RAN),
    Kind.EXEC_UNOWNED: Rule(_HIGH, "T1059", "never", True, _RAN),
    Kind.EXEC_MODIFIED: Rule(_HIGH, "T1525", "always", False, _USED),
    Kind.EXEC_SUSPICIOUS: Rule(_HIGH, "T1059", "always", False, _RAN),
    Kind.EXEC_PARENT: Rule(_MEDIUM, "T1059", "never", True, _RAN),
    Kind.EXEC_INTO_CONTAINER: Rule(_MEDIUM, "T1609", "always", True, _RAN),
    Kind.CODE_LOAD: Rule(_HIGH, "T1574.006", "always", False, _LOADED),
    Kind.FILE_WRITE_UNKNOWN: Rule(_MEDIUM, "", "never", True, _WRITTEN),
    Kind.FILE_WRITE_CODE: Rule(_HIGH, "T1554", "always", False, _WRITTEN),
    Kind.FILE_WRITE_LOG: Rule(_MEDIUM, "T1070.002", "always", False, _WRITTEN),
    Kind.FILE_READ_SENSITIVE: Rule(_HIGH, "T1552.001", "always; the service's own credentials as low", False, _READ),
    Kind.FILE_READ_UNKNOWN: Rule(_LOW, "T1083", "never", True, _READ),
    Kind.CONNECT_UNKNOWN: Rule(_MEDIUM, "T1071", "never", True, _CONNECTED),
    Kind.CONNECT_METADATA: Rule(_HIGH, "T1552.005", "always", False, _CONNECTED),
    Kind.CONNECT_RUNTIME_SOCKET: Rule(_CRITICAL, "T1611", "always", False, _CONNECTED),
    Kind.CONNECT_SUSPICIOUS: Rule(_MEDIUM, "T1071", "always", False, _CONNECTED),
    Kind.IMAGE_SBOM_MISMATCH: Rule(_MEDIUM, "", "always", False, _MISMATCH),
    Kind.BASELINE_REFUSED: Rule(_HIGH, "T1562", "always", False, _REFUSED),
    Kind.COVERAGE_GAP: Rule(_MEDIUM, "T1562", "always", False, _LOST),
    Kind.AGENT_SILENT: Rule(_HIGH, "T1562", "always", False, _AGENT),
    Kind.AGENT_DEGRADED: Rule(_MEDIUM, "T1562", "always", False, _AGENT),
}

TECHNIQUES = {
    "T1003.007": "OS Credential Dumping: Proc Filesystem",
    "T1003.008": "OS Credential Dumping: /etc/passwd and /etc/shadow",
    "T1006": "Direct Volume Access",
    "T1021.004": "Remote Services: SSH",
    "T1037": "Boot or Logon Initialization Scripts",
    "T1040": "Network Sniffing",
    "T1046": "Network Service Discovery",
    "T1053.003": "Scheduled Task/Job: Cron",
    "T1055.009": "Process Injection: Proc Memory",
    "T1059": "Command and Scripting Interpreter",
    "T1070.002": "Indicator Removal: Clear Linux or Mac System Logs",
    "T1070.003": "Indicator Removal: Clear Command History",
    "T1071": "Application Layer Protocol",
    "T1071.003": "Application Layer Protocol: Mail Protocols",
    "T1082": "System Information Discovery",
    "T1083": "File and Directory Discovery",
    "T1095": "Non-Application Layer Protocol",
    "T1098": "Account Manipulation",
    "T1105": "Ingress Tool Transfer",
    "T1496": "Resource Hijacking",
    "T1505.003": "Server Software Component: Web Shell",
    "T1525": "Implant Internal Image",
    "T1528": "Steal Application Access Token",
    "T1543.002": "Create or Modify System Process: Systemd Service",
    "T1546.004": "Event Triggered Execution: Unix Shell Configuration Modification",
    "T1547.006": "Boot or Logon Autostart Execution: Kernel Modules and Extensions",
    "T1548.001": "Abuse Elevation Control Mechanism: Setuid and Setgid",
    "T1552.001": "Unsecured Credentials: Credentials In Files",
    "T1552.004": "Unsecured Credentials: Private Keys",
    "T1552.005": "Unsecured Credentials: Cloud Instance Metadata API",
    "T1554": "Compromise Host Software Binary",
    "T1562": "Impair Defenses",
    "T1572": "Protocol Tunneling",
    "T1574.006": "Hijack Execution Flow: Dynamic Linker Hijacking",
    "T1609": "Container Administration Command",
    "T1611": "Escape to Host",
    "T1613": "Container and Resource Discovery",
    "T1620": "Reflective Code Loading",
}
"""Every technique a deviation may name, with its name in MITRE ATT&CK for Enterprise."""
