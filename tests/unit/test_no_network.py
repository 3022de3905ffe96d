"""Unit tests are cut off from every network."""

from __future__ import annotations

import errno
import os
import socket

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_not_even_the_loopback_answers() -> None:
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", 1)) == errno.ENETUNREACH
