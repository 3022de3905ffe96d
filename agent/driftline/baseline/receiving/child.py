"""``python -m driftline.baseline.receiving.child``: takes one published baseline or revocation, ends.

In: a ``Request`` as JSON on standard input. Out: an ``Answer`` as a line of JSON. Why a child: see ``apart``. Next:
``publishing`` and ``revoking`` do it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from driftline.baseline.decisions import DecisionError
from driftline.baseline.keeping.revoked import MAX_REASON, DamagedError
from driftline.baseline.receiving.apart import Answer, Became, Request
from driftline.baseline.receiving.publishing import publish
from driftline.baseline.receiving.revoking import revoke
from driftline.baseline.signing.child import MEMORY, confine
from driftline.errors import SignatureError, StateError
from driftline.text import escape


def main() -> int:
    """Take what standard input asks for; return the exit status."""
    confine()
    print(json.dumps(asdict(take(Request(**json.load(sys.stdin))))))
    return 0


def take(request: Request) -> Answer:
    """Take it, whatever is wrong with it."""
    try:
        return revoke(request) if request.revocation else publish(request)
    except (DamagedError, OSError) as error:
        return _not_taken(Became.FAILED, error)
    except StateError as error:
        disk = isinstance(error.__cause__, OSError)
        return _not_taken(Became.FAILED if disk else Became.REFUSED, error)
    except (SignatureError, DecisionError, ValueError) as error:  # what was sent is wrong, or not for this node
        return _not_taken(Became.REFUSED, error)
    except MemoryError:
        return Answer(became=Became.REFUSED, reason=f"it needs more than {MEMORY} bytes of memory")


def _not_taken(became: Became, error: Exception) -> Answer:
    what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error.args[0])
    return Answer(became=became, reason=escape(what[:MAX_REASON]))


if __name__ == "__main__":
    sys.exit(main())
