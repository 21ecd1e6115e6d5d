"""Where Parley listens: a socket for each address, made before uvicorn is, and the same for any number of workers."""

import errno
import socket

BACKLOG = 4096
# A system without IPv6 has a name for ::1 all the same.
MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104


def listen(host: str, port: int) -> list[socket.socket]:
    """
    Listen at each address that the host has: both for `localhost`, and for `::` everywhere. Raises OSError.

    Every socket is of one kind: one of both would call a visitor at 10.0.0.7 ::ffff:10.0.0.7.
    """
    hosts = EVERYWHERE if host == "::" else (host,)
    found = [info for name in hosts for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
    sockets, missing = list[socket.socket](), list[OSError]()
    for family, *_, address in dict.fromkeys(found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            if error.errno not in MISSING:
                close(sockets)
                raise
            missing.append(error)
    if not sockets:
        raise missing[0]
    return sockets


def close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def reachable(sockets: list[socket.socket]) -> str:
    """The address to open on this machine."""
    host, port = sockets[0].getsockname()[:2]
    if host in EVERYWHERE:
        host = "::1" if host == "::" else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
