"""A small town at a real server: people who know each other, have talked, and have odd names; and every page of it."""

import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from playwright.sync_api import Browser

from tests.browser.person import PASSWORD, BrowserPerson
from tests.servers import App

# Nobody is throttled, and one person has many pages open.
RULES = {"RATE_LIMITS": "off", "MAX_STREAMS_PER_SESSION": "50"}
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
ODD = [
    "w" * 300,
    "🎈🎉🥳🌻🍋🐢🚲🪁🎸🫖" * 4,
    "هذا نص طويل باللغة العربية يمتد على عدة أسطر، وفيه كلمة English في الوسط، ثم يعود إلى العربية.",
    "```\n"
    + "\n".join(f"row {number:03}: " + "value = compute(left, right)  # why " * 2 for number in range(48))
    + "\n```",
    "One word: https://example.org/" + "path/" * 60,
    "1. first\n2. second\n\n> said before\n\nand *after*",
    "👍",
]


class SampleSite:
    """A site with a few people who have talked."""

    def __init__(self, browser: Browser, site: App) -> None:
        self.browser, self.site = browser, site
        self.people = {name: BrowserPerson(browser, site, shown).register(name) for name, shown in PEOPLE.items()}
        self.newcomer = BrowserPerson(browser, site, "Ida").register("ida")
        make = (sys.executable, "-m", "webapp", "createsuperuser", "--username", "amara", "--password", PASSWORD)
        subprocess.run(make, cwd=site.folder, env=site.env, check=True, capture_output=True)

    @property
    def layla(self) -> BrowserPerson:
        return self.people["layla"]

    def fill(self) -> "SampleSite":
        """Until now everything is empty."""
        self._talk()
        self._make_rooms()
        self._make_friends()
        self._report()
        # Somebody is there.
        self.people["joao"].open(self.room)
        self.people["mei"].open(self.room)
        return self

    def _talk(self) -> None:
        self.room = self._room("amara", "Garden & tools", "Who lends what to whom, and when")
        for name, words in TALK:
            self._say(name, self.room, words)
        self.people["sven"].send(f"{self.room}/messages/10/remove")
        self.people["amara"].send(f"{self.room}/messages/5/edit", body=TALK[4][1] + " And the fence.")
        self.people["amara"].send(f"{self.room}/messages/6/pin")
        self.layla.send(f"{self.room}/messages/9/save")
        self.people["mei"].send(f"{self.room}/messages/7/reactions", kind="❤️")
        self.people["joao"].send(f"{self.room}/messages", body=f"Is @{self.layla.username} coming?", nonce="called")

    def _make_rooms(self) -> None:
        for name, room in (
            ("joao", "Film night"),
            ("mei", "Cooking for many"),
            ("sven", "A room whose name is very long indeed, to see it"),
        ):
            made = self._room(name, room, "Every second Thursday" if name == "joao" else "")
            self.layla.send(f"{made}/join")
            for number in range(3):
                self._say(name, made, f"Is anybody here yet? ({number})")
        self.quiet = self._room("layla", "Quiet")
        self.long = self._room("joao", "Long talk")
        for number in range(70):
            self._say("joao", self.long, f"Thought number {number}")
        self.odd = self._room("sven", "غرفة الأشياء الغريبة", "W" * 200)
        for number, words in enumerate(ODD):
            self._say(("sven", "layla")[number % 2], self.odd, words)
        self.single = self._room("mei", "One message")
        self._say("mei", self.single, "First")

    def _make_friends(self) -> None:
        layla = self.layla
        for name in ("joao", "mei", "sven"):
            self.people[name].send(f"/friends/{layla.code}/ask")
            if name != "sven":
                layla.send(f"/friends/{self.people[name].code}/accept")
                for words in ("Are you coming on Saturday?", "I can bring the cake"):
                    self.people[name].send(f"/chat/{layla.code}/messages", body=words, nonce=name + words[:9])
        layla.send(f"/friends/{self.people['amara'].code}/ask")
        joao = f"/chat/{self.people['joao'].code}"
        self.chat = layla.send(f"{joao}/messages", body="With pleasure. What shall I bring?", nonce="l").url
        self.people["amara"].send(f"/chat/{layla.code}/messages", body="Hello, we met at the garden", nonce="a")
        self.people["mei"].send(
            "/settings/profile", display_name=PEOPLE["mei"], bio="Cooks for sixty, shops for eighty."
        )

    def _report(self) -> None:
        key = unquote(self.odd.rpartition("/")[2])
        for name, number, reason in (
            ("joao", 1, "spam"),
            ("mei", 1, "insult"),
            ("joao", 2, "other"),
            ("mei", 5, "spam"),
        ):
            about = f"message:{key}:{number}"
            self.people[name].send("/report", about=about, reason=reason, text="He does this every day.")
        decide = {"do": "dismiss", "told": "", "note": "Balloons are allowed."}
        self.people["amara"].send("/moderation/reports/3", **decide)

    def _room(self, name: str, room: str, topic: str = "") -> str:
        return self.people[name].send("/rooms", name=room, topic=topic).url

    def _say(self, name: str, room: str, words: str) -> None:
        self.people[name].send(f"{room}/messages", body=words, nonce=words[:30])


class Look(NamedTuple):
    """Who looks at what: "" is somebody who is not signed in, "new" somebody new each time."""

    who: str
    step: Callable[[BrowserPerson, SampleSite], object]
    is_first: bool = False


def visit(reader: BrowserPerson, path: str) -> None:
    # Without script some pages never end loading: they are live.
    reader.page.goto(path, wait_until="load" if reader.script else "domcontentloaded")


def goes(path: str) -> Callable[[BrowserPerson, SampleSite], object]:
    return lambda reader, town: visit(reader, path)


def in_room(reader: BrowserPerson, town: SampleSite) -> None:
    reader.open(town.room)
    reader.until(lambda: "João" in str(reader.log.locator(".people:visible").first.text_content()), "people")


def writes(reader: BrowserPerson, town: SampleSite) -> None:
    in_room(reader, town)
    reader.text.fill("I can bring:\n- the small saw\n- gloves for everybody")


def picks_emoji(reader: BrowserPerson, town: SampleSite) -> None:
    in_room(reader, town)
    if reader.script:
        reader.text.press("Shift")
        # A touch screen has none.
        if reader.page.evaluate("matchMedia('(pointer: fine)').matches"):
            reader.page.click(".composer__emoji")
            reader.page.locator(".emoji button").first.wait_for()


def attaches(reader: BrowserPerson, town: SampleSite) -> None:
    """What the button opens, and beside the words what was chosen."""
    in_room(reader, town)
    if reader.script:
        reader.page.click(".composer__attach")
        chosen = {"name": "rota for the summer.txt", "mimeType": "text/plain", "buffer": b"Monday: nobody"}
        reader.page.set_input_files(".attach__menu input", [chosen])
        reader.page.locator(".chip [name=file]:enabled").wait_for(state="attached")
        reader.page.click(".composer__attach")


def opens_acts(reader: BrowserPerson, town: SampleSite) -> None:
    """What the owner can do about a person."""
    visit(reader, f"{town.room}/people")
    reader.page.locator(".row__more summary").nth(1).click()


def is_refused(reader: BrowserPerson, town: SampleSite) -> None:
    reader.open(town.quiet)
    reader.text.fill("far too long " * 400)
    reader.composer.click(".composer__send")
    reader.problem.wait_for()


def is_cut_off(reader: BrowserPerson, town: SampleSite) -> None:
    reader.open(town.quiet)
    reader.forgive("ERR_FAILED")
    reader.page.route("**/messages", lambda route: route.abort())
    reader.text.fill("Can you hear me?")
    if reader.script:
        reader.composer.click(".composer__send")
        reader.page.locator(".pending__unsent:visible").wait_for()


def is_wrong(reader: BrowserPerson, town: SampleSite) -> None:
    visit(reader, "/register")
    reader.page.fill("#username", "x")
    reader.page.fill("#password", "123")
    reader.page.click("form.form button")
    reader.page.locator(".field__problem").first.wait_for()


def is_foreign(reader: BrowserPerson, town: SampleSite) -> None:
    """A page that another site sent a form to."""
    answer = reader.context.request.post("/rooms", form={"name": "x"}, headers={"Origin": "https://elsewhere.example"})
    body = answer.text()
    reader.page.route("**/foreign", lambda route: route.fulfill(body=body, content_type="text/html", status=403))
    visit(reader, "/foreign")
    reader.page.unroute_all()


def in_lobby(reader: BrowserPerson, town: SampleSite) -> None:
    visit(reader, "/lobby")
    reader.until(lambda: reader.sidebar.locator(".entry:visible").count() > 5, "entries")


def looks_for_a_stranger(reader: BrowserPerson) -> None:
    visit(reader, "/strangers")
    reader.page.fill("#interests", "chess jazz")
    reader.page.check("[name=rules]")
    with reader.page.expect_navigation(wait_until="commit"):
        reader.page.click("text=Find someone")


def waits(reader: BrowserPerson, town: SampleSite) -> None:
    looks_for_a_stranger(reader)
    reader.page.locator("#wait").wait_for()


def meets(reader: BrowserPerson) -> None:
    reader.page.wait_for_url("**/strangers/chat/*", wait_until="commit")
    reader.until(lambda: reader.log.locator("#log").count(), "the log")
    reader.until(lambda: reader.text.count(), "a composer")


def says(reader: BrowserPerson, words: str) -> None:
    """By the button: where fingers type, Enter breaks the line."""
    reader.text.fill(words)
    reader.composer.click(".composer__send")


def talks(reader: BrowserPerson, town: SampleSite) -> BrowserPerson:
    """Two strangers in a chat; answers the other one."""
    other = BrowserPerson(town.browser, town.site, "other")
    looks_for_a_stranger(other)
    looks_for_a_stranger(reader)
    for person in (reader, other):
        meets(person)
    says(other, "Hello! Do you play too?")
    reader.sees("Hello! Do you play too?")
    says(reader, "Badly, and with joy")
    other.sees("Badly, and with joy")
    reader.until(lambda: reader.text.count(), "a composer")
    return other


def is_left(reader: BrowserPerson, town: SampleSite) -> None:
    talks(reader, town).send("/strangers/leave")
    reader.until(lambda: reader.log.get_by_text("Stranger has left").count(), "the end")


# Pages of an empty site come first.
LOOKS: dict[str, Look] = {
    "first-lobby": Look("ida", goes("/lobby"), True),
    "first-rooms": Look("ida", goes("/rooms"), True),
    "first-friends": Look("ida", goes("/friends"), True),
    "first-moderation": Look("amara", goes("/moderation"), True),
    "first-log": Look("amara", goes("/moderation/log"), True),
    "front": Look("", goes("/")),
    "register": Look("", goes("/register")),
    "register-wrong": Look("", is_wrong),
    "login": Look("", goes("/login")),
    "lobby": Look("layla", in_lobby),
    "rooms": Look("layla", goes("/rooms")),
    "rooms-none": Look("layla", goes("/rooms?q=zzz")),
    "room": Look("amara", in_room),
    "room-outsider": Look("new", in_room),
    "room-writing": Look("amara", writes),
    "room-emoji": Look("amara", picks_emoji),
    "room-quiet": Look("layla", lambda reader, town: reader.open(town.quiet)),
    "room-single": Look("mei", lambda reader, town: reader.open(town.single)),
    "room-odd": Look("layla", lambda reader, town: reader.open(town.odd)),
    "room-refused": Look("layla", is_refused),
    "room-cut-off": Look("layla", is_cut_off),
    "room-plain": Look("amara", lambda reader, town: visit(reader, f"{town.room}?plain=1")),
    "room-earlier": Look("amara", lambda reader, town: visit(reader, f"{town.long}/messages/12")),
    "room-permalink": Look("amara", lambda reader, town: visit(reader, f"{town.long}/messages/60")),
    "room-settings": Look("amara", lambda reader, town: visit(reader, f"{town.room}/settings")),
    "room-settings-guest": Look("layla", lambda reader, town: visit(reader, f"{town.room}/settings")),
    "room-people": Look("amara", lambda reader, town: visit(reader, f"{town.room}/people")),
    "room-people-acts": Look("amara", opens_acts),
    "edit": Look("amara", lambda reader, town: visit(reader, f"{town.room}/messages/5/edit")),
    "more": Look("layla", lambda reader, town: visit(reader, f"{town.room}/messages/5/edit")),
    "attach": Look("amara", lambda reader, town: visit(reader, f"{town.room}/attach")),
    "room-attaching": Look("amara", attaches),
    "chat": Look("layla", lambda reader, town: reader.open(town.chat)),
    "chat-new": Look("mei", lambda reader, town: visit(reader, f"/chat/{town.people['sven'].code}")),
    "chat-self": Look("mei", lambda reader, town: visit(reader, f"/chat/{town.people['mei'].code}")),
    "chat-request": Look("layla", lambda reader, town: visit(reader, f"/chat/{town.people['amara'].code}")),
    "chat-asked": Look("amara", lambda reader, town: visit(reader, f"/chat/{town.people['layla'].code}")),
    "person-asked": Look("amara", lambda reader, town: visit(reader, f"/people/{town.people['layla'].code}")),
    "friends": Look("layla", goes("/friends")),
    "inbox": Look("layla", goes("/inbox")),
    "catch-up": Look("layla", goes("/inbox/catch-up")),
    "saved": Look("layla", goes("/saved")),
    "pins": Look("layla", lambda reader, town: visit(reader, f"{town.room}/pins")),
    "reactions": Look("layla", lambda reader, town: visit(reader, f"{town.room}/messages/7/reactions")),
    "find": Look("layla", goes("/rooms?q=m")),
    "people": Look("layla", goes("/people?q=s")),
    "friend": Look("layla", lambda reader, town: visit(reader, f"/people/{town.people['mei'].code}")),
    "person": Look("amara", lambda reader, town: visit(reader, f"/people/{town.people['sven'].code}")),
    "self": Look("amara", lambda reader, town: visit(reader, f"/people/{town.people['amara'].code}")),
    "profile": Look("amara", goes("/settings/profile")),
    "privacy": Look("amara", goes("/settings/privacy")),
    "password": Look("amara", goes("/settings/password")),
    "sessions": Look("amara", goes("/settings/sessions")),
    "data": Look("amara", goes("/settings/export")),
    "delete": Look("amara", goes("/settings/delete")),
    "strangers": Look("", goes("/strangers")),
    "strangers-waiting": Look("guest", waits),
    "strangers-talking": Look("guest", talks),
    "strangers-over": Look("guest", is_left),
    "report": Look(
        "joao", lambda reader, town: visit(reader, f"/report?about=message:{town.odd.rpartition('/')[2]}:5")
    ),
    "moderation": Look("amara", goes("/moderation")),
    "moderation-report": Look("amara", goes("/moderation/reports/1")),
    "moderation-log": Look("amara", goes("/moderation/log")),
    "moderation-out": Look("amara", goes("/moderation/out")),
    "missing": Look("amara", goes("/rooms/nothing-here")),
    "foreign": Look("", is_foreign),
}


def leave(reader: BrowserPerson, look: Look) -> None:
    """Close the browser; who looked for a stranger must not be found any more."""
    if look.who == "guest":
        for way in ("stop", "leave"):
            reader.context.request.post(f"/strangers/{way}", headers={"Sec-Fetch-Site": "same-origin"})
    reader.context.close()


def somebody(town: SampleSite, who: str, script: bool = True, **options: object) -> BrowserPerson:
    """A reader at a browser of their own, in the session of one of the town's people."""
    reader = BrowserPerson(town.browser, town.site, who or "nobody", script, **options)
    if who == "new":
        reader.register(f"new{id(reader)}")
    elif who == "ida":
        reader.share_session(town.newcomer)
    elif who in town.people:
        reader.share_session(town.people[who])
    return reader
