"""What may stand between a browser and the application."""

import select
import socket
import threading
from contextlib import suppress
from typing import Self

from tests.servers import App


class Proxy:
    """A way to the site, in the hands of a test."""

    def __init__(self, site: App) -> None:
        self.site = site
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self.site.port)) as far, suppress(OSError):
            self.carry(near, far)

    def carry(self, near: socket.socket, far: socket.socket) -> None:
        """One request from the browser, and its answer from the site."""
        raise NotImplementedError


class Buffering(Proxy):
    """
    As some companies and virus scanners have it: it hands an answer on when it has all of it.

    `head_first` is whether the head of an answer passes before its body has ended.
    """

    def __init__(self, site: App, head_first: bool) -> None:
        super().__init__(site)
        self.head_first = head_first

    def carry(self, near: socket.socket, far: socket.socket) -> None:
        request = near.recv(65536)
        far.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
        held, is_at_head = b"", self.head_first
        while True:
            ready = select.select([near, far], [], [])[0]
            if near in ready:
                if not (more := near.recv(65536)):
                    return  # nobody waits any more
                far.sendall(more)
            if far in ready:
                if not (piece := far.recv(65536)):
                    return near.sendall(held)
                held += piece
                if is_at_head and b"\r\n\r\n" in held:
                    head, end, held = held.partition(b"\r\n\r\n")
                    near.sendall(head + end)
                    is_at_head = False
