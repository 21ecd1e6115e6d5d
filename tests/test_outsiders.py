"""What an outsider is answered at the addresses of a private room: byte for byte what one is that never was."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import Person, bodies
from tests.people import now, who
from tests.query_recorder import recorded_queries
from tests.room_acts import change
from webapp.app import app as the_app
from webapp.conversations.models import Room

# As long as those of the room, so that no length differs.
NEVER = {"~": "~0000000000000000000000", "t": "tea-time"}
FIELDS = {"body": "let me in", "nonce": "", "number": "1", "do": "topic", "topic": "mine", "kind": "public"}
CODE = "0" * 22
NONE, HTMX = dict[str, str](), {"HX-Request": "true"}
# What differs from answer to answer, whatever is asked.
CHANCE = re.compile(r'name="(?:nonce|token)" value="[^"]*"|max-age=\d+|[?&;]v=\w+')


def addresses() -> Iterator[tuple[str, str]]:
    """Return every address that has a key, with the methods that it has."""
    for route in the_app.routes:
        path = getattr(route, "path", "")
        if "{key}" in path:
            path = re.sub(r"\{number:number\}", "1", re.sub(r"\{code[^}]*\}", CODE, path)).replace("{name}", "a.pdf")
            methods: set[str] = route.methods  # type: ignore[attr-defined]
            yield from ((method, re.sub(r"\{(?!key)[^}]*\}", "1", path)) for method in sorted(methods))


async def ask(one: Person, method: str, path: str, headers: dict[str, str]) -> tuple[httpx2.Response, list[str]]:
    """Return the answer, and the queries that it took."""
    data = FIELDS if method == "POST" else None
    with recorded_queries() as queries:
        answer = await one.client.request(method, path, data=data, headers=headers)
    return answer, [query for query, _ in queries]


def comparable(answer: httpx2.Response, key: str) -> tuple[object, ...]:
    headers = sorted(
        (name, value.replace(key, "KEY")) for name, value in answer.headers.items() if name != "set-cookie"
    )
    return answer.status_code, CHANCE.sub("", str(headers)), CHANCE.sub("", answer.text.replace(key, "KEY"))


@pytest.fixture
async def private(alice: Person, bob: Person, room: Room) -> Room:
    """A room that was public under its slug, with something in it."""
    await bob.say(room, "the surprise is on Friday")
    await change(alice, room, "kind", kind="private")
    return await now(room)


async def test_no_answer_differs_from_that_of_a_room_that_never_was(
    private: Room, visitor: Person, charlie: Person, admin: Person
) -> None:
    assert len(list(addresses())) > 30
    for one, headers in ((visitor, NONE), (charlie, NONE), (admin, HTMX)):
        await one.get("/login")  # who is signed out has a cookie from then on
        for method, path in addresses():
            found = []
            for key in (private.key, NEVER["~"], "tea-cake", NEVER["t"]):
                answer, queries = await ask(one, method, path.replace("{key}", key), headers)
                found.append((comparable(answer, key), [query for query in queries if "rate" not in query]))
            assert found[0] == found[1], (method, path)
            assert found[2] == found[3], (method, path)
            assert found[0][0][0] in ((404, 405) if one.user else (303, 401, 403, 404, 405)), (method, path)
    assert await bodies(private) == ["the surprise is on Friday", ""]


async def test_no_page_that_is_not_the_rooms_own_names_it_to_an_outsider(
    private: Room, visitor: Person, charlie: Person, admin: Person, alice: Person
) -> None:
    paths = ["/", "/lobby", "/rooms", "/rooms?q=tea", "/people?q=alice", f"/people/{who(alice).code}", "/sidebar"]
    paths += ["/search?q=surprise", f"/search?q=in%3A{private.key}+surprise", "/inbox", "/saved", "/moderation"]
    paths += ["/metrics", "/health", "/settings/export", "/login?next=/rooms/tea-cake"]
    for one in (visitor, charlie, admin):
        for path in (*paths, f"/login?next=/rooms/{private.key}"):
            text = (await one.get(path)).text
            for trace in ("Tea &amp; Cake", "Tea & Cake", "surprise is", f'href="{private.path}'):
                assert trace not in text, (path, trace)
