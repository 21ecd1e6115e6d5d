"""The interface in two languages: every sentence has both, everybody gets theirs, and each is made once."""

import asyncio
import re
import zipfile
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.conftest import PASSWORD, Person, known_password
from tests.people import post_as
from tests.readers import reader as open_reader
from tests.servers import ROOT
from webapp.accounts.models import User
from webapp.conversations.endings import DELETED
from webapp.conversations.models import ROOM_NOT_FOUND, Room
from webapp.core import i18n
from webapp.core.clock import LazyDatetime
from webapp.core.errors import TooManyRequests
from webapp.core.i18n import LANGUAGES, Language, _, current_language, ngettext, use_language
from webapp.exports.jobs import Export
from webapp.http import assets, render
from webapp.http.negotiate import accepted_language
from webapp.live import Reader, hub
from webapp.messages import changes
from webapp.messages.models import Message

GERMAN = {"Accept_Language": "de-AT,de;q=0.9,en;q=0.5"}
METHODS = [("webapp/**.py", "python"), ("templates/**.*", "jinja2")]
OPTIONS = {"templates/**.*": {"trimmed": "true", "silent": "false"}}
PLACE = re.compile(r"%\((\w+)\)s")


# The catalogue.


def in_the_code() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(ROOT, METHODS, OPTIONS, directory_filter=lambda path: Path(path).name[0] != ".")
    return {
        tuple(message) if isinstance(message, (tuple, list)) else message for _file, _line, message, *_rest in found
    }


@pytest.fixture(scope="module")
def german() -> Catalog:
    with (ROOT / "webapp/locales/de.po").open("rb") as file:
        return read_po(file, locale="de", abort_invalid=True)


def test_every_sentence_of_the_code_is_in_the_catalogue_and_no_other(german: Catalog) -> None:
    kept = {message.id if isinstance(message.id, str) else tuple(message.id) for message in german if message.id}
    said = in_the_code()
    assert len(said) > 400
    assert said - kept == set(), "these have no German"
    assert kept - said == set(), "these are said nowhere"
    assert not german.obsolete


def test_every_sentence_has_german_words_with_the_same_places(german: Catalog) -> None:
    for message in filter(lambda message: message.id, german):
        english = [message.id] if isinstance(message.id, str) else list(message.id)
        words = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(words), message.id
        assert not message.fuzzy, message.id
        assert len(words) == (1 if isinstance(message.id, str) else 2), message.id
        for one in words:
            # "a minute" needs no number, so the singular may leave it out; nothing may be added.
            assert set(PLACE.findall(one)) == set(PLACE.findall(english[-1])) or one is words[0] != words[-1], one
            assert set(PLACE.findall(one)) <= set(PLACE.findall(english[-1])), one
            assert re.findall(r"</?\w+", one) == re.findall(r"</?\w+", english[-1]), one
            assert "!" not in one


def test_no_sentence_shouts() -> None:
    said = [one for message in in_the_code() for one in ([message] if isinstance(message, str) else message) if one]
    assert [one for one in said if "!" in one] == []


# Templates: what a person reads stands in them as a sentence that is looked up.

# Marks, and words that are the same in every language.
UNMARKED = {"", "#", "·", "…", ",", ".", ":", ": ", "99+", "()", "(", ")", '":"'}
SHOWN_ATTRIBUTES = ("title", "alt", "placeholder", "aria-label", "content")


class Texts(HTMLParser):
    """What is to be read in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        self.found += [named[name] for name in SHOWN_ATTRIBUTES if name in named and tag != "meta"]


def unmarked(template: str) -> list[str]:
    """What a template says without looking it up."""
    bare = re.sub(r"{%-? *trans\b.*?endtrans *-?%}", "", template, flags=re.S)
    strings = re.findall(r"""{[{%](?:(?![}%]}).)*?(?:else|if|,|\() *"([A-Z][a-z]+ [a-z][^"]*)" """, bare, flags=re.S)
    texts = Texts()
    texts.feed(re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", bare, flags=re.S))
    words = [text.strip() for text in texts.found]
    return strings + [text for text in words if re.search(r"[A-Za-z]{2}", text) and text not in UNMARKED]


TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Names of people, and of classes, which are blocks of a template too.
NAMES = {"Irene", "Tomas", "list", "tab", "app", "with-script", "sidebar--twice"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_word_of_a_template_is_marked(path: Path) -> None:
    assert [words for words in unmarked(path.read_text()) if words not in NAMES] == []


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hello</p>",
        '<p title="Unread"></p>',
        "<p>{{ name }} has left</p>",
        '{% if x %}<input placeholder="Name of {{ a }}">{% endif %}',
        '{{ field("name", "Topic of the room" ) }}',
        "<p>{% trans %}This is{% endtrans %} not</p>",
    ],
)
def test_words_that_are_not_marked_would_be_found(html: str) -> None:
    assert unmarked(html)


# Whose language it is.


def language_of(page: str) -> str:
    [code] = re.findall(r'<html lang="(\w+)">', page)
    return str(code)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("fr,de;q=0.7,en;q=0.3", "de"),
        ("fr, en;q=0.8, de;q=0.7", "en"),
        ("de;q=0", "en"),
        ("tlh", "en"),
        ("de;q=much,en;q=0.1", "en"),
        (",;q=1,,de" + ",x" * 5000, "de"),
    ],
)
def test_the_browser_asks_for_a_language(header: str, code: str) -> None:
    assert accepted_language(header, LANGUAGES) == code


async def test_a_page_is_in_the_language_that_the_browser_asks_for(visitor: Person) -> None:
    english, german = await visitor.get("/"), await visitor.get("/", **GERMAN)
    assert (language_of(english.text), language_of(german.text)) == ("en", "de")
    assert "Create an account" in english.text
    assert "Konto anlegen" in german.text
    assert "Accept-Language" in german.headers["vary"]
    assert german.headers["etag"] != english.headers["etag"]
    missing = await visitor.get("/nowhere", **GERMAN)
    assert language_of(missing.text) == "de"
    assert str(_("There is nothing here")) not in missing.text
    assert "Hier ist nichts" in missing.text


async def test_who_has_no_account_chooses_a_language_without_script(visitor: Person) -> None:
    page = await visitor.get("/login")
    assert '<button class="link" name="language" value="de" lang="de">Deutsch</button>' in page.text
    answer = await visitor.post("/language", {"language": "de"}, Referer="http://localhost/login")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "HttpOnly" in answer.headers["set-cookie"]
    page = await visitor.get("/login", Accept_Language="en")
    assert language_of(page.text) == "de"
    assert 'value="en" lang="en">English</button>' in page.text
    wrong = await visitor.post("/login", {"username": "nobody", "password": "wrong"})
    assert "Der Benutzername oder das Passwort stimmt nicht." in wrong.text
    await visitor.post("/language", {"language": "tlh"})
    assert language_of((await visitor.get("/")).text) == "de"
    assert (await visitor.get("/language")).status_code == 405
    elsewhere = await visitor.post("/language", {"language": "en"}, Referer="http://elsewhere.example//evil.example/")
    assert elsewhere.headers["location"] == "/lobby"


async def test_the_choice_of_an_account_counts_before_all_others(alice: Person) -> None:
    assert alice.user
    page = await alice.get("/settings/profile")
    assert language_of(page.text) == "en"
    await alice.post("/settings/profile", {"display_name": "Alice", "bio": "", "language": "de"})
    assert (await User.get(id=alice.user.id)).language == "de"
    alice.client.cookies.set("language", "en")
    page = await alice.get("/settings/profile?done=profile", Accept_Language="en")
    assert language_of(page.text) == "de"
    assert "Gespeichert." in page.text
    assert '<option value="de" lang="de" selected>Deutsch</option>' in page.text
    assert re.search(r"/me\.css\?v=[\w-]+\.0\.de", (await alice.get("/lobby")).text)
    assert 'content:" (du)"' in (await alice.get("/me.css")).text
    await alice.post("/settings/profile", {"display_name": "Alice", "bio": "", "language": ""})
    assert language_of((await alice.get("/lobby", Accept_Language="en")).text) == "en"
    assert current_language().code == "en", "a request's language ends with it"


async def test_the_language_form_stores_the_choice_with_the_account(alice: Person) -> None:
    assert alice.user
    await alice.post("/language", {"language": "de"})
    assert (await User.get(id=alice.user.id)).language == "de"
    assert "language" not in alice.client.cookies


async def test_errors_are_in_the_language_of_the_request(alice: Person, room: Room) -> None:
    empty = await alice.say(room, " ", **GERMAN)
    assert "Schreib erst etwas." in empty.text
    gone = await alice.get("/rooms/nowhere", **GERMAN)
    with use_language("de"):
        assert str(ROOM_NOT_FOUND) in gone.text
    fragment = await alice.say(room, "", HX_Request="true", **GERMAN)
    assert "Schreib erst etwas." in fragment.text


# Days, times, numbers, plurals.

WHEN = datetime(2026, 3, 9, 16, 5, tzinfo=UTC)


def test_each_language_writes_days_times_and_numbers_in_its_way() -> None:
    english, german = LANGUAGES["en"], LANGUAGES["de"]
    assert (english.clock(WHEN), german.clock(WHEN)) == ("16:05", "16:05")
    assert english.day(date(2026, 3, 9), "full") == "Monday, 9 March 2026"
    assert german.day(date(2026, 3, 9), "full") == "Montag, 9. März 2026"
    assert (english.day(WHEN.date(), "day"), german.day(WHEN.date(), "day")) == ("9 Mar", "9. März")
    assert english.moment(WHEN) == "9 March 2026, 16:05"
    assert german.moment(WHEN) == "9. März 2026, 16:05"
    assert (english.number(12345), german.number(12345)) == ("12,345", "12.345")
    assert (english.size(1_530_000), german.size(1_530_000)) == ("1.5 MB", "1,5 MB")


def test_equal_sentences_have_one_hash_in_every_language() -> None:
    removed, count = _("Removed"), ngettext("%(count)s room", "%(count)s rooms", 2)
    same = {_("Removed"), ngettext("%(count)s room", "%(count)s rooms", 2)}
    for code in LANGUAGES:
        with use_language(code):
            assert {removed, count} == same
            assert removed not in {"Removed", "Entfernt"}
            assert removed not in ("Removed", "Entfernt")
            assert count not in {ngettext("%(count)s room", "%(count)s rooms", 1), _("%(count)s rooms", count=2)}
            assert _("Use at most %(most)s characters.", most=1) != _("Use at most %(most)s characters.", most=2)


def test_a_sentence_is_said_in_the_language_of_the_moment() -> None:
    until = _("You are banned from this room until %(until)s.", until=LazyDatetime(WHEN))
    many = TooManyRequests(61)
    assert str(until) == "You are banned from this room until 9 March 2026, 16:05."
    assert [str(TooManyRequests(n).message) for n in (1, 2)] == [
        "Too many attempts. Wait a second and try again.",
        "Too many attempts. Wait 2 seconds and try again.",
    ]
    with use_language("de"):
        assert "9. März 2026, 16:05" in str(until)
        assert str(many.message) == "Zu viele Versuche. Warte 61 Sekunden und versuch es noch einmal."
        people = [str(ngettext("by %(count)s person", "by %(count)s people", n)) for n in (1, 2000)]
        assert people == ["von einer Person", "von 2.000 Leuten"]


# Live pages.


async def heard(reader: Reader, words: str) -> str:
    """All that the page was sent, until these words came."""
    told = ""
    async with asyncio.timeout(30):
        async for piece in reader.outbox:
            told += piece.decode()
            if words in told:
                break
    return told


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The templates that were rendered, and in which language."""
    made: list[tuple[str, str]] = []
    fragment = render.fragment

    def noted(name: str, **context: Any) -> str:
        made.append((name, current_language().code))
        return fragment(name, **context)

    monkeypatch.setattr(render, "fragment", noted)
    return made


async def test_two_languages_in_one_room_are_rendered_once_each(
    alice: Person, room: Room, rendered: list[tuple[str, str]]
) -> None:
    assert alice.user
    readers = [
        open_reader(room.id, 0, framing, room.path, language, session=alice.session.id, user=alice.user.id)
        for framing, language in [("sse", "de"), ("html", "en"), ("sse", "en")]
    ]
    for reader in readers:
        hub().join(reader)
    async with asyncio.timeout(30):
        while hub().channels[f"room:{room.id}"].readers != set(readers):
            await asyncio.sleep(0)
    rendered.clear()
    posted = await post_as(alice.user, room, "Words of a person", "")
    message = await Message.get(room_id=room.id, number=posted.number)
    hub().publish_version(f"room:{room.id}", await message.remove())
    told = [await heard(reader, "message__body") for reader in readers]
    assert ["Entfernt" in text for text in told] == [True, False, False]
    assert ["Removed" in text for text in told] == [False, True, True]
    assert sorted(one for one in rendered if one[0] == "messages/_message.html") == [
        ("messages/_message.html", "de"),
        ("messages/_message.html", "en"),
    ]
    for reader in readers:
        hub().close_stream(reader, DELETED)
        words = "Dieser Raum wurde gelöscht." if reader.language == "de" else "This room has been deleted."
        assert words in await heard(reader, words)
        hub().leave(reader)


async def test_a_language_that_nobody_reads_is_not_rendered(
    alice: Person, room: Room, rendered: list[tuple[str, str]]
) -> None:
    await alice.say(room, "one", **GERMAN)
    rendered.clear()
    found = await changes.log(room.id, {0})
    assert found
    assert rendered == []
    assert "Mehr" in found[1][0].in_language("de").sse.decode()
    assert {code for _name, code in rendered} == {"de"}


async def test_the_file_of_what_is_mine_is_in_the_language_of_the_page_that_asked(alice: Person, room: Room) -> None:
    assert alice.user
    await alice.say(room, "one")
    await (await known_password(alice)).post("/settings/export", {"password": PASSWORD}, **GERMAN)
    export = await Export.get(user_id=alice.user.id)
    assert export.language == "de"
    while (export := await Export.get(user_id=alice.user.id)).is_under_way:
        await asyncio.sleep(0.05)
    with zipfile.ZipFile(export.file) as file:
        page = file.read("index.html").decode()
    assert language_of(page) == "de"
    assert "Anzeigename" in page
    assert "1 Nachricht<" in page


async def test_a_language_from_right_to_left_has_pages_from_there(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.joinpath("he.po").write_text('msgid ""\nmsgstr ""\n')
    monkeypatch.setattr(i18n, "CATALOGUES", tmp_path)
    monkeypatch.setitem(LANGUAGES, "he", Language("he", "עברית", "he_IL"))
    page = (await visitor.get("/", Accept_Language="he")).text
    assert '<html lang="he" dir="rtl">' in page
    assert assets.url("rtl.css") in page
    page = (await visitor.get("/", Accept_Language="de")).text
    assert '<html lang="de">' in page
    assert assets.url("rtl.css") not in page
