"""Which paths are secrets, and which decide what runs."""

from __future__ import annotations

import pytest
from hypothesis import given

from driftline.baseline.patterns.paths import (
    _LIBRARY,
    _TELLING_ENDINGS,
    _code_write,
    _sensitive_read,
    code_write,
    is_telling,
    is_temporary,
    sensitive_read,
)
from driftline.nouns import Severity
from driftline.verdict.kinds import TECHNIQUES
from unit.baseline.making import paths


def words(text: str) -> list[str]:
    return text.split()


NEVER = words(
    """
    /etc/shadow /etc/gshadow /etc/shadow- /host/etc/shadow /etc/security/opasswd /etc/sudoers
    /etc/sudoers.d/config /proc/1/mem /proc/12/task/13/mem /proc/kcore /dev/mem /host/proc/7/mem
    /etc/kubernetes/admin.conf /etc/kubernetes/pki/ca.key /var/lib/kubelet/pki/kubelet-client-current.pem
    /host/var/lib/etcd/member/snap/db
    """
)
LEARNABLE = words(
    """
    /run/secrets/kubernetes.io/serviceaccount/..2026_11_23_08_00_01.1/token
    /var/run/secrets/kubernetes.io/serviceaccount/token /var/run/secrets/eks.amazonaws.com/serviceaccount/token
    /run/secrets/db_password /proc/1/environ /proc/7/task/8/environ /root/.ssh/id_rsa /home/a/.ssh/id_ed25519
    /etc/ssh/ssh_host_rsa_key /root/.aws/credentials /root/.docker/config.json /home/a/.kube/config
    /root/.config/gcloud/credentials.db /root/.netrc /root/.pgpass
    """
)
ORDINARY = words(
    """
    /etc/passwd /etc/shadow.d/x /etc/shadows /proc/1/stat /proc/mem /data/mem /srv/environ /root/.ssh/id_rsa.pub
    /root/.ssh/known_hosts /root/.ssh/config /run/secrets/kubernetes.io/serviceaccount/ca.crt
    /etc/kubernetes/pki/ca.crt /run/secrets/kubernetes.io/serviceaccount/namespace /etc/ssh/ssh_host_rsa_key.pub
    /etc/ssl/private /app/config.json
    """
)


@pytest.mark.parametrize("path", NEVER)
def test_power_over_others_is_never_learned(path: str) -> None:
    rule = sensitive_read(path)
    assert rule is not None
    assert not rule.own


@pytest.mark.parametrize("path", LEARNABLE)
def test_own_credentials_are_sensitive_but_learnable(path: str) -> None:
    rule = sensitive_read(path)
    assert rule is not None
    assert rule.own


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_reads(path: str) -> None:
    assert sensitive_read(path) is None


CODE = words(
    """
    /bin/ls /sbin/init /usr/bin/a /usr/sbin/b /usr/local/bin/c /lib/x.so /lib64/ld.so /usr/lib/a/b.so
    /usr/local/lib/x.so /opt/app/bin/run /opt/app/lib/x.so /etc/ld.so.preload /etc/ld.so.cache
    /etc/ld.so.conf.d/x.conf /app/venv/lib/python3.11/site-packages/evil.py /etc/cron.d/x /etc/crontab
    /var/spool/cron/crontabs/root /etc/init.d/x /etc/rc.local /etc/systemd/system/x.service /etc/profile.d/x.sh
    /root/.bashrc /root/.ssh/authorized_keys /etc/passwd /etc/shadow /etc/sudoers.d/x /etc/pam.d/sshd
    /sys/fs/cgroup/rdma/release_agent /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/12/mem
    """
)
NO_CODE = words(
    """
    /data/bin/x /app/lib/x /tmp/x /var/log/a.log /opt/app/data/x /usr/share/x /etc/hosts /etc/rclone.conf
    /etc/resolv.conf /proc/12/comm /usr/lib/python3.11/__pycache__/a.cpython-311.pyc /binary /usr/binary/x /proc/mem
    """
)


@pytest.mark.parametrize("path", CODE)
def test_places_programs_run_from(path: str) -> None:
    assert code_write(path) is not None


@pytest.mark.parametrize("path", NO_CODE)
def test_other_places(path: str) -> None:
    assert code_write(path) is None


@pytest.mark.parametrize("path", ["/etc/ld.so.preload", "/proc/1/mem", "/proc/sys/kernel/core_pattern"])
def test_the_worst_is_critical(path: str) -> None:
    rule = code_write(path)
    assert rule is not None
    assert rule.severity is Severity.CRITICAL


def test_temporary_places() -> None:
    assert is_temporary("/dev/shm/x")
    assert not is_temporary("/tmpx/a")


@given(paths)
def test_every_rule_names_a_technique_we_know(path: str) -> None:
    for rule in (sensitive_read(path), code_write(path)):
        assert rule is None or rule.technique in TECHNIQUES


@given(paths)
def test_the_quick_look_for_names_that_matter_misses_none(path: str) -> None:
    matters = path.endswith(tuple(_TELLING_ENDINGS)) or _LIBRARY in path or "/__pycache__/" in path
    matters = matters or _sensitive_read(path) is not None or _code_write(path) is not None
    assert is_telling(path) == matters
