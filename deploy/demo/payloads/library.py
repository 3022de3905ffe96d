"""Write a shared library into /tmp and load it into the service."""

import ctypes
import os

source = f"/usr/lib/{os.uname().machine}-linux-gnu/libz.so.1"
with open(source, "rb") as original, open("/tmp/payload.so", "wb") as payload:
    payload.write(original.read())
ctypes.CDLL("/tmp/payload.so")
