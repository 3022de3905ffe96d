#!/usr/bin/env bash
# Install what the demo and the tests need: distribution packages that are missing, and the virtual environment.
# Debian 12 or Ubuntu, root, Python 3.11 or later as /usr/bin/python3 (bcc's module belongs to the distribution's Python).
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  python3-bpfcc libbpf1 python3-venv      # the agent: compiler, loader
  containerd runc busybox-static          # real containers for the demo and the tests
  gcc libc6-dev bpftool iproute2 e2fsprogs # test workloads; leftovers in the kernel; a disk that fails
  debootstrap openssl                     # images of real servers: benchmarks, starter baselines
  postgresql                              # the tests' own servers, in temporary directories; no daemon
  apparmor golang-github-opencontainers-specs-dev # validators of exported policies: a parser, JSON schemas
  clang-format git ca-certificates
)

fail() { echo "setup: $1" >&2; exit 1; }
command -v apt-get >/dev/null || fail "apt-get is not here: this script knows Debian and Ubuntu (see docs/install.md for others)"

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || fail "run as root: these packages are missing: ${missing[*]}"
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq -o DPkg::Lock::Timeout=300
  # No service of these packages is started: the tests bring their own, private ones. PostgreSQL's package would make a
  # cluster and start it; told not to for this time only, as whoever installs it later may want one.
  clusters=/etc/postgresql-common/createcluster.d
  mkdir -p "$clusters"
  echo "create_main_cluster = false" >"$clusters/driftline-setup.conf"
  trap 'rm -f "$clusters/driftline-setup.conf"' EXIT
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
fi

/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "/usr/bin/python3 is older than 3.11"
if ! .venv/bin/python -c 'import sys' 2>/dev/null; then
  rm -rf .venv
  /usr/bin/python3 -m venv --system-site-packages .venv
fi
if [ ! -x .venv/bin/promtool ]; then
  # Checks metrics and alert rules in the tests. Only this program: installing the package would start a Prometheus.
  echo "setup: fetching promtool"
  fetched=$(mktemp -d)
  (cd "$fetched" && chmod 0755 . && apt-get download -qq prometheus >/dev/null && dpkg-deb -x prometheus_*.deb .)
  install -m 0755 "$fetched/usr/bin/promtool" .venv/bin/promtool
  rm -rf "$fetched"
fi
echo "setup: installing Python packages into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
touch .venv/.installed
