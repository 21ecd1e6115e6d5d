"""A network between browser and server that can be cut and mended."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

from tests.servers import App, free_port


class Between:
    """Passes connections on to the site at an address of its own; while cut, there is nobody at that address."""

    def __init__(self, site: App) -> None:
        self.site = site
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._door: socket.socket | None = None

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._welcome, args=(self._door,), daemon=True).start()

    def cut(self) -> None:
        """Nobody comes in any more, and whoever is in is thrown out."""
        if self._door:
            # A thread that waits in accept() holds the port open until it is woken.
            with suppress(OSError):
                self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()
            self._door = None
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _welcome(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                browser, _ = door.accept()
                threading.Thread(target=self._pass_on, args=(browser,), daemon=True).start()

    def _pass_on(self, browser: socket.socket) -> None:
        with browser, suppress(OSError), socket.create_connection(("127.0.0.1", self.site.port)) as server:
            self._open |= {browser, server}
            try:
                self._carry(browser, server)
            finally:
                self._open -= {browser, server}

    def _carry(self, browser: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            for source, sink in ((browser, server), (server, browser)):
                ready.register(source, selectors.EVENT_READ, sink)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)
