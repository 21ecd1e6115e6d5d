"""A network between the browsers and the server of a test, to cut and to restore."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

import httpx2
from playwright.sync_api import Error, Route

from tests.servers import App, free_port


class Network:
    """
    A proxy with an address of its own for the site; while it is cut, nothing listens at that address.

    `held` is how many answers it has in its hands, after `hold`.
    """

    def __init__(self, site: App) -> None:
        self.site = site
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.held = 0
        self._holds = b""
        self._is_free = threading.Event()

    def __enter__(self) -> Self:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def restore(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections, and break all that are open."""
        if self._listener:
            # A thread that waits in accept() holds the port open until it is woken.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.let_go()

    def hold(self, part: bytes) -> None:
        """From now on keep what the site answers to a request with this in its first line."""
        self._is_free.clear()
        self._holds = part

    def let_go(self) -> None:
        self._holds = b""
        self._is_free.set()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                browser, _ = listener.accept()
                threading.Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        with browser, suppress(OSError), socket.create_connection(("127.0.0.1", self.site.port)) as server:
            self._open |= {browser, server}
            try:
                self._copy(browser, server)
            finally:
                self._open -= {browser, server}

    def _copy(self, browser: socket.socket, server: socket.socket) -> None:
        asked = b""
        with selectors.DefaultSelector() as ready:
            for source, sink in ((browser, server), (server, browser)):
                ready.register(source, selectors.EVENT_READ, sink)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.data is server:
                        asked = data.partition(b"\r\n")[0]
                    elif self._holds and self._holds in asked:
                        self.held += 1
                        self._is_free.wait()
                        self.held -= 1
                    key.data.sendall(data)


class Held:
    """Posts that the browser holds back until they are let go; one that was given up meanwhile is passed over."""

    def __init__(self) -> None:
        self.waiting: list[Route] = []
        self.is_open = False

    def __call__(self, route: Route) -> None:
        if route.request.method != "POST" or self.is_open:
            route.continue_()
        else:
            self.waiting.append(route)

    def let_go(self) -> None:
        self.is_open = True
        while self.waiting:
            with suppress(Error):
                self.waiting.pop(0).continue_()


def streams(site: App) -> int:
    """How many streams of pages the server holds open now."""
    text = httpx2.get(f"{site.url}/metrics").text
    return sum(int(float(line.split()[1])) for line in text.splitlines() if line.startswith("parley_streams{"))
