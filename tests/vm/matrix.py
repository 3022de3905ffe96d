"""The kernel matrix: ``make kernels``, or ``PYTHONPATH=tests python -m vm.matrix [SERIES…] [--append WORDS]``.

In: kernel series ("6.12"); without any, all that the apt sources offer. Out: a table on standard output, each kernel's
console below .cache/kernels. Exit status 0 only when every provider of every kernel told everything. Needs root. One
machine at a time: five minutes each, two processors, 2.5 GB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from typing import Any

from rig import rootfs
from vm import kernels, machine
from vm.check import passed

COMMAND = (
    f"PYTHONPATH=tests {sys.executable} -m vm.check; status=$?; {sys.executable} -m driftline doctor; exit $status"
)


INSTALL = "apt-get install --no-install-recommends qemu-system-x86 cpio kmod busybox-static runc"
TOOLS = ("qemu-system-x86_64", str(machine.VIRTIOFSD), "cpio", "depmod", "/bin/busybox", "runc")


def main() -> int:
    """Run the kernels one after the other, print the table."""
    parser = argparse.ArgumentParser(description="Try the sensor on other kernels.")
    parser.add_argument("series", nargs="*", default=list(kernels.SERIES))
    parser.add_argument("--append", default="", help="more words for the kernel's command line, such as preempt=full")
    given = parser.parse_args()
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        parser.exit(3, f"kernel matrix: missing {', '.join(missing)}: {INSTALL}\n")
    rootfs.default_layers()  # built here: the guest's are thrown away
    rows, good = [], True
    for series in given.series:
        package = kernels.newest(series)
        if package is None:
            rows.append((series, "", "not offered by this machine's apt sources", "", ""))
            continue
        started = time.monotonic()
        status, console = machine.run(kernels.unpacked(package), COMMAND, given.append)
        (kernels.CACHE / f"{series}.log").write_text(console)
        good = good and status == 0
        rows += table_rows(console, time.monotonic() - started) or [
            (series, "", f"no result, see {series}.log", "", "")
        ]
    for row in (("kernel", "provider", "result", "armed", "lost"), *rows):
        print("{:32} {:10} {:56} {:8} {}".format(*row))
    return 0 if good else 1


def table_rows(console: str, seconds: float) -> list[tuple[str, str, str, str, str]]:
    """One row per provider out of the console's RESULT line."""
    found = [line for line in console.splitlines() if line.startswith("RESULT ")]
    if not found:
        return []
    result = json.loads(found[-1].removeprefix("RESULT "))
    print(f"{result['release']}: chooses {result['chosen']}, took {seconds:.0f} s")
    return [(result["release"], one["provider"], *_columns(one)) for one in result["results"]]


def _columns(one: dict[str, Any]) -> tuple[str, str, str]:
    if why := one.get("unusable") or one.get("error"):
        return why.splitlines()[0], "", ""
    text = f"{one['seen']} of {one['expected']} deeds" + (", passed" if passed(one) else ", FAILED")
    if one["extra"]:
        text += f", {len(one['extra'])} unexpected"
    storm = one["storm"]
    lost = one["losses"] or storm["lost"]
    text += f"; storm {storm['seen']} of {storm['done']}"
    return text, f"{one['armed_seconds']} s", json.dumps(lost) if lost else "0"


if __name__ == "__main__":
    sys.exit(main())
