"""
Pictures of every page, as people see them: wide and narrow, light and dark, with script and without.

    python -m tests.browser.screens FOLDER [part of a name]
"""

import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from tests.browser.reader import QUIET, Reader
from tests.servers import App, chromium

WINDOWS = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 360, "height": 740}}
PEOPLE = {
    "amara": "Amara Okafor",
    "joao": "João Pereira",
    "mei": "陳美玲",
    "layla": "ليلى حداد",
    "sven": "Sven Lindqvist-Halvorsen von der Heide",
}
TALK = [
    ("amara", "Morning! Does anybody have a spare ladder for Saturday?"),
    ("joao", "Yes, in the shed. The key hangs behind the door."),
    ("joao", "It is the long one, so bring somebody to carry it."),
    ("mei", "我星期六也可以來幫忙。"),
    ("amara", "Perfect 🙌 Then we can do the gutters **and** the apple tree."),
    ("sven", "Two notes:\n\n- the third rung is loose\n- never on the wet side\n\n> Measure twice, cut once."),
    ("layla", "صباح الخير! سأحضر القهوة والكعك."),
    ("joao", "For watering I use this:\n\n```\nif soil.dry() and not rain.soon():\n    valve.open(minutes=12)\n```"),
    ("amara", "Brilliant. https://example.org/gardens/community/handbook/watering-by-numbers has the `dry()` part."),
    ("sven", "ok"),
    ("mei", "See you at ten!"),
]  # fmt: skip


class Town:
    """A site with a few people who have talked."""

    def __init__(self, browser: Browser, site: App) -> None:
        self.browser, self.site = browser, site
        self.people = {name: Reader(browser, site, shown).register(name) for name, shown in PEOPLE.items()}
        amara = self.people["amara"]
        self.room = amara.send("/rooms", name="Garden & tools", topic="Who lends what to whom, and when").url
        for name, words in TALK:
            self.people[name].send(f"{self.room}/messages", body=words, nonce=words[:20])
        self.people["sven"].send(f"{self.room}/messages/10/remove")
        self.people["amara"].send(f"{self.room}/messages/5/edit", body=TALK[4][1] + " And the fence.")
        for name, room in (
            ("joao", "Film night"),
            ("mei", "Cooking for many"),
            ("sven", "A room whose name is very long indeed, to see it"),
        ):
            made = (
                self.people[name].send("/rooms", name=room, topic="Every second Thursday" if name == "joao" else "").url
            )
            self.people["layla"].send(f"{made}/join")
            for number in range(3):
                self.people[name].send(f"{made}/messages", body=f"Is anybody here yet? ({number})", nonce=str(number))
        self.quiet = self.people["layla"].send("/rooms", name="Quiet").url
        self.long = self.people["joao"].send("/rooms", name="Long talk").url
        for number in range(70):
            self.people["joao"].send(f"{self.long}/messages", body=f"Thought number {number}", nonce=f"l{number}")
        layla = self.people["layla"]
        for name in ("joao", "mei", "sven"):
            self.people[name].send(f"/friends/{layla.code}/ask")
            if name != "sven":
                layla.send(f"/friends/{self.people[name].code}/accept")
                for number, words in enumerate(("Are you coming on Saturday?", "I can bring the cake")):
                    self.people[name].send(f"/chat/{layla.code}/messages", body=words, nonce=f"{name}{number}")
        amara.send(f"/chat/{layla.code}/messages", body="Hello, we met at the garden", nonce="a")
        # Somebody is there.
        self.people["joao"].open(self.room)
        self.people["mei"].open(self.room)


Step = Callable[[Reader, Town], None]


def goes(path: str) -> Step:
    return lambda reader, town: visit(reader, path)


def visit(reader: Reader, path: str) -> None:
    reader.page.goto(path, wait_until="load" if reader.script else "commit")


def in_room(reader: Reader, town: Town) -> None:
    reader.open(town.room)
    reader.until(lambda: "João" in reader.log.locator(".people:visible, .now:visible").first.inner_text(), "people")


def writes(reader: Reader, town: Town) -> None:
    in_room(reader, town)
    reader.text.fill("I can bring:\n- the small saw\n- gloves for everybody")


def is_refused(reader: Reader, town: Town) -> None:
    reader.open(town.quiet)
    reader.text.fill("far too long " * 400)
    reader.composer.click(".composer__send")
    reader.problem.wait_for()


def is_cut_off(reader: Reader, town: Town) -> None:
    reader.open(town.quiet)
    if reader.script:
        reader.page.route("**/messages", lambda route: route.abort())
        reader.text.fill("Can you hear me?")
        reader.composer.click(".composer__send")
        reader.problem.wait_for()


def is_signed_out(reader: Reader, town: Town) -> None:
    reader.open(town.quiet)
    reader.text.fill("A draft that should not be lost")
    reader.send("/logout")
    reader.log.locator(".notice").first.wait_for()
    reader.composer.click(".composer__send")
    reader.pause(800)
    reader.sign_in(reader.username)


def is_wrong(reader: Reader, town: Town) -> None:
    visit(reader, "/register")
    reader.page.fill("#username", "x")
    reader.page.fill("#password", "123")
    reader.page.click("form.form button")
    reader.page.locator(".field__problem").first.wait_for()


def plain(reader: Reader, town: Town) -> None:
    visit(reader, f"{town.room}?plain=1")
    reader.pause(300)


def message(number: int, then: str = "") -> Step:
    return lambda reader, town: visit(reader, f"{town.long}/messages/{number}{then}")


def his_message(reader: Reader, town: Town) -> None:
    visit(reader, f"{town.room}/messages/5/edit")


def profile_of(reader: Reader, town: Town) -> None:
    visit(reader, f"/people/{town.people['sven'].code}")


def in_lobby(reader: Reader, town: Town) -> None:
    visit(reader, "/lobby")
    reader.until(lambda: reader.sidebar.locator(".entry:visible").count() > 5, "entries")


def chat_with(reader: Reader, town: Town) -> None:
    visit(reader, f"/chat/{town.people['joao'].code}")
    reader.pause(500)


def friend_of(reader: Reader, town: Town) -> None:
    visit(reader, f"/people/{town.people['joao'].code}")


# Who looks at what. "" is somebody who is not signed in.
PAGES: dict[str, tuple[str, Step]] = {
    "front": ("", goes("/")),
    "register": ("", goes("/register")),
    "register-wrong": ("", is_wrong),
    "login": ("", goes("/login")),
    "lobby": ("layla", in_lobby),
    "rooms": ("layla", goes("/rooms")),
    "rooms-none": ("layla", goes("/rooms?q=zzz")),
    "room": ("amara", in_room),
    "room-outsider": ("guest", in_room),
    "room-writing": ("amara", writes),
    "room-quiet": ("layla", lambda reader, town: (reader.open(town.quiet), None)[1]),
    "room-refused": ("layla", is_refused),
    "room-cut-off": ("layla", is_cut_off),
    "room-signed-out": ("layla", is_signed_out),
    "room-plain": ("amara", plain),
    "room-earlier": ("amara", message(12)),
    "room-permalink": ("amara", message(60)),
    "room-settings": ("amara", lambda reader, town: visit(reader, f"{town.room}/settings")),
    "room-settings-guest": ("layla", lambda reader, town: visit(reader, f"{town.room}/settings")),
    "edit": ("amara", his_message),
    "chat": ("layla", chat_with),
    "chat-request": ("layla", lambda reader, town: visit(reader, f"/chat/{town.people['amara'].code}")),
    "friends": ("layla", goes("/friends")),
    "find": ("layla", goes("/rooms?q=m")),
    "friend": ("layla", friend_of),
    "person": ("amara", profile_of),
    "profile": ("amara", goes("/settings/profile")),
    "password": ("amara", goes("/settings/password")),
    "sessions": ("amara", goes("/settings/sessions")),
    "missing": ("amara", goes("/rooms/nothing-here")),
}


def looks(wanted: str) -> Iterator[tuple[str, str, Step, dict[str, object]]]:
    for (name, (who, step)), size, scheme, script in product(PAGES.items(), WINDOWS, ("light", "dark"), (True, False)):
        file = f"{name}-{size}-{scheme}-{'script' if script else 'plain'}"
        if wanted in file:
            options = {"viewport": WINDOWS[size], "color_scheme": scheme, "has_touch": size == "narrow"}
            yield file, who, step, {"script": script, **options}


def take(town: Town, folder: Path, file: str, who: str, step: Step, options: dict[str, object]) -> None:
    reader = Reader(town.browser, town.site, who, **options)  # type: ignore[arg-type]
    try:
        if who in PEOPLE:
            reader.username = who
            reader.sign_in(who)
        elif who:
            reader.register(f"{who}{abs(hash(file)) % 10**8}")
        step(reader, town)
        reader.pause(150)
        reader.page.screenshot(path=folder / f"{file}.png")
    except (AssertionError, Error) as error:
        print(f"{file}: {error}")
        reader.page.screenshot(path=folder / f"{file}-FAILED.png")
    finally:
        reader.context.close()


def main(folder: Path, wanted: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    env = {"RATE_LIMITS": "off", "MAX_STREAMS_PER_SESSION": "50"}
    with App(env) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        town = Town(browser, site)
        for look in looks(wanted):
            take(town, folder, *look)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
