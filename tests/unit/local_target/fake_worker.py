"""Keeps the worker's side of the agreement without a model: answers its release on the inherited socket.

A bundle folder with a file `refuses` makes it die before it is ready, one with `hangs` never become ready.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--expect")
    parser.add_argument("--release")
    parser.add_argument("--ready-fd", type=int)
    given = parser.parse_args()
    if (given.bundle / "refuses").exists():
        sys.exit("the bundle is damaged")
    while (given.bundle / "hangs").exists():
        time.sleep(0.1)
    draining = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: draining.set())
    listener = socket.socket(fileno=given.fd)
    listener.settimeout(0.1)
    body = f"{given.release} {os.environ.get('GREETING', '')} {os.getpid()}".encode()
    os.write(given.ready_fd, b"1")
    while not draining.is_set():
        try:
            connection, _ = listener.accept()
        except (TimeoutError, BlockingIOError):
            time.sleep(0.005)
            continue
        with connection:
            connection.settimeout(5)
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


if __name__ == "__main__":
    main()
