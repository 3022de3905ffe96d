"""Programs that are told by their name: tools of attackers, package managers, what leaves a container.

In: the names a program goes by. Out: why it is told. Why names: the file of a distribution's own tool is the image's,
and its name is all that tells it; a tool under another name is still a program nobody learned. Next: ``execs``.
"""

from __future__ import annotations

from driftline.nouns import Kind, Severity
from driftline.verdict.checks.interpreters import names_in
from driftline.verdict.checks.table import ISOLATION, KUBERNETES, PACKAGES, TOOL, Hit, hit

_GROUPS: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "nmap masscan zmap rustscan arp-scan netdiscover nikto sqlmap gobuster ffuf hydra medusa peirates kdigger "
        "amicontained",
        *(Severity.HIGH, "T1046", "it looks for ways into other systems"),
    ),
    (
        "linpeas linpeas.sh lse.sh pspy pspy64 pspy32 mimipenguin john hashcat unshadow deepce.sh cdk traitor",
        *(Severity.HIGH, "T1003.008", "it collects passwords or looks for ways to become root"),
    ),
    (
        "xmrig xmr-stak minerd cpuminer cgminer bfgminer ccminer ethminer nbminer t-rex lolminer phoenixminer kinsing "
        "kdevtmpfsi nanominer srbminer-multi",
        *(Severity.CRITICAL, "T1496", "it mines for somebody else"),
    ),
    (
        "chisel ngrok frpc frps gost ligolo-agent iodine iodined dnscat dnscat2 dns2tcpc dns2tcpd proxychains "
        "proxychains4 tor torsocks ptunnel hans cloudflared",
        *(Severity.HIGH, "T1572", "it digs a tunnel out of the container"),
    ),
    (
        "nc ncat netcat nc.openbsd nc.traditional socat telnet in.telnetd telnetd",
        *(Severity.MEDIUM, "T1095", "it opens any connection to anywhere"),
    ),
    (
        "ssh sshd scp sftp sftp-server dropbear dbclient rsh rlogin",
        *(Severity.MEDIUM, "T1021.004", "it goes from one machine to another"),
    ),
    ("tcpdump tshark dumpcap ettercap dsniff", Severity.MEDIUM, "T1040", "it listens to what others send"),
)
_TOOLS: dict[str, Hit] = {
    name: hit(TOOL, reason, severity, technique)
    for names, severity, technique, reason in _GROUPS
    for name in names.split()
}
_ISOLATION: dict[str, Hit] = {
    **dict.fromkeys(
        ("insmod", "modprobe", "kmod", "rmmod", "kexec"),
        hit(ISOLATION, "it changes the node's kernel", Severity.CRITICAL, "T1547.006"),
    ),
    "debugfs": hit(ISOLATION, "it reads and writes raw disks", Severity.CRITICAL, "T1006"),
    **dict.fromkeys(
        ("unshare", "nsenter", "mount", "umount", "chroot", "pivot_root", "capsh", "setcap"),
        hit(ISOLATION, severity=Severity.MEDIUM),
    ),
    **dict.fromkeys(
        ("runc", "crun", "ctr", "crictl", "docker", "podman", "nerdctl", "buildah"),
        hit(ISOLATION, "it commands a container runtime"),
    ),
}
_CLIENTS: dict[str, Hit] = dict.fromkeys(
    ("kubectl", "oc", "helm", "k9s", "kubeadm", "kubelet"),
    hit(KUBERNETES, "it commands Kubernetes", Severity.MEDIUM, kind=Kind.EXEC_SUSPICIOUS),
)
BY_NAME: dict[str, Hit] = _TOOLS | _ISOLATION | _CLIENTS
"""Told whatever their arguments."""

_ALWAYS = frozenset({""})
_INSTALL = names_in("install i ci add update upgrade remove uninstall reinstall dist-upgrade full-upgrade")
_INSTALLING: dict[str, frozenset[str]] = {
    **dict.fromkeys(("apt", "apt-get", "aptitude", "snap", "opkg", "conda", "mamba", "brew", "gem", "cargo"), _INSTALL),
    **dict.fromkeys(
        ("yum", "dnf", "dnf-3", "dnf5", "microdnf", "zypper", "tdnf"), _INSTALL | {"localinstall", "in", "up"}
    ),
    **dict.fromkeys(("npm", "npm-cli", "yarn", "yarnpkg", "pnpm"), _INSTALL),
    **dict.fromkeys(
        ("pip", "pip3", "pipx", "uv", "poetry", "composer", "go"), _INSTALL | {"download", "get", "require"}
    ),
    "apk": frozenset({"add", "del", "upgrade", "update", "fix"}),
    "dpkg": frozenset({"-i", "--install", "--unpack", "--configure", "-r", "--remove", "-P", "--purge"}),
    "rpm": frozenset({"-i", "--install", "-U", "--upgrade", "-F", "--freshen", "-e", "--erase", "-Uvh", "-ivh"}),
    "pacman": _ALWAYS,
    "npx": _ALWAYS,
    "easy_install": _ALWAYS,
}
_INSTALLS = hit(PACKAGES)


def by_package_manager(name: str, words: tuple[str, ...]) -> Hit | None:
    """Return the hit if ``name`` called with ``words`` installs or removes something; asking (``rpm -q``) is none."""
    verbs = _INSTALLING.get(name)
    if verbs is None:
        return None
    return _INSTALLS if verbs is _ALWAYS or not verbs.isdisjoint(words) else None
