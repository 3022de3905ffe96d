#!/usr/bin/env bash
# Install what the demo and the tests need: distribution packages that are missing, and the virtual environment.
# Debian 12 or Ubuntu, root, Python 3.11 or later as /usr/bin/python3 (bcc's module belongs to the distribution's Python).
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  python3-bpfcc libbpf1 python3-venv      # the agent: compiler, loader
  containerd runc busybox-static          # real containers for the demo and the tests
  gcc libc6-dev bpftool iproute2 e2fsprogs # test workloads; leftovers in the kernel; a disk that fails
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
  # No service of these packages is started: the tests bring their own, private ones
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
fi

/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "/usr/bin/python3 is older than 3.11"
if ! .venv/bin/python -c 'import sys' 2>/dev/null; then
  rm -rf .venv
  /usr/bin/python3 -m venv --system-site-packages .venv
fi
echo "setup: installing Python packages into .venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
touch .venv/.installed
