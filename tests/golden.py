"""
Every page as bytes, to see that a change which should change nothing changed nothing.

    python -m tests.golden FOLDER NAME

The first run makes an installation in FOLDER/data. Each run serves a copy of it with the code of this checkout, asks
for every address that answers GET as each of the people below, plain and by htmx, and writes the answers to
FOLDER/NAME.
Run it in two checkouts with two names, then `diff -r` the two folders. What differs at every request is masked.
"""

import contextlib
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2

from tests.servers import ROOT, free_port, wait_until
from webapp.app import app

PASSWORD = "parley-demo"
FIRST_FRAMES_SECONDS = 0.7
# What each request or process makes anew: nonces, form tokens, ids of styles, digests of sidebars and stylesheets.
MASKS = [
    (re.compile(r'(name="(?:nonce|token|seal)" value=")[^"]*'), r"\1*"),
    (re.compile(r"(nonce=\"|'nonce-)[\w-]+"), r"\1*"),
    (re.compile(r"(sidebar=|page=)[\w.%-]+"), r"\1*"),
    (re.compile(r"(me\.css\?)[^\"]*"), r"\1*"),
    # Who is here just now, signs of life, and how long somebody waits, come when they come.
    (re.compile(r"(?m)^data: .*id=\"(?:people|wait)\".*\n\n|^data: .*hx-target=\"#wait\".*\n\n|^:\n\n"), ""),
    (re.compile(r"(id=\"people\"[^>]*>).*?</p>"), r"\1*"),
    (re.compile(r"(wait__time\">|devices__times\">|You are <strong dir=\"auto\">)[^<]*"), r"\1*"),
    (re.compile(r"(/static/[\w./-]*\.)[0-9a-f]{8,}(\.)"), r"\1*\2"),
    (re.compile(r"(retry: )\d+"), r"\1*"),
    (re.compile(r"(token=)[\w.-]+"), r"\1*"),
]
HEADERS = ("content-type", "cache-control", "vary", "location", "content-security-policy", "x-frame-options")


class Site:
    """The application of this checkout on a copy of the data, on a port of its own."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = data
        self.env = {"PATH": "/usr/bin:/bin", "DATA_DIR": str(data), "RATE_LIMITS": "off", "LANG": "C.UTF-8"}

    def command(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "webapp", *words], cwd=ROOT, env=self.env, check=True)

    @contextlib.contextmanager
    def serving(self) -> Iterator["Site"]:
        command = [sys.executable, "-m", "webapp", "serve", "--port", str(self.port)]
        with subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(self._answers, 30, "the application does not answer")
                yield self
            finally:
                process.terminate()

    def _answers(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.url}/health").status_code == 200
        return False

    def browser(self, username: str = "") -> httpx2.Client:
        headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/153"}
        client = httpx2.Client(base_url=self.url, headers=headers, timeout=20)
        if username:
            answer = client.post("/login", data={"username": username, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
        return client

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.data / "parley.sqlite3")) as database:
            return database.execute(query).fetchall()


def people(site: Site) -> dict[str, str]:
    """Who looks: by their part in the room that `owner` owns. The room of everybody has all but the outsider's."""
    (room,) = site.rows("SELECT room_id FROM membership WHERE role = 'owner' GROUP BY room_id ORDER BY room_id")[1]
    find = f'SELECT username FROM "user" JOIN membership ON user_id = "user".id AND room_id = {room} AND role = '
    others = f'SELECT username FROM "user" WHERE id NOT IN (SELECT user_id FROM membership WHERE room_id = {room})'
    names = {
        "owner": site.rows(find + "'owner' ORDER BY user_id")[0][0],
        "member": site.rows(find + "'member' ORDER BY user_id")[0][0],
        "outsider": site.rows(f"{others} AND NOT is_admin AND NOT is_guest ORDER BY id")[0][0],
        "administrator": "golden-administrator",
    }
    return {part: str(name) for part, name in names.items()}


def make(site: Site) -> None:
    """The data: the demo's, and what only people do to each other."""
    site.command("demo", "--users", "60", "--rooms", "12", "--messages", "1500")
    site.command("createsuperuser", "--username", "golden-administrator", "--password", PASSWORD)
    with site.serving():
        code = {name: code for code, name in site.rows('SELECT code, username FROM "user"')}
        cast = people(site)
        (key,) = site.rows(
            'SELECT key FROM room JOIN membership ON room_id = room.id JOIN "user" ON "user".id = user_id '
            f"WHERE role = 'owner' AND username = '{cast['owner']}' ORDER BY room.id"
        )[0]
        owner, member, outsider = (
            site.browser(cast["owner"]),
            site.browser(cast["member"]),
            site.browser(cast["outsider"]),
        )
        for number, (who, words) in enumerate(
            [(member, "Hello **all**"), (owner, "> quoted\n\n- a\n- b"), (owner, "Gone")]
        ):
            who.post(f"/rooms/{key}/messages", data={"body": words, "nonce": f"golden-nonce-of-{number}"})
        last = site.rows(f"SELECT last_number FROM room WHERE key = '{key}'")[0][0]
        owner.post(f"/rooms/{key}/messages/{last}/remove")
        owner.post(f"/chat/{code[cast['member']]}/messages", data={"body": "Psst", "nonce": "golden-nonce-of-chat"})
        owner.post(f"/friends/{code[cast['outsider']]}/ask")
        outsider.post(f"/people/{code[cast['member']]}/block")
        member.post(f"/rooms/{key}/settings", data={"do": "mute"})
        about = f"person:{code[cast['member']]}"
        outsider.post("/report", data={"about": about, "reason": "spam", "text": "Look at this"})


def addresses(site: Site) -> list[str]:
    """Every address that answers GET, with what stands in it filled in."""
    keys = [str(key) for (key,) in site.rows("SELECT key FROM room WHERE kind != 'stranger' ORDER BY id")]
    cast = people(site)
    names = "', '".join(cast.values())
    codes = [str(code) for (code,) in site.rows(f"SELECT code FROM \"user\" WHERE username IN ('{names}') ORDER BY id")]
    values = {
        "key": keys[:3] + keys[-2:],
        "code": codes,
        "number:number": ["1", "20"],
        "id:number": ["1"],
        "chat:number": ["1"],
        "token": ["none"],
        "run": ["none"],
        "name": ["none"],
        "name:path": ["none"],
    }
    found = []
    for route in app.routes:
        if "GET" not in (getattr(route, "methods", None) or ()) or route.path in ("/health", "/metrics"):
            continue
        paths = [route.path]
        for name, choices in values.items():
            if f"{{{name}}}" in route.path:
                paths = [path.replace(f"{{{name}}}", quote(value)) for path in paths for value in choices]
        found += paths
    room = f"/rooms/{quote(keys[0])}"
    return [
        *found,
        f"{room}?before=200",
        f"{room}?around=100",
        "/people?q=am",
        "/rooms?q=a",
        "/sidebar?page=2",
        "/none",
    ]


def masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def answer(client: httpx2.Client, path: str, headers: dict[str, str]) -> str:
    """The status, the headers that matter, and the body: of a stream what comes at once."""
    with client.stream("GET", path, headers=headers) as response:
        body, kind = b"", response.headers.get("content-type", "")
        is_stream = "event-stream" in kind or (path.endswith("/live") and response.status_code == 200)
        if not is_stream:
            body = response.read()
        else:
            with contextlib.suppress(httpx2.ReadTimeout):
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > 2000 and body.rstrip().endswith((b"</li>", b"</style>")):
                        break
        kept = [f"{name}: {response.headers[name]}" for name in HEADERS if name in response.headers]
        text = body.decode(errors="replace") if "image" not in kind else f"{len(body)} bytes"
        return masked("\n".join([str(response.status_code), *kept, "", text]))


def dump(site: Site, folder: Path) -> int:
    count = 0
    with site.serving():
        cast = people(site)
        clients = {part: site.browser(name) for part, name in cast.items()} | {"visitor": site.browser()}
        guest = clients["guest"] = site.browser()
        guest.post("/strangers/find", data={"interests": "tea", "rules": "1", "language": "en"})
        for part, client in clients.items():
            client.timeout = httpx2.Timeout(20, read=20)
            for path in addresses(site):
                for suffix, headers in (("", {}), (".htmx", {"HX-Request": "true"})):
                    is_stream = path.endswith(("/events", "/live"))
                    if is_stream and suffix:
                        continue
                    client.timeout = httpx2.Timeout(20, read=FIRST_FRAMES_SECONDS if is_stream else 20)
                    target = folder / part / (quote(path.strip("/"), safe="") + suffix or "front")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(answer(client, path, headers) + "\n")
                    count += 1
    return count


def main(folder: Path, name: str) -> None:
    original = folder / "data"
    if not original.exists():
        make(Site(original))
    copy = folder / f"{name}-data"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(original, copy)
    print(f"{dump(Site(copy), folder / name)} answers in {folder / name}")
    shutil.rmtree(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
