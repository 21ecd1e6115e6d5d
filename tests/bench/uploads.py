"""
By hand: 50 MB attached in a browser, over a line that is cut every three seconds, and over nginx as it comes.

    .venv/bin/python -m tests.bench.uploads

nginx takes bodies of 1 MB at most unless it is told otherwise. Says how long it took, in how many pieces, whether what
was stored is what was sent, and the memory of the server before, at its most, and after.
"""

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.network import Network
from tests.browser.person import QUIET, BrowserPerson
from tests.servers import App, chromium, free_port, missing, on_path, wait_until

SIZE = 50_000_000
CUT_SECONDS = 3.0
# Of the line that is cut: fast enough for a test, and slow enough to be cut several times.
BYTES_PER_SECOND = 4_000_000
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://127.0.0.1:{site}; proxy_set_header Host $http_host; proxy_http_version 1.1; proxy_buffering off;
  }} }}
}}"""


@contextlib.contextmanager
def cut_every_three_seconds(site: App) -> Iterator[str]:
    with Network(site) as network:
        is_over = threading.Event()

        def cut() -> None:
            while not is_over.wait(CUT_SECONDS):
                network.cut()
                network.restore()

        thread = threading.Thread(target=cut)
        thread.start()
        try:
            yield network.url
        finally:
            is_over.set()
            thread.join()


@contextlib.contextmanager
def nginx(site: App) -> Iterator[str]:
    folder, port = Path(tempfile.mkdtemp(prefix="parley-nginx-")), free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, site=site.port))
    program = on_path("nginx") or missing("no nginx")
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    try:
        wait_until((folder / "pid").exists, 10, "nginx")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def resident_mb(site: App) -> float:
    status = Path(f"/proc/{site.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure(browser: Browser, site: App, title: str, url: str, file: Path, bytes_per_second: int = -1) -> None:
    person = BrowserPerson(browser, site, "sender", base_url=url).register(f"sender{time.time_ns()}")
    person.page.goto(person.make_room(title).replace(site.url, url))
    person.text.press("Shift")
    wire = person.context.new_cdp_session(person.page)
    wire.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
    wire.send("Network.emulateNetworkConditions", line)
    person.page.click(".composer__attach")
    before = most = resident_mb(site)
    begun = time.monotonic()
    person.page.set_input_files(".attach__menu input", file)
    while not person.page.locator(".chip [name=file]:enabled").count():
        most = max(most, resident_mb(site))
        person.pause(50)
    seconds = time.monotonic() - begun
    code = person.page.locator(".chip [name=file]").input_value()
    stored = next((site.folder / "data/files").rglob(code))
    is_same = hashlib.sha256(stored.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()
    pieces = person.times_requested(r"^PATCH ")
    print(
        f"{title}: {'whole' if is_same else 'BROKEN'} after {seconds:.1f} s, {pieces} pieces; "
        f"resident memory of the server {before:.0f} MB before, {most:.0f} at most, {resident_mb(site):.0f} after "
        f"(load {os.getloadavg()[0]:.1f})"
    )
    person.context.close()


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "film.bin"
        file.write_bytes(random.Random(1).randbytes(SIZE))
        site = stack.enter_context(App({"RATE_LIMITS": "off", "MAX_FILE_MB": "60"}))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        stack.callback(browser.close)
        with nginx(site) as url:
            measure(browser, site, "nginx as it comes", url, file)
        with cut_every_three_seconds(site) as url:
            measure(browser, site, "cut every three seconds", url, file, BYTES_PER_SECOND)


if __name__ == "__main__":
    main()
