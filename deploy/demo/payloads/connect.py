"""Call home: connect to an address the service never talked to. @HOST@ is replaced by the demo."""

import socket

with socket.create_connection(("@HOST@", 4444), timeout=5) as connection:
    connection.sendall(b"hello\n")
