"""w3m, lynx, links and ELinks, key by key: everything can be done, and read, without styles, frames and script."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.clients.conftest import PASSWORD, Wire, Writer
from tests.clients.terminal import Terminal
from tests.servers import App, text_browser

GREETING = "Grüße 日本語"
# Without the pauses in which lynx lets people read what it is about to do.
LYNX = "ACCEPT_ALL_COOKIES:TRUE\nLOCALE_CHARSET:TRUE\nSHOW_CURSOR:TRUE\nINFOSECS:0\nMESSAGESECS:0\nALERTSECS:0\n"
ELINKS = "set document.browse.forms.confirm_submit = 0\n"
# What w3m opens for a field of several lines: it writes what is to be written.
EDITOR = '#!/bin/sh\ncp "$HOME/words" "$1"\n'


class TextBrowser(Terminal):
    """Somebody who goes from link to link with a key."""

    next = "\t"
    top: str
    reload: str

    def fill(self, label: str, words: str) -> None:
        """Write into the field in place of what is there."""
        raise NotImplementedError

    def choose(self, label: str, file: Path) -> None:
        """Name the file in the field for one."""
        self.fill(label, str(file))

    def to(self, label: str) -> None:
        """Go on to the link or button of that name, or to the field that it labels."""
        for _ in range(100):
            if self._is_at(label) and self.is_still() and self._is_at(label):
                return
            before = (self.screen.row, self.screen.column)
            self.press(self.next)
            if before == (self.screen.row, self.screen.column):
                self.press(self.top)
        raise AssertionError(f"no way to {label!r}:\n{self.screen.text}")

    def follow(self, label: str) -> None:
        self.to(label)
        self.press("\r")

    def _is_at(self, label: str) -> bool:
        rows, row, column = self.screen.cells, self.screen.row, self.screen.column
        left, right = "".join(rows[row][:column]).rstrip(), "".join(rows[row][column:])
        # links goes to the third letter of a button.
        # A button that has a value stands behind it in lynx, as (1).
        begin = re.compile(r"[ (]*(?:(?:BUTTON|\d)\) )?" + re.escape(label))
        if any(begin.match(text) for text in (right, left[-2:] + right)):
            return True
        # A field is [    ] in w3m and ____ in lynx, which goes to the end of what is in it.
        large = re.search(r"\(Textarea\)|\nText area", self.screen.text)
        if not (left.endswith("[") or right.startswith("_") or large):
            return False
        above = "".join(rows[row - 2] + rows[row - 1]).rstrip()
        return left.rstrip(" [").endswith(label) or bool((left.strip() == "[" or large) and above.endswith(label))


class Lynx(TextBrowser):
    top = "\x01"
    reload = "\x12"

    def __init__(self, url: str, home: Path, *options: str) -> None:
        (home / "lynx.cfg").write_text(LYNX)
        super().__init__(text_browser("lynx"), "-cfg=lynx.cfg", *options, url, home=home)

    def fill(self, label: str, words: str) -> None:
        self.to(label)
        self.press("\x15" + words)


class W3m(TextBrowser):
    top = "g"
    reload = "R"

    def __init__(self, url: str, home: Path, *options: str) -> None:
        editor = home / "editor"
        editor.write_text(EDITOR)
        editor.chmod(0o755)
        super().__init__(text_browser("w3m"), "-cookie", *options, url, home=home, env={"EDITOR": str(editor)})
        self.words = home / "words"

    def fill(self, label: str, words: str) -> None:
        self.words.write_text(words)
        self.follow(label)
        if re.search(r"\n(TEXT|Password):.*$", self.screen.text):
            self.press("\x15" + words + "\r")

    def choose(self, label: str, file: Path) -> None:
        self.follow(label)
        self.press(f"{file}\r")


class Links(TextBrowser):
    """It types into a field that it stands on, and greets who comes for the first time."""

    command = "links"
    greeting = "Welcome to"
    next = "\x1b[B"
    top = "\x1b[1~"
    reload = "\x12"

    def __init__(self, url: str, home: Path, *options: str) -> None:
        super().__init__(text_browser(self.command), *options, url, home=home)
        self.see(self.greeting)
        self.press("\r")

    def fill(self, label: str, words: str) -> None:
        self.to(label)
        self.press("\x15" + words)


class ELinks(Links):
    """It goes into a field with Enter first."""

    command = "elinks"
    greeting = ""

    def __init__(self, url: str, home: Path, *options: str) -> None:
        (home / ".elinks").mkdir()
        (home / ".elinks/elinks.conf").write_text(ELINKS)
        super().__init__(url, home, *options)

    def fill(self, label: str, words: str) -> None:
        self.to(label)
        self.press("\r")
        self.press("\x15" + words)


BROWSERS = {"lynx": Lynx, "w3m": W3m}
HEIRS = {"links": Links, "elinks": ELinks}
# Both say by Referer where a form comes from, unless they are told not to.
SILENT = {"lynx": "-noreferer", "w3m": "-o no_referer=1"}


def at_terminal(name: str, wire: Wire, home: Path, *options: str) -> TextBrowser:
    return (BROWSERS | HEIRS)[name](f"{wire.url}/register", home, *options)


def register(browser: TextBrowser, name: str) -> None:
    browser.see("Already have an account")
    browser.fill("User name", name)
    browser.fill("Display name", f"Jörg at {name}")
    browser.fill("Password", PASSWORD)
    browser.follow("Create the account")
    browser.see(f"Hello, Jörg at {name}")


def make_room(browser: TextBrowser, name: str, topic: str) -> None:
    browser.fill("Name", name)
    browser.fill("Topic", topic)
    browser.follow("Create or join the room")
    browser.see("This is where it begins")


def say(browser: TextBrowser, room: str, words: str) -> None:
    browser.fill(f"Message to {room}", words)
    browser.follow("Send")


@pytest.mark.parametrize("name", BROWSERS | HEIRS)
def test_a_conversation_at_a_terminal(name: str, site: App, irene: Writer, wire: Wire, tmp_path: Path) -> None:
    room = f"Tee 日本語 {name}"
    with at_terminal(name, wire, tmp_path) as browser:
        register(browser, name)
        make_room(browser, room, "Über Tee")
        say(browser, room, GREETING)
        # The name and what one can do stand before the words; a browser with styles puts them beside.
        browser.see(rf"\n +Jörg at {name} More\s+{GREETING} \d\d:\d\d\n")

        path = irene.make_room(room)
        assert GREETING in irene.get(path)
        irene.say(path, f"Danke! {GREETING}")
        browser.press(browser.reload)
        browser.see(rf"\n +(\d\. )?Irene More\s+Danke! {GREETING} \d\d:\d\d\n")

        browser.follow("More")
        browser.see("Remove the message")
        browser.fill("Message", f"Schöne {GREETING}")
        browser.follow("Save")
        browser.see(rf"More\s+Schöne {GREETING} edited \d\d:\d\d\n")

        browser.follow("You")
        browser.follow("Sign out")
        browser.see("Talk to people")
    # Nothing, where lynx has a query in the address: its forms are known by their token.
    assert {tuple(origins(post)) for post in wire.posts()} <= {("Referer",), ()}
    assert f"Schöne {GREETING}" in irene.get(path)
    assert said(site, room) == [(f"Schöne {GREETING}", name), (f"Danke! {GREETING}", "irene")]
    assert sessions(site, name) == 0


@pytest.mark.parametrize("name", ["w3m", "lynx", "links"])
def test_a_file_is_attached_at_a_terminal(name: str, site: App, wire: Wire, tmp_path: Path) -> None:
    room, file = f"Files in {name}", tmp_path / "plan.txt"
    file.write_text("Dig")
    with at_terminal(name, wire, tmp_path) as browser:
        register(browser, f"{name}-attaches")
        make_room(browser, room, "Plans")
        browser.fill(f"Message to {room}", "By hand")
        browser.follow("Attach")
        browser.see("Attach files")
        browser.choose("File 1", file)
        browser.follow("Send")
        # In the room: the form has these words, too.
        browser.see(r"plan\.txt \(TXT · 3 B\)\s+By hand")
    query = (
        "SELECT body, attachment.name, received FROM attachment JOIN message ON message.id = message_id "
        "JOIN room ON room.id = message.room_id WHERE room.name = ?"
    )
    assert rows(site, query, room) == [("By hand", "plan.txt", 3)]


def test_an_answer_a_reaction_and_a_call_by_forms_alone(site: App, irene: Writer, wire: Wire, tmp_path: Path) -> None:
    room = "Answers at a terminal"
    path = irene.make_room(room)
    irene.say(path, "Which door?")
    with W3m(f"{wire.url}/register", tmp_path) as browser:
        register(browser, "answering")
        browser.follow(room)
        browser.see("Which door\\?")
        browser.follow("More")
        browser.see("This message")
        browser.follow("Reply")
        browser.see(r"Reply to\s+Irene\s+Which door\?")
        say(browser, room, "The red one, @irene")
        browser.see(r"Irene Which door\?\s+The red one, @irene")
        browser.press(browser.top)
        browser.follow("More")
        browser.follow("React")
        browser.see("Back to the room")
        browser.follow("👍")
        browser.see("👍 1")
    assert 'class="reaction" data-kind="👍"' in irene.get(path)
    query = (
        "SELECT body, reply_to FROM message JOIN room ON room.id = room_id WHERE room.name = ? AND reply_to IS NOT NULL"
    )
    assert rows(site, query, room) == [("The red one, @irene", 1)]
    query = "SELECT kind, username FROM reaction JOIN user ON user.id = user_id WHERE username = ?"
    assert rows(site, query, "answering") == [("👍", "answering")]
    # Once, though it names whom it answers.
    query = "SELECT username FROM mention JOIN user ON user.id = mention.user_id WHERE username = ?"
    assert rows(site, query, "irene") == [("irene",)]


@pytest.mark.parametrize("name", BROWSERS)
def test_the_newest_messages_and_the_form_are_one_link_away(
    name: str, site: App, irene: Writer, wire: Wire, tmp_path: Path
) -> None:
    path = irene.make_room(f"Long {name}")
    for number in range(30):
        irene.say(path, f"Number {number}.")
    with at_terminal(name, wire, tmp_path) as browser:
        register(browser, f"late-{name}")
        browser.follow(f"Long {name}")
        browser.see("Number 0\\.")
        browser.follow("Skip to the newest messages")
        browser.see(rf"Number 26\.[\s\S]*Number 29\.[\s\S]*Message to Long {name}")


@pytest.mark.parametrize("name", BROWSERS)
def test_a_form_without_a_word_on_where_it_comes_from_is_known_by_its_token(
    name: str, site: App, wire: Wire, tmp_path: Path
) -> None:
    with at_terminal(name, wire, tmp_path, *SILENT[name].split()) as browser:
        register(browser, f"silent-{name}")
        make_room(browser, f"Silence {name}", "")
        say(browser, f"Silence {name}", GREETING)
        browser.see(rf"More\s+{GREETING} \d\d:\d\d\n")
    posts = wire.posts()
    assert [origins(post) for post in posts] == [[], [], []]
    head, body = posts[-1].split("\r\n\r\n")
    url, cookie = f"{site.url}{head.split()[1]}", re.findall(r"session-\w+=[^;\s]+", head)[0]
    for wrong in (re.sub("token=[^&]+", "token=wrong", body), re.sub("token=[^&]+", "", body)):
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        assert httpx2.post(url, content=wrong, headers=kind).status_code == 403
    assert said(site, f"Silence {name}") == [(GREETING, f"silent-{name}")]


@pytest.mark.parametrize("name", BROWSERS)
def test_two_people_become_friends_and_talk_in_private(name: str, site: App, wire: Wire, tmp_path: Path) -> None:
    friend = Writer(site, f"nora-{name}")
    code = re.findall(r"me\.css\?v=([0-9A-Z]{4}-[0-9A-Z]{4})", friend.get("/lobby"))[0]
    with at_terminal(name, wire, tmp_path) as browser:
        register(browser, f"jo-{name}")
        mine = re.findall(r"people who should find you:\s+([0-9A-Z]{4}-[0-9A-Z]{4})", browser.screen.text)[0]
        browser.follow("People")
        browser.see("Everyone")
        browser.fill("Search", code)
        browser.follow("Find")
        browser.see(f"Nora-{name}")
        browser.follow(f"Nora-{name}")
        browser.see(code)
        browser.follow("Ask to be friends")
        browser.see("You have asked to be friends")
        friend.post(f"/friends/{mine}/accept")
        browser.press(browser.reload)
        browser.see("You are friends")
        browser.follow("Write a message")
        browser.see("You have not talked to")
        say(browser, f"Nora-{name}", GREETING)
        browser.see(rf"More\s+{GREETING} \d\d:\d\d\s+Sent")
        friend.get("/lobby")
        browser.press(browser.reload)
        browser.see(rf"{GREETING} \d\d:\d\d\s+Delivered")
        chat = re.findall(r'class="entry[^"]*" href="(/rooms/~[^"]+)"', friend.get("/lobby"))[0]
        friend.get(f"{chat}?plain=1")
        browser.press(browser.reload)
        browser.see(rf"{GREETING} \d\d:\d\d\s+Seen")
        friend.say(chat, "Hello yourself")
        browser.press(browser.reload)
        browser.see("Hello yourself")
        browser.follow("Skip to the newest messages")
        browser.see(rf"Nora-{name} \d\d:\d\d\s+Hello yourself")
        browser.follow("People")
        browser.see("Find someone by name")
        browser.fill("Search", f"yourself from:nora-{name}")
        browser.follow("Find")
        browser.see(rf"Nora-{name} to you \d\d:\d\d\s+Hello yourself")
    friend.client.close()


def tick(browser: TextBrowser, label: str) -> None:
    """Go on to the box before these words, and tick it."""
    for _ in range(20):
        right = "".join(browser.screen.cells[browser.screen.row][browser.screen.column :])
        if browser.is_still() and label in right and right.index(label) < 6:
            break
        browser.press("\t")
    browser.press("\r")


def test_two_strangers_of_whom_one_is_at_a_terminal(site: App, wire: Wire, tmp_path: Path) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    with (
        W3m(f"{wire.url}/strangers", tmp_path) as browser,
        httpx2.Client(base_url=site.url, headers=headers, follow_redirects=True) as other,
    ):
        browser.see("accept the rules")
        tick(browser, "I am 18 or older")
        browser.follow("Find someone")
        browser.see("Nobody else is waiting right now")
        chat = other.post("/strangers/find", data={"rules": "1", "language": "en"})
        assert 'id="log"' in chat.text
        path = chat.url.path
        browser.press(browser.next)  # away from "Refresh (3 sec)", which w3m itself writes above the page
        browser.follow("Refresh")
        browser.see("A stranger")
        other.post(f"{path}/messages", data={"body": "Hello, terminal"})
        browser.press(browser.reload)
        browser.see("Hello, terminal")
        label = re.search(r"Message to \w+ \w+", browser.screen.text)
        assert label
        browser.fill(label[0], GREETING)
        browser.follow("Send")
        browser.see(GREETING)
        assert GREETING in other.get(path).text
        browser.follow("Leave")
        browser.see("accept the rules")
        assert "Stranger has left" in other.get(path).text


def origins(request: str) -> list[str]:
    """The headers that say where a request comes from."""
    return re.findall(r"(?im)^(sec-fetch-site|origin|referer): ", request)


def said(site: App, room: str) -> list[tuple[str, str]]:
    """What the database holds of a room: the words and their author's user name."""
    return rows(
        site,
        "SELECT body, username FROM message JOIN user ON user.id = author_id JOIN room ON room.id = room_id "
        "WHERE room.name = ? ORDER BY number",
        room,
    )


def sessions(site: App, username: str) -> int:
    found = rows(site, "SELECT session.id FROM session JOIN user ON user.id = user_id WHERE username = ?", username)
    return len(found)


def rows(site: App, query: str, *values: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(site.folder / "data/parley.sqlite3")) as database:
        return database.execute(query, values).fetchall()


def test_a_private_room_is_made_filled_and_ruled_by_forms_alone(site: App, wire: Wire, tmp_path: Path) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    with (
        W3m(f"{wire.url}/register", tmp_path) as browser,
        httpx2.Client(base_url=site.url, headers=headers, follow_redirects=True) as guest,
    ):
        register(browser, "host")
        browser.fill("Name", "Surprise")
        tick(browser, "Only who is invited")
        browser.follow("Create or join the room")
        browser.see("This is where it begins")
        browser.follow("About this room")
        browser.follow("Invite people")
        browser.follow("Make a link")
        path = browser.see(r"/join/[0-9A-Z]{16}")[0]
        assert "Surprise" in guest.get(path).text
        joined = guest.post(
            "/register", data={"username": "newcomer", "password": PASSWORD, "display_name": "Newcomer", "next": path}
        )
        assert joined.url.path.startswith("/rooms/~")
        browser.follow("Back to the settings")
        browser.follow("Everyone in this room")
        browser.see("Newcomer")
        browser.follow("Make a moderator")
        browser.see("Newcomer moderator")
        assert guest.get(f"{joined.url.path}/bans").status_code == 200
        browser.follow("Remove")
        browser.see("They are out of this room")
        assert guest.get(joined.url.path).status_code == 404
