"""Say in plain words whether an address is free to listen on.

Usage: python3 scripts/check_port.py HOST PORT
"""

from __future__ import annotations

import socket
import sys


def main() -> int:
    """Try to bind the address named on the command line, as a server would."""
    host, port = sys.argv[1], int(sys.argv[2])
    with socket.socket() as probe:
        # As servers do: a port that only waits for old connections to end is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            print(f"{host}:{port} cannot be listened on ({error.strerror}): stop what uses it, then try again.")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
