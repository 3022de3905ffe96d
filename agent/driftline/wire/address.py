"""HOST:PORT as people write it.

In: a setting's text. Out: host and port, or a SettingsError that says how to write it. Why: until connections are
encrypted and both sides are authenticated, nothing may leave the machine, on either side. Next: ``client``, and the
collector's ``server``.
"""

from __future__ import annotations

import ipaddress

from driftline.errors import SettingsError
from driftline.text import escape

DEFAULT_COLLECTOR = "127.0.0.1:4780"
"""Where a collector listens, and is looked for, unless told otherwise."""


def loopback_address(text: str) -> str:
    """Return ``text``, a loopback HOST:PORT, in the form gRPC takes. Raises SettingsError for anything else.

    Hosts: "localhost", 127.0.0.0/8, "[::1]". Port 0 is allowed: a listener is then given a free one.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"'{escape(text)}' is not HOST:PORT", "write it like 127.0.0.1:4780")
    bare = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        raise SettingsError(f"'{escape(host)}' is not an IP address or localhost", _LOOPBACK_ONLY) from None
    if not address.is_loopback:
        raise SettingsError(f"{address} is not a loopback address", _LOOPBACK_ONLY)
    return f"[{address}]:{int(port)}" if address.version == 6 else f"{address}:{int(port)}"


_LOOPBACK_ONLY = "use 127.0.0.1:PORT: this version has no mTLS, so nothing may leave the machine unencrypted"
