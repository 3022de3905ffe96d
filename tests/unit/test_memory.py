"""gRPC comes without ssl and grpc.aio, and whoever needs them afterwards has them."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from driftline.delivery import _import_grpc
from driftline.memory import give_back, share_one_arena
share_one_arena()
_import_grpc()
assert "grpc" in sys.modules and not sys.modules.keys() & {"ssl", "grpc.aio", "grpc.aio._server"}
import ssl
ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
from grpc import aio
aio.insecure_channel
give_back()
print("done")
"""


def test_grpc_comes_without_what_can_still_be_had() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
