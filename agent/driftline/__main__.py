"""Where ``driftline`` and ``python -m driftline`` begin.

In: the command line. Out: an exit status. Next: ``cli.main``.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with its status."""
    from driftline.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
