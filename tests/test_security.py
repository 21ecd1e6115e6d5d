"""What stands before every request, and what people are told when something goes wrong."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote

import httpx2
import pytest
from limits import parse
from starlette.applications import Starlette
from starlette.types import Message
from tortoise.exceptions import OperationalError

import webapp.app as the_map
from tests.conftest import COOKIE, PASSWORD, Person
from tests.servers import Redis
from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.http import assets, cookie
from webapp.http.application import Application
from webapp.http.client import counted_address
from webapp.http.cookie import form_token
from webapp.http.limits import Limiter
from webapp.http.origin import local_path
from webapp.relationships import queries as relationships

LARGE = 10 * 1024 * 1024
# Written out, so that a change of one word is seen here too.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self'; "
    "media-src 'self' blob:; "
    "manifest-src 'self'; font-src 'none'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
)
MULTIPART = "multipart/form-data; boundary=limit"
NOTHING: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}
URLENCODED = "application/x-www-form-urlencoded"


def says(answer: httpx2.Response, sentence: str) -> bool:
    return sentence in html.unescape(answer.text)


async def send(
    person: Person, method: str, path: str, body: bytes | AsyncIterator[bytes] = b"", **headers: str | bytes
) -> httpx2.Response:
    """A request with these headers, the session cookie and a Host, but without what the browser says of its origin."""
    lines = {"Host": b"localhost", **headers}
    named = [(name.replace("_", "-").encode(), _bytes(value)) for name, value in lines.items()]
    request = person.client.build_request(method, path, content=body, headers=named)
    if "Sec_Fetch_Site" not in headers:
        del request.headers["Sec-Fetch-Site"]
    return await person.client.send(request)


async def straight(
    person: Person, method: str, path: bytes, body: Message, *headers: tuple[bytes, bytes], query: bytes = b""
) -> list[int]:
    """The statuses that a request has as a socket gives it: a client of good manners would encode more, and wait."""
    return [answer["status"] for answer in await answers(person, method, path, body, *headers, query=query)]


async def answers(
    person: Person, method: str, path: bytes, body: Message, *headers: tuple[bytes, bytes], query: bytes = b""
) -> list[Message]:
    begun: list[Message] = []

    async def receive() -> Message:
        return body

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.append(message)

    cookie = f"{COOKIE}={person.client.cookies.get(COOKIE) or ''}".encode()
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path.decode("utf-8", "replace")),
        "raw_path": path,
        "query_string": query,
        "headers": [(b"host", b"localhost"), (b"cookie", cookie), *headers],
        "client": ("127.0.0.1", 5000),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    await the_map.app(scope, receive, keep)
    return begun


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


async def rename(person: Person, name: str, token: str = "", **headers: str | bytes) -> int:
    """Changes the name that others see by the form of the profile; answers the status."""
    body = str(httpx2.QueryParams({"display_name": name, "bio": "", "token": token})).encode()
    headers = {"Content_Type": URLENCODED} | headers
    return (await send(person, "POST", "/settings/profile", body, **headers)).status_code


async def name_of(person: Person) -> str:
    assert person.user
    return (await User.get(id=person.user.id)).display_name


async def token_of(person: Person, path: str = "/settings/profile") -> str:
    found = re.search(r'name="token" value="([^"]+)"', (await person.get(path)).text)
    assert found
    return found[1]


def parts(**fields: str) -> bytes:
    """The fields as a multipart body."""
    lines = (
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    return ("".join(lines) + "--limit--\r\n").encode()


# Where an unsafe request comes from.

SAME = [
    {"Sec_Fetch_Site": "same-origin"},
    {"Sec_Fetch_Site": "none"},
    {"Sec_Fetch_Site": "same-origin", "Origin": "https://evil.example"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},
    {"Origin": "http://LOCALHOST"},
    {"Origin": "http://localhost:8000", "Host": "localhost:8000"},
    {"Origin": "https://localhost", "Host": "localhost:443"},
    {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
    {"Referer": "http://localhost/settings/profile?x=1"},
    {"Referer": "https://localhost:8000/", "Host": "localhost:8000"},
    {"Origin": "http://localhost:8000", "Host": "LOCALHOST.:8000"},
]
FOREIGN = [
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "something-new"},
    {"Sec_Fetch_Site": ""},
    {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9000", "Host": "localhost:8000"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://sub.localhost"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://evil.example#localhost"},
    {"Origin": "localhost"},
    {"Origin": "http://localhost:x"},
    {"Origin": "http://localhost", "Host": "localhost:8000"},
    {"Origin": "http://["},
    {"Origin": "http://evil.example", "Referer": "http://localhost/"},
    {"Referer": "https://evil.example/http://localhost/"},
    {"Referer": "http://[::1/"},
    {"Referer": b"http://\xff\xfe/"},
]


@pytest.mark.parametrize("headers", SAME)
async def test_forms_of_this_site_are_accepted(alice: Person, headers: dict[str, str | bytes]) -> None:
    assert await rename(alice, "Alicia", "", **headers) == 303
    assert await name_of(alice) == "Alicia"


@pytest.mark.parametrize("headers", FOREIGN)
async def test_forms_of_another_site_are_refused(alice: Person, headers: dict[str, str | bytes]) -> None:
    token = await token_of(alice)
    assert await rename(alice, "Mallory", token, **headers) == 403
    assert await name_of(alice) == "Alice"
    assert await rename(alice, "Alicia", "", **(headers | {"Sec_Fetch_Site": "same-origin"})) == 303


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_is_open_to_links_from_everywhere(alice: Person, method: str) -> None:
    headers = {"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"}
    assert (await send(alice, method, "/lobby", **headers)).status_code == 200


async def test_a_refused_request_is_answered_by_a_page_with_a_link(alice: Person) -> None:
    answer = await alice.post("/settings/profile", {"display_name": "M"}, Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403
    assert says(answer, "This came from another site, or from a page that is too old. Open it again and try once more.")
    assert 'href="/"' in answer.text


# Browsers that say nothing of where a request comes from: the form's token does.


async def test_a_browser_that_says_nothing_is_known_by_the_token(alice: Person) -> None:
    assert await rename(alice, "Alicia & co", await token_of(alice)) == 303
    assert await name_of(alice) == "Alicia & co", "the view reads the body that the guard has read"


async def test_a_token_that_is_not_of_this_session_is_refused(alice: Person, charlie: Person, visitor: Person) -> None:
    token = await token_of(alice)
    cookie = alice.client.cookies[COOKIE]
    wrong = ("", "x", f"{token}x", token[1:], token.swapcase(), "é", cookie, await token_of(charlie))
    for foreign in (*wrong, await token_of(visitor, "/login"), form_token("another session")):
        assert await rename(alice, "Mallory", foreign) == 403
    assert await name_of(alice) == "Alice"
    assert await rename(alice, "Alicia", token) == 303


async def test_without_a_form_there_is_no_token(alice: Person) -> None:
    token = await token_of(alice)
    assert (await send(alice, "POST", "/logout")).status_code == 403
    assert (await send(alice, "POST", f"/logout?token={token}")).status_code == 403
    json = f'{{"token": "{token}"}}'.encode()
    assert (await send(alice, "POST", "/logout", json, Content_Type="application/json")).status_code == 403
    assert (await send(alice, "POST", "/logout", f"token={token}".encode(), Content_Type=URLENCODED)).status_code == 303


async def test_the_token_is_found_in_a_multipart_form_too(alice: Person) -> None:
    async def sent(token: str) -> int:
        body = parts(display_name="Alicia", bio="Tea.", token=token)
        return (await send(alice, "POST", "/settings/profile", body, Content_Type=MULTIPART)).status_code

    assert await sent("wrong") == 403
    assert await name_of(alice) == "Alice"
    assert await sent(await token_of(alice)) == 303
    assert await name_of(alice) == "Alicia"


async def test_the_body_arrives_whole_also_when_it_came_in_pieces(alice: Person) -> None:
    token = await token_of(alice)

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"display_name=Ali", b"cia&bio=T", b"ea.&tok", f"en={token}".encode()):
            yield piece

    assert (await send(alice, "POST", "/settings/profile", pieces(), Content_Type=URLENCODED)).status_code == 303
    assert await name_of(alice) == "Alicia"


async def test_a_browser_without_fetch_metadata_can_register(visitor: Person) -> None:
    token = await token_of(visitor, "/register")
    before = visitor.client.cookies[COOKIE]
    fields = {"username": "dora", "password": PASSWORD, "token": token}
    body = str(httpx2.QueryParams(fields)).encode()
    assert (await send(visitor, "POST", "/register", body, Content_Type=URLENCODED)).status_code == 303
    assert visitor.client.cookies[COOKIE] != before
    assert await User.exists(username="dora")
    visitor.user = await User.get(username="dora")
    assert await rename(visitor, "Mallory", token) == 403, "the token from before belongs to the cookie from before"
    assert await rename(visitor, "Dora D.", await token_of(visitor)) == 303


# A proxy that changes the Host header.


async def test_where_a_proxy_drops_the_port_the_token_decides(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    for header in ({"Origin": "http://localhost:8138"}, {"Referer": "http://localhost:8138/settings/profile"}):
        assert await rename(alice, "Mallory", **header) == 403
        assert await rename(alice, "Mallory", "wrong", **header) == 403
        assert await rename(alice, "Alicia", await token_of(alice), **header) == 303
    assert await rename(alice, "Mallory", await token_of(alice), Origin="http://evil.example:8138") == 403
    assert await name_of(alice) == "Alicia"
    assert caplog.text.count("let the proxy pass on Host with its port") == 1, "once, for whoever runs it"
    assert "'http://localhost:8138', but the Host header says 'localhost'" in caplog.text


async def test_the_refusal_names_both_addresses(alice: Person) -> None:
    headers = {"Origin": "http://chat.example<b>:8138", "Content_Type": URLENCODED}
    answer = await send(alice, "POST", "/settings/profile", b"", **headers)
    assert says(answer, "This came from another site, or from a page that is too old."), "that is no address"
    answer = await send(alice, "POST", "/settings/profile", b"", **headers | {"Origin": "http://chat.example:8138"})
    assert answer.status_code == 403
    assert says(answer, "This form came from chat.example:8138, but reached this server as localhost.")


@pytest.mark.parametrize("path", ["/language", "/warning"])
async def test_a_page_before_that_is_no_address_is_no_mistake_of_ours(alice: Person, path: str) -> None:
    answer = await alice.post(path, {"language": "de"}, Referer="http://[")
    assert answer.status_code == 303
    assert answer.headers["location"] in ("/", "/lobby")


@pytest.mark.parametrize(
    ("path", "target"),
    [("/lobby/", "/lobby"), ("/lobby//?q=a%20b", "/lobby?q=a%20b"), ("//lobby", "/lobby"),
     ("/rooms/a%20b%5C/", "/rooms/a%20b%5C"), ("//", "/"),
     ("/none/", ""), ("//evil.example/", ""), ("/%5Cevil.example/", ""), ("/pictures/", "")],
)  # fmt: skip
async def test_a_slash_too_many_leads_to_the_address_without(alice: Person, path: str, target: str) -> None:
    raw, _, query = path.partition("?")
    (answer,) = await answers(alice, "GET", raw.encode(), NOTHING, query=query.encode())
    location = dict(answer["headers"]).get(b"location", b"")
    assert (answer["status"], location) == (307 if target else 404, target.encode())


# Which server was meant.


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost.:8000",
        "localhost:",
        "localhost:8000",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:8000",
    ],
)
async def test_the_names_of_this_server_are_answered(visitor: Person, host: str) -> None:
    assert (await send(visitor, "GET", "/", Host=host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil@127.0.0.1", "127.0.0.1:8111.evil", "127.0.0.1/evil", "user:pw@127.0.0.1", "localhost..", ".",
     "localhost:1e3", "localhost:123456", "127.0.0.1?", "127.0.0.1#", "evil.example", "localhost.evil.example",
     "evil.example:localhost", "127.0.0.2", "[::2]", "::1", "[", "[::1", "",
     "localhost,evil.example", "evil.example/localhost", b"\xff"],
)  # fmt: skip
async def test_any_other_name_is_refused_on_a_page(visitor: Person, host: str | bytes) -> None:
    answer = await send(visitor, "GET", "/", Host=host)
    assert answer.status_code == 400
    assert says(answer, "This server does not answer to that name. Whoever runs it can add it to ALLOWED_HOSTS.")
    assert "<h1>Wrong address</h1>" in answer.text


async def test_the_names_are_those_of_the_settings(visitor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["Chat.Example", "[2001:db8::1]"])
    for host, status in (("chat.example", 200), ("[2001:db8::1]:8000", 200), ("localhost", 400)):
        assert (await send(visitor, "GET", "/", Host=host)).status_code == status
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])
    assert (await send(visitor, "GET", "/", Host="anything.example")).status_code == 200


# What a proxy says of the visitor.


def behind(*trusted: str) -> Starlette:
    """The application as it is with these proxies in the settings."""
    return Application(the_map.entrances.nowhere(), list(trusted), routes=the_map.routes)


async def registered(app: Starlette, number: int, said: str) -> httpx2.Response:
    """Somebody registers through the proxy at 127.0.0.1, which says where they are."""
    fields = {"username": f"dora{number}", "password": PASSWORD}
    return await Person(app).post("/register", fields, X_Forwarded_For=said)


@pytest.fixture
def one_registration(app: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hashed(password: str) -> str:
        return "no hash at all"

    monkeypatch.setattr(settings, "RATE_LIMITS", True)
    monkeypatch.setattr(settings, "RATE_REGISTER", parse("1/hour"))
    monkeypatch.setattr("webapp.accounts.passwords.hash_password", hashed)


async def test_a_trusted_proxy_is_believed_where_the_visitor_is(one_registration: None) -> None:
    app = behind("127.0.0.0/8")
    assert (await registered(app, 1, "192.0.2.1")).status_code == 303
    assert (await registered(app, 2, "192.0.2.1")).status_code == 429
    assert (await registered(app, 3, "192.0.2.2")).status_code == 303
    assert (await registered(app, 4, "192.0.2.3, 192.0.2.1")).status_code == 429, "the last that no proxy vouches for"


async def test_a_proxy_that_is_not_trusted_is_named_once_in_the_log(
    app: object, caplog: pytest.LogCaptureFixture
) -> None:
    await Person(behind("127.0.0.1")).get("/login", X_Forwarded_For="192.0.2.1", X_Forwarded_Proto="https")
    await Person(behind()).get("/login")
    assert "TRUSTED_PROXIES" not in caplog.text
    for header in ("X_Forwarded_For", "X_Forwarded_Proto"):
        await Person(behind("10.0.0.1")).get("/login", **{header: "https"})
    assert caplog.text.count("127.0.0.1 passes on requests") == 1


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
async def test_nobody_else_is_believed(one_registration: None, trusted: tuple[str, ...]) -> None:
    app = behind(*trusted)
    assert (await registered(app, 1, "192.0.2.1")).status_code == 303
    assert (await registered(app, 2, "192.0.2.2")).status_code == 429


@pytest.mark.parametrize(
    ("trusted", "scheme", "is_secure"),
    [("127.0.0.1", "https", True), ("127.0.0.1", "http", False), ("10.0.0.1", "https", False)],
)
async def test_behind_tls_the_cookie_is_secure(app: object, trusted: str, scheme: str, is_secure: bool) -> None:
    answer = await Person(behind(trusted)).get("/login", X_Forwarded_Proto=scheme)
    assert answer.status_code == 200
    assert answer.headers["set-cookie"].endswith("; Secure") == is_secure


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_is_counted_by_household(host: str, counted: str) -> None:
    assert counted_address(host) == counted
    assert counted_address("") == ""


# Cookies and headers.


async def test_a_visitor_gets_one_cookie_for_the_visit(visitor: Person) -> None:
    first = await visitor.get("/login")
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{32}}\.[\w-]+; Path=/; HttpOnly; SameSite=Lax", first.headers["set-cookie"])
    assert "set-cookie" not in (await visitor.get("/login")).headers
    assert await Session.all().count() == 0


async def test_signing_in_gives_a_cookie_for_a_year(visitor: Person) -> None:
    answer = await visitor.post("/register", {"username": "dora", "password": PASSWORD})
    [cookie] = [value for value in answer.headers.get_list("set-cookie") if value.startswith(f"{COOKIE}=")]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{32}}\.[\w-]+; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000", cookie)


async def test_the_cookie_of_an_older_version_is_exchanged_once(alice: Person, visitor: Person, app: object) -> None:
    value = alice.client.cookies[COOKIE]
    older, gone = Person(app), "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    older.client.cookies.set("session", value)
    first = await older.get("/lobby")
    assert first.status_code == 200, "nobody is signed out"
    kept = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
    assert first.headers.get_list("set-cookie") == [gone, kept]
    older.client.cookies.delete("session")
    assert older.client.cookies[COOKIE] == value
    assert "set-cookie" not in (await older.get("/lobby")).headers

    leaving = Person(app)
    leaving.client.cookies.set("session", value)
    assert gone in (await leaving.post("/logout")).headers.get_list("set-cookie")


async def test_a_foreign_cookie_called_session_is_left_alone(alice: Person, app: object) -> None:
    ours, theirs = alice.client.cookies[COOKIE], "another.installation"
    alice.client.cookies.set("session", theirs)
    assert "set-cookie" not in (await alice.get("/lobby")).headers
    other = Person(app)
    other.client.cookies.set("session", theirs)
    assert len((await other.get("/")).headers.get_list("set-cookie")) == 1
    assert other.client.cookies["session"] == theirs
    assert other.client.cookies[COOKIE] != ours


async def test_over_https_the_cookie_is_one_that_only_this_host_can_set(alice: Person) -> None:
    person, value = Person(behind("127.0.0.1")), alice.client.cookies[COOKIE]
    answer = await person.get("/login", X_Forwarded_Proto="https")
    assert re.fullmatch(rf"__Host-{COOKIE}=[^;]+; Path=/; HttpOnly; SameSite=Lax; Secure", answer.headers["set-cookie"])
    status = {name: await _status(f"{name}={value}") for name in (f"__Host-{COOKIE}", COOKIE, "session")}
    assert status == {f"__Host-{COOKIE}": 200, COOKIE: 303, "session": 200}
    assert await _status(f"session={value}; __Host-{COOKIE}=x") == 303, "a neighbour's cookie is no second choice"


async def _status(cookies: str) -> int:
    person = Person(behind("127.0.0.1"))
    return (await person.get("/lobby", X_Forwarded_Proto="https", Cookie=cookies)).status_code


async def test_what_a_browser_has_chosen_is_sent_back_over_https_alone(alice: Person, room: Room) -> None:
    for scheme, is_secure in (("https", True), ("http", False)):
        visitor, headers = Person(behind("127.0.0.1")), {"X_Forwarded_Proto": scheme}
        chosen = await visitor.post("/language", {"language": "de"}, **headers)
        name = f"__Host-{COOKIE}" if is_secure else COOKIE
        plain = await visitor.get(f"{room.path}?plain=1", Cookie=f"{name}={alice.client.cookies[COOKIE]}", **headers)
        for answer, begins in ((chosen, "language=de"), (plain, "plain=1")):
            line = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(begins))
            assert ("; Secure" in line) is is_secure


async def test_https_is_made_a_promise_where_the_operator_wants_it(
    app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, name = Person(behind("127.0.0.1")), "strict-transport-security"
    assert name not in (await person.get("/login", X_Forwarded_Proto="https")).headers
    monkeypatch.setattr(settings, "HSTS_DAYS", 30)
    assert (await person.get("/login", X_Forwarded_Proto="https")).headers[name] == "max-age=2592000"
    assert name not in (await person.get("/login", X_Forwarded_Proto="http")).headers


async def test_a_cookie_made_longer_is_cut_before_it_is_cached(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kept, read = alice.client.cookies[COOKIE], list[str](), cookie.read_token

    def keep(value: str) -> str:
        kept.append(value)
        return read(value)

    monkeypatch.setattr(cookie, "read_token", keep)
    alice.client.cookies.clear()
    answer = await alice.get("/lobby", Cookie=f"{COOKIE}={ours}{'!' * 10_000}")
    assert (answer.status_code, len(kept)) == (200, 1), "signatures are read over what does not belong in them"
    assert kept[0].startswith(ours)
    assert len(kept[0]) <= 100


async def test_files_set_no_cookie(visitor: Person) -> None:
    for path in (assets.url("app.css"), "/favicon.ico", "/health"):
        assert "set-cookie" not in (await visitor.get(path)).headers
    assert "set-cookie" in (await visitor.get("/")).headers


async def broken(*_: object, **__: object) -> None:
    raise RuntimeError("the table of secrets is /var/secrets")


async def away(*_: object, **__: object) -> None:
    raise OperationalError("connection to 10.1.2.3 refused")


KINDS = {
    "a page": ("GET", "/login", {}, 200),
    "nothing here": ("GET", "/nowhere", {}, 404),
    "a redirect": ("GET", "/lobby", {}, 303),
    "a fragment": ("GET", "/lobby", {"HX_Request": "true"}, 401),
    "JSON": ("GET", "/health", {}, 200),
    "a wrong method": ("PUT", "/login", {}, 405),
    "another site": ("POST", "/login", {"Sec_Fetch_Site": "cross-site"}, 403),
    "another name": ("GET", "/login", {"Host": "evil.example"}, 400),
    "too large": ("POST", "/login", {"Content_Length": str(LARGE)}, 413),
    "our fault": ("GET", "/people/0000-0000", {}, 500),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_answer_has_the_headers(
    visitor: Person, alice: Person, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    method, path, headers, status = KINDS[kind]
    monkeypatch.setattr(relationships, "profile_by_code", broken)
    person = alice if status == 500 else visitor
    headers = {"Sec_Fetch_Site": "same-origin"} | headers
    answer = await send(person, method, path, **headers)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers


async def test_what_is_never_a_document_has_the_headers_that_are_about_it_alone(visitor: Person) -> None:
    for name in ("app.css", "app.js", "icons.svg"):
        answer = await visitor.get(assets.url(name))
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        # A drawing can be opened by itself: there it may load nothing, and run nothing.
        policy = "default-src 'none'" if name.endswith(".svg") else None
        assert answer.headers.get("content-security-policy") == policy


async def test_events_have_no_headers_that_are_about_documents_alone(alice: Person) -> None:
    headers = (await alice.client.head("/events")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "permissions-policy" not in headers


@pytest.mark.parametrize("path", ["/login", "/nowhere"])
async def test_pages_are_nobody_elses(visitor: Person, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie, HX-Request, Accept-Encoding, Accept-Language"


async def test_the_answer_to_a_form_is_not_cached(alice: Person) -> None:
    assert (await alice.post("/logout")).headers["cache-control"] == "no-store"


# What is sent.


async def stream_of(size: int) -> AsyncIterator[bytes]:
    """A body of that size whose length nobody has said."""
    yield b"display_name="
    for _ in range(size // 65536):
        yield b"x" * 65536


def is_too_large(answer: httpx2.Response) -> bool:
    assert answer.status_code == 413
    assert "<h1>Too large</h1>" in answer.text
    return says(answer, "That is too large to send. Go back and make it shorter.")


async def test_a_body_of_ten_megabytes_is_refused_in_plain_words(alice: Person) -> None:
    headers = {"Sec_Fetch_Site": "same-origin", "Content_Type": URLENCODED}
    assert is_too_large(await send(alice, "POST", "/settings/profile", b"x" * LARGE, **headers))
    assert is_too_large(await send(alice, "POST", "/settings/profile", stream_of(LARGE), **headers))
    assert is_too_large(await send(alice, "POST", "/settings/profile", stream_of(LARGE), Content_Type=URLENCODED))
    lie = {"Content_Length": "10", **headers}
    assert is_too_large(await send(alice, "POST", "/settings/profile", stream_of(LARGE), **lie))
    assert await name_of(alice) == "Alice"


async def test_the_longest_message_fits(alice: Person, room: Room) -> None:
    assert (await alice.say(room, "🎉" * 4000)).status_code == 303


async def test_no_more_is_read_than_is_needed_to_refuse(alice: Person) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65536
            yield b"x" * 65536

    for headers in ({}, {"Sec_Fetch_Site": "same-origin"}):
        read = 0
        answer = await send(alice, "POST", "/settings/profile", endless(), Content_Type=URLENCODED, **headers)
        assert answer.status_code == 413
        assert read <= 4 * 65536


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "application/x-www-form-urlencoded-not"])
async def test_a_body_that_is_no_form_has_no_fields(alice: Person, kind: str) -> None:
    assert await rename(alice, "Alicia", Sec_Fetch_Site="same-origin") == 303
    assert await rename(alice, "Mallory", Sec_Fetch_Site="same-origin", Content_Type=kind) == 422
    assert await name_of(alice) == "Alicia"


A_FILE = b'--limit\r\nContent-Disposition: form-data; name="a"; filename="x"\r\n\r\nx\r\n--limit--\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"&".join(b"a=1" for _ in range(31))),
        (MULTIPART, parts(**{f"a{number}": "1" for number in range(31)})),
        (MULTIPART, b"no part at all"),
        (MULTIPART, A_FILE),
        ("multipart/form-data", b""),
    ],
)
async def test_an_unreadable_form_is_refused_on_a_page(alice: Person, kind: str, body: bytes) -> None:
    headers = {"Sec_Fetch_Site": "same-origin", "Content_Type": kind}
    answer = await send(alice, "POST", "/settings/profile", body, **headers)
    assert answer.status_code == 400
    assert says(answer, "The request could not be read.")
    assert await name_of(alice) == "Alice"

    without_origin = await send(alice, "POST", "/settings/profile", body, Content_Type=kind)
    assert without_origin.status_code == (403 if body == A_FILE else 400), "a file is no token"


@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        (URLENCODED, b"display_name=%FFAl%C3%28ice%ED%A0%80", "\ufffdAl\ufffd(ice\ufffd\ufffd\ufffd"),
        (URLENCODED, b"display_name=Al\xffice", "Al\ufffdice"),
        (MULTIPART, parts(display_name="X").replace(b"X", b"Al\xe9"), "Al\ufffd"),
        (MULTIPART + "; charset=utf-7", parts(display_name="Al+2AA-"), "Al+2AA-"),
        (MULTIPART + "; charset=utf-16", parts(display_name="Al\xe9"), "Al\xe9"),
        (MULTIPART + "; charset=undefined", parts(display_name="Al"), "Al"),
        (MULTIPART + "; charset=punycode", parts(display_name="-99999"), "-99999"),
    ],
)
async def test_a_form_is_read_as_utf8_whatever_codec_it_names(alice: Person, kind: str, body: bytes, name: str) -> None:
    headers = {"Sec_Fetch_Site": "same-origin", "Content_Type": kind}
    assert (await send(alice, "POST", "/settings/profile", body, **headers)).status_code == 303
    assert await name_of(alice) == name


async def test_an_address_that_is_no_text_is_still_an_address(visitor: Person, alice: Person) -> None:
    assert await straight(visitor, "GET", b"/login", NOTHING, query=b"next=\xff\xfe") == [200]
    assert await straight(visitor, "GET", b"/lobby", NOTHING, query=b"q=\xff\xfe") == [303]
    assert await straight(alice, "GET", b"/lobby", NOTHING, query=b"q=\xff\xfe") == [200]
    assert await straight(alice, "GET", b"/settings/profile", NOTHING, query=b"done=\xff") == [200]
    assert await straight(alice, "GET", b"/\xff\xfe", NOTHING) == [404]


# What people are told.


async def test_an_unknown_address_is_a_page_with_a_way_on(visitor: Person, alice: Person) -> None:
    for person, way in ((visitor, "/"), (alice, "/lobby")):
        answer = await person.get("/no/such/page")
        assert answer.status_code == 404
        assert "<h1>There is nothing here</h1>" in answer.text
        assert says(answer, "This page does not exist, or it is not for you.")
        assert f'class="button" href="{way}"' in answer.text


async def test_a_wrong_method_is_a_page_too(alice: Person) -> None:
    answer = await alice.post("/lobby")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert says(answer, "This can't be done here in this way.")


async def test_an_internal_error_page_shows_no_details(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await alice.get(alice.user.path)).status_code == 200
    monkeypatch.setattr(relationships, "profile_by_code", broken)
    answer = await alice.get(alice.user.path)
    assert answer.status_code == 500
    assert says(answer, "Something went wrong on our side, and it has been logged. Try again, or go back.")
    assert 'href="/lobby"' in answer.text
    for inside in ("secrets", "RuntimeError", "Traceback", "profile_by_code"):
        assert inside not in answer.text


async def test_our_own_mistake_reaches_the_server_which_writes_it_down(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relationships, "profile_by_code", broken)
    person = await Person(the_map.app, alice.user, raises=True).sign_in()
    with pytest.raises(RuntimeError, match="the table of secrets"):
        await person.get(alice.user.path)


@pytest.mark.parametrize("query", [(relationships, "profile_by_code"), (sql, "fetch_inline")])
async def test_an_unreachable_database_is_a_page_and_a_line_in_the_log(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, query: tuple[object, str]
) -> None:
    assert (await alice.get(alice.user.path)).status_code == 200
    monkeypatch.setattr(*query, away)
    answer = await alice.get(alice.user.path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert says(answer, "Parley can't read or keep anything right now. Try again in a moment.")
    assert f'href="{alice.user.path}">Try again</a>' in answer.text
    assert "10.1.2.3" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY
    assert "connection to 10.1.2.3 refused" in caplog.text


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/no/such/page", 404, "This page does not exist, or it is not for you."),
        ("/people/0000-0000", 404, "Nobody has that code."),
        ("/logout", 405, "This can't be done here in this way."),
    ],
)
async def test_htmx_gets_the_sentence_alone(alice: Person, path: str, status: int, sentence: str) -> None:
    answer = await alice.get(path, HX_Request="true")
    assert answer.status_code == status
    assert html.unescape(answer.text) == f'<p class="problem" role="alert">{sentence}</p>'


async def test_htmx_gets_the_sentence_alone_also_from_the_guard(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = await alice.post("/logout", HX_Request="true", Sec_Fetch_Site="cross-site")
    large = await alice.post("/logout", {"body": "x" * LARGE}, HX_Request="true")
    monkeypatch.setattr(relationships, "profile_by_code", broken)
    fault = await alice.get("/people/0000-0000", HX_Request="true")
    for answer, status in ((refused, 403), (large, 413), (fault, 500)):
        assert answer.status_code == status
        assert answer.text.startswith('<p class="problem" role="alert">')
        assert "<html" not in answer.text


async def test_a_client_that_disconnects_is_no_error(alice: Person) -> None:
    kind, origin = (b"content-type", URLENCODED.encode()), (b"sec-fetch-site", b"same-origin")
    assert await straight(alice, "POST", b"/settings/profile", NOTHING, kind, origin) == [422]
    assert await straight(alice, "POST", b"/settings/profile", GONE, kind, origin) == []
    assert await straight(alice, "POST", b"/settings/profile", GONE, kind) == []


# Paths to go on to: the views are tested with test_accounts.


@pytest.mark.parametrize("target", ["/\x7f", "/é", "/rooms/日本", "/a//b", "/[", "/a?b=//c"])
def test_odd_paths_of_this_site_are_paths_of_this_site(target: str) -> None:
    assert local_path(target) == target


# Counting.

TWICE = parse("2/minute")


async def counts(limiter: Limiter, who: str = "alice") -> bool:
    """Counts one; whether it was within the rate. Whatever happens to Redis, a person does not wait a second."""
    async with asyncio.timeout(1):
        seconds = await limiter.hit(TWICE, "test", who)
    assert 0 <= seconds <= 60
    return seconds == 0


@pytest.fixture
async def limiter() -> AsyncIterator[Callable[[str], Limiter]]:
    """Makes limiters, whose connections are closed at the end."""
    made: list[Limiter] = []

    def make(url: str) -> Limiter:
        made.append(Limiter(url))
        return made[-1]

    yield make
    for each in made:
        if each.shared:
            await each.shared.storage.bridge.storage.aclose()  # type: ignore[attr-defined]


async def test_a_process_counts_for_itself_without_redis(limiter: Callable[[str], Limiter]) -> None:
    one, other = limiter(""), limiter("")
    assert [await counts(one), await counts(one), await counts(one)] == [True, True, False]
    assert await counts(one, "bob")
    assert await counts(other)


async def test_two_processes_count_together_through_redis(
    redis_server: Redis, limiter: Callable[[str], Limiter]
) -> None:
    redis_server.cli("FLUSHALL")
    one, other = limiter(redis_server.url), limiter(redis_server.url)
    assert [await counts(one), await counts(other)] == [True, True]
    assert [await counts(one), await counts(other)] == [False, False]
    assert await counts(other, "bob")


@pytest.mark.parametrize("harm", [Redis.kill, Redis.freeze])
async def test_a_process_works_alone_while_redis_is_down(
    own_redis: Redis, limiter: Callable[[str], Limiter], harm: Callable[[Redis], None], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = limiter(own_redis.url), limiter(own_redis.url)
    assert [await counts(one), await counts(other), await counts(one)] == [True, True, False]
    harm(own_redis)
    assert [await counts(one), await counts(one), await counts(one)] == [True, True, False]
    assert await counts(other)
    assert caplog.text.count("rate limits are counted by this process alone") == 2, "not at every request"


async def test_processes_count_together_again_when_redis_is_back(
    own_redis: Redis, limiter: Callable[[str], Limiter]
) -> None:
    one, other = limiter(own_redis.url), limiter(own_redis.url)
    assert [await counts(one), await counts(other)] == [True, True]
    own_redis.kill()
    assert [await counts(one), await counts(other)] == [True, True]
    own_redis.start()
    one.down_until = other.down_until = 0.0  # five seconds later
    assert [await counts(one), await counts(other), await counts(one)] == [True, True, False]


@pytest.mark.parametrize("url", ["unix:///nowhere/redis.sock", "rediss://127.0.0.1:1", "redis://127.0.0.1:1/0"])
async def test_a_redis_that_was_never_there_stops_nobody(limiter: Callable[[str], Limiter], url: str) -> None:
    one = limiter(url)
    assert [await counts(one), await counts(one), await counts(one)] == [True, True, False]
