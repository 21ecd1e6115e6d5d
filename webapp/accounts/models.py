"""The rules of accounts: names, codes, and the sessions that hold people signed in."""

import asyncio
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple
from zlib import crc32

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp import database, faults, text, uploads
from webapp.accounts import passwords
from webapp.errors import Banned, Invalid, Missing, Refused
from webapp.language import LANGUAGES, Words, _, current
from webapp.prepared import Prepared
from webapp.security import cookie

# Crockford's alphabet: nothing in it is mistaken for another when read aloud or written down.
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HUES = 12
EVERYONE, FRIENDS, CODE = "everyone", "friends", "code"
NAME_LENGTH = 40
BIO_LENGTH = 300
TOLD_LENGTH = 300
FOR_GOOD = datetime(9000, 1, 1, tzinfo=UTC)
SEARCHED_LENGTH = 2 * NAME_LENGTH
RESERVED = frozenset(
    "admin administrator root system parley support help info moderator mod staff owner security abuse postmaster "
    "webmaster noreply everyone here all me you nobody guest anonymous deleted someone stranger null undefined".split()
)
# Letters and digits that look alike in many typefaces: one account for all of the ways to write them.
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", ".": "_", "-": "_"})
USED_AGAIN = timedelta(minutes=5)
GUEST_LIFE = timedelta(hours=24)
WRITE_SECONDS = 30.0


class Avatar(NamedTuple):
    """Initials on one of a dozen colours, and over them the addresses of the picture in two sizes, if there is one."""

    initials: str
    hue: int
    small: str = ""
    large: str = ""

    @classmethod
    def of(cls, name: str, code: str, picture: str | None = None) -> "Avatar":
        words = [word for word in re.split(r"[\s._-]+", name) if word[:1].isalnum()] or ["?"]
        initials = words[0][0] + (words[-1][0] if len(words) > 1 else "")
        sizes = [uploads.path(picture, size) for size in (uploads.SMALL, uploads.LARGE)] if picture else []
        return cls(initials.upper(), crc32(code.encode()) % HUES, *sizes)


def new_code() -> str:
    """The short public id that people give each other, like K7Q2-M9XD."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def skeleton(username: str) -> str:
    """What is left of a user name when lookalikes are the same: two people may not share it."""
    return text.fold(username).translate(_LOOKALIKES).replace("rn", "m").replace("vv", "w")


def usable_name(username: str) -> str:
    """The user name as it is kept: raises Invalid when it can't be one."""
    name = text.fold(username)
    if not re.fullmatch(r"[a-z0-9_.-]{3,30}", name):
        raise Invalid(username=_("Use 3 to 30 letters (a to z), digits or _ . -"))
    if not re.search(r"[a-z]", name):
        raise Invalid(username=_("Use at least one letter."))
    if skeleton(name).strip("_") in {skeleton(reserved) for reserved in RESERVED}:
        raise Invalid(username=_("That name is not for people. Choose another."))
    return name


def display_name(typed: str) -> str:
    """The name that others see: raises Invalid when it can't be one."""
    name = text.line(typed)
    if not text.visible(name):
        raise Invalid(display_name=_("Write a name that others can see."))
    if len(name) > NAME_LENGTH:
        raise Invalid(display_name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    return name


class User(Model):
    id = fields.IntField(primary_key=True)
    code = fields.CharField(9, unique=True)
    username = fields.CharField(30, unique=True, null=True)
    skeleton = fields.CharField(30, unique=True, null=True)
    display_name = fields.CharField(NAME_LENGTH)
    bio = fields.CharField(BIO_LENGTH, default="")
    password_hash = fields.CharField(200, null=True)
    # Both sizes of the picture are named by this digest; see uploads.py.
    picture = fields.CharField(32, null=True)
    # Who finds the person by name (EVERYONE, or CODE: only who has the code), and who may write to them first.
    found_by = fields.CharField(8, default=EVERYONE, db_default=EVERYONE)
    written_by = fields.CharField(8, default=FRIENDS, db_default=FRIENDS)
    shows_presence = fields.BooleanField(default=True, db_default=True)
    shows_receipts = fields.BooleanField(default=True, db_default=True)
    shows_typing = fields.BooleanField(default=True, db_default=True)
    # The code of the language that they have chosen, empty for the one that their browser asks for.
    language = fields.CharField(8, default="", db_default="")
    # Nothing that can be done without: no pictures, nobody coming, going and typing, a few messages at a time.
    saves_data = fields.BooleanField(default=False, db_default=False)
    # How often whom they block has changed; 0 for somebody who never blocked anyone.
    blocks_version = fields.IntField(default=0, db_default=0)
    is_guest = fields.BooleanField(default=False)
    is_admin = fields.BooleanField(default=False)
    created_at = fields.DatetimeField(auto_now_add=True)
    last_seen_at = fields.DatetimeField(auto_now_add=True)
    # Here, and not in a table of their own, because every request reads them: until when an administrator keeps the
    # person out, what they are told about it, and a warning that they have not answered yet.
    banned_until = fields.DatetimeField(null=True)
    ban_reason = fields.CharField(TOLD_LENGTH, default="", db_default="")
    warning = fields.CharField(TOLD_LENGTH, default="", db_default="")

    # Which session this request came with; set by the authentication, not stored.
    session_id: int = 0
    is_authenticated: ClassVar[bool] = True

    class Meta:
        table = "user"
        indexes = (("banned_until",),)

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(self.display_name, self.code, self.picture)

    @property
    def path(self) -> str:
        return f"/people/{self.code}"

    @property
    def stylesheet(self) -> str:
        """The address of what is decided for this viewer alone."""
        version = f"{self.code}.{self.blocks_version}.{current().code}"
        return f"{'/strangers' if self.is_guest else ''}/me.css?v={version}"

    @property
    def is_banned(self) -> bool:
        return self.banned_until is not None and self.banned_until > datetime.now(UTC)

    @property
    def is_banned_for_good(self) -> bool:
        return self.banned_until is not None and self.banned_until >= FOR_GOOD

    def check_ban(self) -> None:
        """Raise Banned while an administrator keeps the person out."""
        if self.banned_until and self.is_banned:
            raise Banned(None if self.is_banned_for_good else self.banned_until, self.ban_reason)

    @classmethod
    async def forget_bans(cls) -> int:
        """Clear what is over; how many were kept out until now."""
        over = cls.filter(banned_until__lt=datetime.now(UTC))
        return await over.update(banned_until=None, ban_reason="")

    async def heed(self) -> None:
        """The person has read the warning."""
        await User.filter(id=self.id).update(warning="")

    @classmethod
    async def register(cls, username: str, password: str, shown: str = "", is_admin: bool = False) -> "User":
        """A new account; raises Invalid, by field, when the name is taken or something can't be used."""
        problems: dict[str, Words] = {}
        name, taken = "", None
        try:
            name = usable_name(username)
            taken = await cls._taken(name)
        except Invalid as error:
            problems |= error.problems
        for checked in (lambda: display_name(shown or name or "-"), lambda: passwords.check(password, username)):
            try:
                checked()
            except Invalid as error:
                problems |= error.problems
        if problems or taken:
            raise Invalid(**({"username": taken} if taken else {}) | problems)
        return await cls._create(
            name, display_name(shown or text.line(username)), await passwords.hashed(password), is_admin
        )

    @classmethod
    async def by_code(cls, code: str) -> "User":
        """The person with that code, which may be written in any case; raises Missing."""
        code = code.upper()
        is_code = re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
        found = await cls.get_or_none(code=code, is_guest=False) if is_code else None
        if found is None:
            raise Missing(_("Nobody has that code."))
        return found

    @classmethod
    async def _taken(cls, name: str) -> Words | None:
        exists = await cls.exists(skeleton=skeleton(name))
        return _("That name, or one that looks like it, is taken. Choose another.") if exists else None

    @classmethod
    async def _create(cls, name: str, shown: str, password_hash: str, is_admin: bool) -> "User":
        async def insert() -> User:
            user = await cls.create(
                code=new_code(),
                username=name,
                skeleton=skeleton(name),
                display_name=shown,
                password_hash=password_hash,
                is_admin=is_admin,
            )
            await SearchName.write(user)
            return user

        for _attempt in range(5):  # a code that is taken already comes once in a trillion
            try:
                return await database.transact(insert)
            except IntegrityError:
                if taken := await cls._taken(name):
                    raise Invalid(username=taken) from None
        raise RuntimeError("no free code was found")

    @classmethod
    async def with_password(cls, username: str, password: str) -> "User | None":
        """Who signs in with these, or None: whether the name or the password was wrong can't be told, nor timed."""
        user = await cls.get_or_none(username=text.fold(username)[:30])
        if not await passwords.matches(password, user.password_hash if user else None):
            return None
        if user and passwords.is_outdated(user.password_hash or ""):
            await cls.filter(id=user.id).update(password_hash=await passwords.hashed(password))
        return user

    async def set_password(self, password: str) -> None:
        """
        Change the password that this object knows; raises Invalid, and Refused when it has been changed meanwhile.

        Ending the other sessions is the caller's part.
        """
        passwords.check(password, self.username or "")
        hashed = await passwords.hashed(password)
        if not await User.filter(id=self.id, password_hash=self.password_hash).update(password_hash=hashed):
            raise Refused(_("The password has been changed just now, in another window perhaps."))
        self.password_hash = hashed

    async def speak(self, code: str) -> None:
        """Set the language of this person's pages; any other word is none: then the browser's counts."""
        self.language = code if code in LANGUAGES else ""
        await User.filter(id=self.id).update(language=self.language)

    async def introduce(self, shown: str, bio: str) -> None:
        """Change what others see of this person; raises Invalid."""
        self.display_name, self.bio = display_name(shown), text.block(bio)
        if len(self.bio) > BIO_LENGTH:
            raise Invalid(bio=_("Use at most %(most)s characters.", most=BIO_LENGTH))

        async def write() -> None:
            await User.filter(id=self.id).update(display_name=self.display_name, bio=self.bio)
            await SearchName.write(self)

        await database.transact(write)

    async def save_data(self, saves: bool) -> None:
        self.saves_data = saves
        await User.filter(id=self.id).update(saves_data=saves)

    async def show(self, picture: uploads.Picture | None) -> None:
        """Take this picture in place of the one before, or none; raises Unavailable when it can't be kept."""
        if picture:
            await uploads.store(picture)
        before, after = self.picture, picture.digest if picture else None
        while not await User.filter(id=self.id, picture=before).update(picture=after):
            row = await User.get_or_none(id=self.id)  # another window of theirs was faster, or they have just left
            if row is None or row.picture == after:
                break
            before = row.picture
        self.picture = after
        if picture:
            await uploads.store(picture)  # again: somebody who had the same may have let go of it meanwhile
        if before and before != after:
            await uploads.let_go(before, User.pictures)

    @classmethod
    async def pictures(cls, digests: Collection[str]) -> set[str]:
        """Those of the pictures that somebody has."""
        return {row["picture"] for row in await cls.filter(picture__in=digests).values("picture")}

    async def take_off(self) -> list[int]:
        """
        Make of the account one that nobody can sign in to or recognise, at once; the sessions that ended.

        What is left to do is found by its row: whoever has no user name and is no guest is about to go.
        """

        async def write() -> list[int]:
            nameless = {"display_name": "Someone who left", "bio": "", "found_by": CODE, "picture": None}
            await User.filter(id=self.id).update(
                username=None, skeleton=None, password_hash=None, is_admin=False, is_guest=False, **nameless
            )
            await SearchName.filter(user_id=self.id).delete()
            sessions = await Session.filter(user_id=self.id)
            await Session.filter(user_id=self.id).delete()
            return [session.id for session in sessions]

        return await database.transact(write)

    async def choose(self, found_by: str, written_by: str, **shows: bool) -> None:
        """Set who may find this person and write to them first, and what they show of themselves; raises Invalid."""
        if found_by not in (EVERYONE, CODE):
            raise Invalid(found_by=_("Choose one of these."))
        if written_by not in (EVERYONE, FRIENDS):
            raise Invalid(written_by=_("Choose one of these."))
        await User.filter(id=self.id).update(found_by=found_by, written_by=written_by, **shows)


def search_names(username: str, shown: str) -> set[str]:
    """What somebody is found by: the user name, and the name that others see from each of its words on."""
    name = text.bare(shown)
    parts = {name[word.start() :] for word in re.finditer(r"[^\s()._'’-]+", name)}
    return {one[:SEARCHED_LENGTH] for one in parts | {name, text.bare(username)} if one}


class SearchName(Model):
    """
    One of the texts that begin where a search may begin: what is typed is a prefix of them, so that an index finds it.

    On PostgreSQL the column has the collation "C", in which, as on SQLite, all that begins with a prefix is a range.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "search_names")
    folded = fields.CharField(SEARCHED_LENGTH, db_index=True)

    user_id: int

    class Meta:
        table = "search_name"
        unique_together = (("user", "folded"),)

    @classmethod
    async def write(cls, user: User) -> None:
        """What the person is found by is what they are called now; within a transaction that has written their row."""
        await cls.filter(user_id=user.id).delete()
        names = search_names(user.username or "", user.display_name)
        await cls.bulk_create([cls(user_id=user.id, folded=folded) for folded in names])

    @classmethod
    def beginning(cls, prefix: str) -> "QuerySet[SearchName]":
        """Those of the people who may be found by name, in order; U+10FFFF is in no name and behind all others."""
        found = cls.filter(folded__gte=prefix, folded__lt=f"{prefix}\U0010ffff", user__found_by=EVERYONE)
        return found.order_by("folded").select_related("user")


class Session(Model):
    """One browser that is signed in. The browser has the token, the row only its digest."""

    id = fields.IntField(primary_key=True)
    digest = fields.CharField(64, unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "sessions", db_index=True)
    user_agent = fields.CharField(300, default="")
    # Where it began, as a hash that means nothing a day or two later; see security/client.py.
    address = fields.CharField(32, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    used_at = fields.DatetimeField(auto_now_add=True)

    user_id: int

    class Meta:
        table = "session"
        indexes = (("used_at",),)

    @classmethod
    async def of(cls, token: str) -> "Session | None":
        """The session of this token with its user, in one query."""
        return await _BY_DIGEST.first(cookie.digest(token))

    @classmethod
    async def begin(cls, user: User, token: str, user_agent: str, address: str | None = None) -> "Session":
        """A new session; `address` is the hash of where it begins."""
        agent = text.line(user_agent)[:300]
        return await cls.create(digest=cookie.digest(token), user=user, user_agent=agent, address=address)

    @classmethod
    async def forget(cls, unused: timedelta) -> int:
        """Delete the sessions that were not used for so long, in small batches; how many."""
        return await database.delete_where(cls.filter(used_at__lt=datetime.now(UTC) - unused))

    @classmethod
    async def forget_addresses(cls, age: timedelta) -> int:
        """Forget where sessions began so long ago; how many."""
        old = cls.filter(address__not_isnull=True, created_at__lt=datetime.now(UTC) - age)
        return await old.update(address=None)

    @property
    def is_of_yesterday(self) -> bool:
        """Whether it began so long ago that a guest's is over."""
        return datetime.now(UTC) - self.created_at > GUEST_LIFE

    @property
    def device(self) -> Words:
        """The browser and system in a few words, as far as the browser tells."""
        browsers = ("Firefox", "Edg", "OPR", "Chrome", "Safari", "w3m", "Lynx", "curl")
        systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
        browser = next((name for name in browsers if name in self.user_agent), "")
        system = next((name for name in systems if name in self.user_agent), "")
        shown = {"Edg": "Edge", "OPR": "Opera"}.get(browser, browser) or _("A browser")
        return _("%(browser)s on %(system)s", browser=shown, system=system) if system else shown


_BY_DIGEST = Prepared[Session](lambda digest: Session.filter(digest=digest).select_related("user").limit(1))


class Used:
    """Which sessions were used: noted here, written together, at most every five minutes each."""

    def __init__(self) -> None:
        self._noted: dict[int, datetime] = {}

    def note(self, session: Session) -> None:
        now = datetime.now(UTC)
        if now - session.used_at > USED_AGAIN:
            self._noted[session.id] = now

    async def write(self) -> None:
        noted, self._noted = self._noted, {}
        if not noted:
            return
        sessions, latest = list(noted), max(noted.values())
        for start in range(0, len(sessions), 500):
            await Session.filter(id__in=sessions[start : start + 500]).update(used_at=latest)

    async def keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception as error:  # it is noted again with the next request
                faults.read("when sessions were used could not be written", error)


used = Used()
