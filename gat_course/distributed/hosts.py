"""The machines of a job: their addresses, from a file or on this host (chapter 10)."""

import contextlib
import ipaddress
import os
import socket
from pathlib import Path


def is_here(address: str) -> bool:
    """Whether an IP address is this host's loopback device."""
    return ipaddress.ip_address(address).is_loopback


def free_hosts(number: int) -> list[tuple[str, int]]:
    """Addresses of so many machines that this host plays, on ports nobody uses now.

    >>> from gat_course.distributed.hosts import free_hosts
    >>> [address for address, port in free_hosts(2)]
    ['127.0.0.1', '127.0.0.1']
    """
    found: list[tuple[str, int]] = []
    with contextlib.ExitStack() as taken:
        while len(found) < number:
            first, before = (taken.enter_context(socket.socket()) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                before.bind(("127.0.0.1", port - 1))  # for `MASTER_PORT`
                found.append(("127.0.0.1", port))
    return found


def read_hosts(path: str | os.PathLike) -> list[tuple[str, int]]:
    """Address and port of each machine, from a file with a line for each.

    Raises:
        ValueError: a line is not `ADDRESS PORT`, or two name the same.
    """
    found = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            address, port = words[0], int(words[1])
            ipaddress.IPv4Address(address)
            if len(words) > 2:
                raise ValueError
        except (IndexError, ValueError):
            raise ValueError(
                f"{path}, line {number}: a machine is an IPv4 address and a port, as "
                f"'192.168.0.5 30050'; got {line!r}"
            ) from None
        if not 1025 < port < 65536:
            raise ValueError(f"{path}, line {number}: no port to use: {port}")
        if (address, port) in found:
            raise ValueError(f"{path}, line {number} names a machine twice: {line!r}")
        found.append((address, port))
    if not found:
        raise ValueError(f"{path} names no machine")
    if len({is_here(address) for address, _ in found}) > 1:
        raise ValueError(
            f"{path} names this host by its loopback address beside others, which "
            "could not reach it there: give its address in the network"
        )
    meeting = found[0][0], found[0][1] - 1  # where the trainers meet: `MASTER_PORT`
    if meeting in found:
        raise ValueError(
            f"{path}: port {meeting[1]} is taken by the trainers, the first machine's "
            "less one; choose ports that are further apart"
        )
    return found
