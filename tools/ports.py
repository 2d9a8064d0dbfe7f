"""Ports of this machine that nobody has now; the kernel gives others first before it gives one of them again."""

import socket
from contextlib import ExitStack


def free_port() -> int:
    """Give one."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Give so many, each another one."""
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]
