"""
By hand: Lighthouse on the front page, the lobby and a room, as a phone on slow 4G with a four times slower processor.

    npm install lighthouse          # anywhere, and name the program; and how often, for a machine that is busy:
    .venv/bin/python -m tests.bench.lighthouse node_modules/.bin/lighthouse 7
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx2

from tests.live_page import session_cookie
from tests.servers import App, chromium

CATEGORIES = ("performance", "accessibility", "best-practices")
AUDITS = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")
TRIES = 5
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def filled_site() -> App:
    """An installation where people have talked."""
    app = App({"RATE_LIMITS": "off"}, is_new=True)
    fill = (sys.executable, "-m", "webapp", "demo", "--users", "80", "--rooms", "12", "--messages", "3000")
    subprocess.run(fill, cwd=app.folder, env=app.env, check=True, capture_output=True)
    return app


def session(app: App) -> tuple[str, str]:
    """The cookie of somebody new, and the address of the busiest room."""
    with httpx2.Client(base_url=app.url, headers={"Sec-Fetch-Site": "same-origin"}, follow_redirects=True) as client:
        form = {"username": "lighthouse", "password": "correct horse battery", "display_name": "Visitor"}
        lobby = client.post("/register", data=form).text
        room = lobby.split('class="rooms__entry"', 1)[1].split('href="', 1)[1].split('"', 1)[0]
        return session_cookie(client), room


def measure(program: str, url: str, cookie: str, folder: Path) -> dict:
    """Its report. Now and then Lighthouse misses its own start: then once more."""
    for _ in range(TRIES):
        with suppress(subprocess.CalledProcessError):
            report = run(program, url, cookie, folder)
            assert report["finalDisplayedUrl"] == url, "another page was measured"
            return report
    raise RuntimeError(f"{url} could not be measured")


def run(program: str, url: str, cookie: str, folder: Path) -> dict:
    report, headers = folder / "report.json", folder / "headers.json"
    headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}))
    asked = ",".join(CATEGORIES)
    # A room's stream never ends: what is waited for is the page.
    line = (program, url, "--quiet", "--output=json", f"--output-path={report}", f"--only-categories={asked}",
            f"--extra-headers={headers}", f"--chrome-flags={FLAGS}", "--max-wait-for-load=20000")  # fmt: skip
    subprocess.run(line, check=True, env=os.environ | {"CHROME_PATH": chromium()})
    return dict(json.loads(report.read_text()))


def main() -> None:
    program = sys.argv[1] if len(sys.argv) > 1 else "lighthouse"
    with filled_site() as app, tempfile.TemporaryDirectory() as folder:
        cookie, room = session(app)
        pages = (("/", ""), ("/lobby", cookie), (room, cookie))
        for path, kept in pages * (int(sys.argv[2]) if len(sys.argv) > 2 else 1):
            report = measure(program, app.url + path, kept, Path(folder))
            scores = "  ".join(f"{name} {round(100 * report['categories'][name]['score'])}" for name in CATEGORIES)
            figures = ", ".join(f"{name} {report['audits'][name]['displayValue']}" for name in AUDITS)
            print(f"{path:24} {scores}  ({figures}; load {os.getloadavg()[0]:.1f})")
            for name in CATEGORIES:
                for audit in report["categories"][name]["auditRefs"]:
                    found = report["audits"][audit["id"]]
                    if audit["weight"] and found["score"] is not None and found["score"] < 1:
                        print(f"    {name}: {found['title']} {found.get('displayValue', '')}")


if __name__ == "__main__":
    main()
