"""The kinds of addresses: what stands before each view, whatever its path looks like."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError

from tests.conftest import Person
from tests.servers import ROOT
from webapp import settings
from webapp.app import routes
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.http import urls
from webapp.http.routes import DOCUMENT, PAGE, STREAM, UPLOAD, Address
from webapp.strangers.models import Stranger

ADDRESSES = [route for route in routes if isinstance(route, Address)]
PUBLIC = {"/static/{name:path}", "/pictures/{name}", "/favicon.ico", "/manifest.webmanifest", "/health", "/metrics"}
POSTS = [address for address in ADDRESSES if "POST" in (address.methods or ())]


def path_of(address: Address, room: str = "tea-cake") -> str:
    """A path that the address matches."""
    filled = address.path.replace("{key}", room).replace(":path", "")
    return re.sub(r"\{\w+(:number)?\}", "1", filled.replace("{code:code}", "A" * 22))


def test_every_address_is_of_a_kind() -> None:
    assert routes == ADDRESSES


def test_few_addresses_are_open_to_who_is_banned() -> None:
    assert {address.path for address in ADDRESSES if address.while_banned} == {
        "/logout",
        "/settings/delete",
        "/settings/export",
        "/settings/export/{run}.zip",
    }


def test_only_one_address_takes_a_file() -> None:
    assert [address.path for address in ADDRESSES if address.kind == UPLOAD] == ["/settings/profile"]


@pytest.mark.parametrize("address", POSTS, ids=lambda address: address.path)
async def test_no_address_takes_a_form_from_another_site(alice: Person, room: Room, address: Address) -> None:
    answer = await alice.post(path_of(address, room.key), {}, Sec_Fetch_Site="cross-site")
    assert answer.status_code == 403


class Sessions:
    """In the place of the query: counts how often it is asked, and knows nobody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self._fetch = 0, sql.fetch_inline
        monkeypatch.setattr(sql, "fetch_inline", self.fetch)

    async def fetch(self, query: str, *values: object) -> Sequence[sql.Row]:
        if "FROM session" not in query:
            return await self._fetch(query, *values)
        self.asked += 1
        return []


async def test_only_what_is_public_reads_no_session(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)
    for address in ADDRESSES:
        sessions.asked = 0
        await alice.client.request("POST" if "GET" not in address.methods else "GET", path_of(address))
        assert sessions.asked == (address.path not in PUBLIC), address.path
    sessions.asked = 0
    await alice.get("/nowhere")
    assert sessions.asked == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("/lobby", 303), ("/rooms/events", 303), ("/rooms/live", 303), ("/me.css", 303),
     ("/sidebar", 401), ("/rooms/a/composer", 401), ("/rooms/a/live", 401), ("/live", 401),
     ("/events", 401), ("/rooms/a/events", 401), ("/rooms/live/events", 401)],
)  # fmt: skip
async def test_only_pages_lead_a_visitor_to_sign_in(visitor: Person, path: str, status: int) -> None:
    assert (await visitor.get(path)).status_code == status
    assert (await visitor.get(path, HX_Request="true")).status_code == 401


@pytest.mark.parametrize("path", ["/sidebar", "/rooms/a/composer", "/rooms/a/live", "/live"])
async def test_errors_in_a_frame_are_small_documents_with_links_for_the_window(visitor: Person, path: str) -> None:
    answer = await visitor.get(path)
    assert '<base target="_top">' in answer.text
    assert 'href="/login"' in answer.text


async def test_a_full_server_refuses_a_stream_before_it_reads_the_session(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_STREAMS", 0)
    sessions = Sessions(monkeypatch)
    for address in ADDRESSES:
        if address.kind in (STREAM, DOCUMENT):
            answer = await alice.get(path_of(address, room.key))
            assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    assert sessions.asked == 0
    assert (await alice.get(f"{room.path}/live?frame=a")).status_code == 200, "the document around it is none"


async def test_a_method_that_an_address_does_not_have_is_refused_on_a_page(visitor: Person) -> None:
    for path, allowed in (
        ("/lobby", {"GET", "HEAD"}),
        ("/login", {"GET", "HEAD", "POST"}),
        ("/favicon.ico", {"GET", "HEAD"}),
    ):
        answer = await visitor.client.delete(path)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == allowed
        assert "This can&#39;t be done here in this way." in answer.text


# Behind a mask.


async def test_where_the_mask_can_not_be_read_nothing_shows_the_account(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(person_id: int) -> None:
        raise OperationalError("away")

    assert alice.user
    assert (await alice.post("/strangers/find", {"interests": "", "language": "en", "rules": "1"})).status_code == 303
    monkeypatch.setattr(Stranger, "of", away)
    for path in ("/strangers", "/strangers/chat/1", "/strangers/me.css", "/strangers/events"):
        answer = await alice.get(path)
        assert answer.status_code == 503
        assert alice.user.code not in answer.text
        assert "Alice" not in answer.text


async def test_every_address_of_strangers_reads_the_mask_and_no_other(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("webapp.app.masked._read_mask", lambda viewer: read(viewer.id))

    async def read(person_id: int) -> None:
        asked.append(person_id)

    assert alice.user
    for address in ADDRESSES:
        if address.kind in (STREAM, DOCUMENT) and not address.path.startswith("/strangers"):
            continue  # it would not end
        asked.clear()
        await alice.client.request("POST" if "GET" not in (address.methods or ()) else "GET", path_of(address))
        assert asked == ([alice.user.id] if address.path.startswith("/strangers") else []), address.path
        if address.path == "/logout":
            await alice.sign_in()


# Addresses by name.


@pytest.mark.parametrize(
    ("name", "values", "path"),
    [("lobby", {}, "/lobby"), ("room", {"key": "tea & cake/?#%"}, "/rooms/tea%20%26%20cake%2F%3F%23%25"),
     ("room", {"key": "Tee & Käse"}, "/rooms/Tee%20%26%20K%C3%A4se"),
     ("message", {"key": "a", "number": 12}, "/rooms/a/messages/12"),
     ("stranger_chat", {"chat": 7}, "/strangers/chat/7")],
)  # fmt: skip
def test_an_address_has_a_name(name: str, values: dict[str, object], path: str) -> None:
    assert urls.path_for(name, **values) == path


def test_a_name_or_a_value_that_is_not_there_is_an_error() -> None:
    for name, values in (("nowhere", {}), ("room", {"code": "a"})):
        with pytest.raises(KeyError):
            urls.path_for(name, **values)


def test_two_addresses_have_two_names() -> None:
    lobby = next(address for address in ADDRESSES if address.name == "lobby")
    urls.name_addresses([lobby])
    with pytest.raises(ValueError, match="two addresses are named lobby"):
        urls.name_addresses([Address("/hall", lobby.endpoint, "lobby", PAGE, lobby.handle)])  # type: ignore[arg-type]
    assert urls.path_for("lobby") == "/lobby"


WEBAPP = ROOT / "webapp"
SEGMENTS = "|".join(sorted({re.escape(address.path.split("/")[1]) for address in ADDRESSES} - {""}))
SPELLED = re.compile(rf"""(?:(?:href|action|src|hx-[a-z]+)=["']|(?<!~ )["'])/(?:(?:{SEGMENTS})\b|["'])""")


@pytest.mark.parametrize("path", sorted(settings.TEMPLATES.rglob("*.*")), ids=lambda path: path.name)
def test_a_template_spells_no_address(path: Path) -> None:
    assert SPELLED.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "html",
    [
        '<a href="/">',
        '<a href="/lobby">',
        "<form action='/rooms?q=a'>",
        '<p hx-get="/strangers">',
        '{{ act("/friends/" ~ code) }}',
    ],
)
def test_an_address_that_a_template_spells_would_be_found(html: str) -> None:
    assert SPELLED.search(html)


def spelled(tree: ast.AST) -> list[str]:
    """The texts in a module that begin as an address does; what is joined to a path is none."""
    nodes = list(ast.walk(tree))
    joined = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values[1:]}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in joined]
    return [text for text in texts if isinstance(text, str) and re.match(rf"/(?:{SEGMENTS})\b", text)]


@pytest.mark.parametrize("path", sorted(WEBAPP.rglob("*.py")), ids=lambda path: str(path.relative_to(WEBAPP)))
def test_only_the_map_spells_addresses(path: Path) -> None:
    may = {"app.py", "http/assets.py"}  # which names what it makes by its content
    assert path.relative_to(WEBAPP).as_posix() in may or spelled(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_an_address_that_a_module_spells_would_be_found() -> None:
    tree = ast.parse("a = '/lobby'\nb = f'/rooms/{a}/live'\nc = f'{a}/live'\nd = '/roomy'\n")
    assert spelled(tree) == ["/lobby", "/rooms/"]
