"""The rules of accounts: who people are, how others see them, and how they are found by name."""

from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.models import Model

from webapp import settings
from webapp.accounts import passwords
from webapp.accounts.names import (
    NAME_SIZE,
    SEARCHED_LENGTH,
    new_code,
    search_keys,
    skeleton,
    sort_key,
    validate_display_name,
    validate_username,
)
from webapp.accounts.viewer import CODE, EVERYONE, FRIENDS, NOBODY, PERMANENT, VIEWER_FIELDS, PersonFacts, Viewer
from webapp.core import clock, text
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import LANGUAGES, Text, _
from webapp.db import transaction
from webapp.media.images import ProcessedImage
from webapp.media.store import picture_store

BIO_LENGTH = 300
NOTICE_LENGTH = 300
ZONE_LENGTH = 64
# What :root[data-theme] and :root[data-text] are in static/css/tokens.css.
THEMES = ("light", "dark")
TEXT_SIZES = ("small", "large", "larger")


# What belongs to the making of an account, by the id that it got.
Then = Callable[[int], Awaitable[None]]


class Profile(NamedTuple):
    """What people set about themselves, by the names of the columns, but for the picture."""

    display_name: str
    bio: str
    language: str
    saves_data: bool

    @classmethod
    def checked(cls, user: "User", shown: str, bio: str, language: str, saves_data: bool) -> "Profile":
        """What the person typed; raises Invalid. A word that is no language stands for the browser's."""
        about = text.clean_text(bio)
        if len(about) > BIO_LENGTH:
            raise Invalid(bio=_("Use at most %(most)s characters.", most=BIO_LENGTH))
        # A name that they have already is theirs, whatever is reserved since.
        name = shown if shown == user.display_name else validate_display_name(shown, user.is_admin)
        return cls(name, about, language if language in LANGUAGES else "", saves_data)


class User(PersonFacts, Model):
    id = fields.IntField(primary_key=True)
    code = fields.CharField(9, unique=True)
    username = fields.CharField(30, unique=True, null=True)
    skeleton = fields.CharField(30, unique=True, null=True)
    display_name = fields.CharField(NAME_SIZE)
    # What lists of people are ordered by; on PostgreSQL with the collation "C", as SQLite compares.
    sort_name = fields.CharField(SEARCHED_LENGTH, default="", db_default="")
    bio = fields.CharField(BIO_LENGTH, default="")
    password_hash = fields.CharField(200, null=True)
    # Both sizes of the picture are named by this digest; see media/store.py.
    picture = fields.CharField(32, null=True)
    # Who finds the person by name (EVERYONE, or CODE: only who has the code), and who may write to them first.
    found_by = fields.CharField(8, default=EVERYONE, db_default=EVERYONE)
    written_by = fields.CharField(8, default=FRIENDS, db_default=FRIENDS)
    # Who may add them to groups and rooms: of EVERYONE, those who are no friends ask; FRIENDS, or NOBODY.
    added_by = fields.CharField(8, default=EVERYONE, db_default=EVERYONE)
    # Whether anybody sees when they are online, and who: EVERYONE or FRIENDS. Empty: friends, and the person was never
    # asked, because they are here since before there was a choice.
    shows_presence = fields.BooleanField(default=True, db_default=True)
    presence_for = fields.CharField(8, default="", db_default="")
    shows_receipts = fields.BooleanField(default=True, db_default=True)
    shows_typing = fields.BooleanField(default=True, db_default=True)
    # The code of the language that they have chosen, empty for the one that their browser asks for.
    language = fields.CharField(8, default="", db_default="")
    # The zone in which times are written for them; empty for the site's. Script writes those of its own clock.
    time_zone = fields.CharField(ZONE_LENGTH, default="", db_default="")
    # Nothing that can be done without: no pictures, nobody coming, going and typing, a few messages at a time.
    saves_data = fields.BooleanField(default=False, db_default=False)
    # Empty for what the system says, and for the size that the browser is set to.
    theme = fields.CharField(8, default="", db_default="")
    text_size = fields.CharField(8, default="", db_default="")
    # How often whom they block has changed; 0 for who never blocked anyone.
    blocks_version = fields.IntField(default=0, db_default=0)
    # The newest reaction to what they said that they have read; of messages, memberships know it.
    reactions_read = fields.BigIntField(default=0, db_default=0)
    # Of an account that is being deleted: whether the files in their messages go with it.
    takes_files = fields.BooleanField(default=False, db_default=False)
    is_guest = fields.BooleanField(default=False)
    is_admin = fields.BooleanField(default=False)
    created_at = fields.DatetimeField(auto_now_add=True)
    last_seen_at = fields.DatetimeField(auto_now_add=True)
    # Here, and not in a table of their own, because every request reads them: until when an administrator has
    # banned the person, the notice about it, and a warning that they have not acknowledged yet.
    banned_until = fields.DatetimeField(null=True)
    ban_reason = fields.CharField(NOTICE_LENGTH, default="", db_default="")
    warning = fields.CharField(NOTICE_LENGTH, default="", db_default="")

    class Meta:
        table = "user"
        indexes = (("banned_until",), ("is_admin",))

    @property
    def is_banned(self) -> bool:
        return self.banned_until is not None and self.banned_until > datetime.now(UTC)

    @property
    def is_banned_permanently(self) -> bool:
        return self.banned_until is not None and self.banned_until >= PERMANENT

    def as_viewer(self, session_id: int) -> Viewer:
        """Return the row of who asks in this session, where it is not read with it: the mask of who asks."""
        values = {name: getattr(self, name) for name in VIEWER_FIELDS if name != "session_id"}
        return Viewer(**values, session_id=session_id)

    @classmethod
    async def clear_expired_bans(cls) -> int:
        """Clear expired bans; return how many there were."""
        over = cls.filter(banned_until__lt=datetime.now(UTC))
        return await over.update(banned_until=None, ban_reason="")

    @classmethod
    async def acknowledge_warning(cls, user_id: int) -> None:
        """The person has read the warning."""
        await cls.filter(id=user_id).update(warning="")

    @classmethod
    async def mark_reactions_read(cls, user_id: int, reaction_id: int) -> None:
        """The person has read the reactions up to this one."""
        await cls.filter(id=user_id, reactions_read__lt=reaction_id).update(reactions_read=reaction_id)

    @classmethod
    async def register(
        cls, username: str, password: str, shown: str = "", is_admin: bool = False, then: Then | None = None
    ) -> "User":
        """A new account; raises Invalid, by field, when the name is taken or something can't be used."""
        problems: dict[str, Text] = {}
        name, taken = "", None
        try:
            name = validate_username(username, is_admin)
            taken = await cls._taken(name)
        except Invalid as error:
            problems |= error.problems
        for checked in (
            lambda: validate_display_name(shown or name or "-", is_admin),
            lambda: passwords.check(password, username),
        ):
            try:
                checked()
            except Invalid as error:
                problems |= error.problems
        if problems or taken:
            raise Invalid(**({"username": taken} if taken else {}) | problems)
        return await cls.create_hashed(
            name,
            validate_display_name(shown or text.clean_line(username), is_admin),
            await passwords.hash_password(password),
            is_admin,
            then,
        )

    @classmethod
    async def code_of(cls, username: str) -> str:
        """The code of the person with that user name, empty when there is none."""
        found = await cls.filter(username=username).values_list("code", flat=True)
        return str(found[0]) if found else ""

    @classmethod
    async def _taken(cls, name: str) -> Text | None:
        exists = await cls.exists(skeleton=skeleton(name))
        return _("That name, or one that looks like it, is taken. Choose another.") if exists else None

    @classmethod
    async def create_hashed(
        cls, name: str, shown: str, password_hash: str, is_admin: bool, then: Then | None = None
    ) -> "User":
        """
        Create an account with a hash in place of a password; raise Invalid where the name is taken.

        `then` is called with its id in the same transaction: there is no account where it raises.
        """

        async def insert() -> User:
            user = await cls.create(
                code=new_code(),
                username=name,
                skeleton=skeleton(name),
                display_name=shown,
                sort_name=sort_key(shown),
                presence_for=EVERYONE if settings.DIRECTORY else FRIENDS,
                password_hash=password_hash,
                is_admin=is_admin,
            )
            await SearchName.write(user.id, name, shown)
            if then:
                await then(user.id)
            return user

        for _attempt in range(5):  # a code that is taken already comes once in a trillion
            try:
                return await transaction.transact(insert)
            except IntegrityError:
                if taken := await cls._taken(name):
                    raise Invalid(username=taken) from None
        raise RuntimeError("no free code was found")

    @classmethod
    async def authenticate(cls, username: str, password: str) -> "User | None":
        """Who signs in with these, or None: neither the answer nor its time says whether name or password was wrong."""
        user = await cls.get_or_none(username=text.fold(username)[:30])
        if not await passwords.verify(password, user.password_hash if user else None):
            return None
        if user and passwords.needs_rehash(user.password_hash or ""):
            await cls.filter(id=user.id).update(password_hash=await passwords.hash_password(password))
        return user

    async def set_password(self, password: str) -> None:
        """
        Change the password that this object knows; raises Invalid, and Forbidden when it has been changed meanwhile.

        Ending the other sessions is the caller's part.
        """
        passwords.check(password, self.username or "")
        hashed = await passwords.hash_password(password)
        if not await User.filter(id=self.id, password_hash=self.password_hash).update(password_hash=hashed):
            raise Forbidden(_("The password has been changed just now, in another window perhaps."))
        self.password_hash = hashed

    @classmethod
    async def set_appearance(cls, user_id: int, theme: str, text_size: str, time_zone: str) -> None:
        """Set how this person's pages look; any other word is none."""
        time_zone = time_zone if time_zone in clock.zones() else ""
        theme, text_size = theme if theme in THEMES else "", text_size if text_size in TEXT_SIZES else ""
        await cls.filter(id=user_id).update(theme=theme, text_size=text_size, time_zone=time_zone)

    @classmethod
    async def set_language(cls, user_id: int, code: str) -> None:
        """Set the language of this person's pages; any other word is none: then the browser's counts."""
        await cls.filter(id=user_id).update(language=code if code in LANGUAGES else "")

    async def set_profile(
        self, profile: Profile, picture: ProcessedImage | None = None, keeps_picture: bool = True
    ) -> bool:
        """
        Change all of the profile, or nothing of it; whether others see this person otherwise now.

        Raises Unavailable when the picture can't be stored.
        """
        values: dict[str, Any] = {name: new for name, new in profile._asdict().items() if new != getattr(self, name)}
        if picture or not keeps_picture:
            values["picture"] = picture.digest if picture else None
        if not values or values == {"picture": self.picture}:
            return False
        if picture:
            await picture_store().save(picture)
        before = await transaction.transact(self._write_profile, values)
        self.update_from_dict(values)
        if picture:
            await picture_store().save(picture)  # again: a person who had the same may have dropped it meanwhile
        if before and "picture" in values and before != self.picture:
            await picture_store().release(before)
        return not values.keys().isdisjoint(("display_name", "picture"))

    async def _write_profile(self, values: dict[str, Any]) -> str | None:
        """Within a transaction; the picture until now, as another window of theirs may have changed it."""
        await User.filter(id=self.id).update(saves_data=F("saves_data"))  # locks the row before it is read
        before = await User.filter(id=self.id).values_list("picture", flat=True)
        if "display_name" in values:
            values = values | {"sort_name": sort_key(values["display_name"])}
        await User.filter(id=self.id).update(**values)
        if before and "display_name" in values:
            await SearchName.write(self.id, self.username or "", values["display_name"])
        return str(before[0]) if before and before[0] else None

    @classmethod
    async def pictures_in_use(cls, digests: Collection[str]) -> set[str]:
        """Return those of the pictures that people have; an owner of media/store.py."""
        return {row["picture"] for row in await cls.filter(picture__in=digests).values("picture")}

    @property
    def presence(self) -> str:
        """Who sees when they are online: EVERYONE, FRIENDS or NOBODY."""
        return (self.presence_for or FRIENDS) if self.shows_presence else NOBODY

    async def update_privacy(self, found_by: str, written_by: str, presence: str, added_by: str, **shows: bool) -> None:
        """Set who may find, write to, see online and add this person, and what they show; raise Invalid."""
        if found_by not in (EVERYONE, CODE):
            raise Invalid(found_by=_("Choose one of these."))
        if written_by not in (EVERYONE, FRIENDS):
            raise Invalid(written_by=_("Choose one of these."))
        if presence not in (EVERYONE, FRIENDS, NOBODY):
            raise Invalid(shows_presence=_("Choose one of these."))
        if added_by not in (EVERYONE, FRIENDS, NOBODY):
            raise Invalid(added_by=_("Choose one of these."))
        choices = {"found_by": found_by, "written_by": written_by, "added_by": added_by}
        values = {**choices, **self._presence_columns(presence), **shows}
        await User.filter(id=self.id).update(**values)

    @classmethod
    async def answer_presence_offer(cls, viewer: Viewer, accepts: bool) -> bool:
        """Show everyone when the viewer is online, or leave that as it is; return whether this was their answer."""
        unanswered = cls.filter(id=viewer.id, presence_for="")
        values: dict[str, Any] = cls._presence_columns(EVERYONE) if accepts else {"presence_for": FRIENDS}
        return bool(await unanswered.update(**values))

    @staticmethod
    def _presence_columns(presence: str) -> dict[str, Any]:
        """Return what is stored; with NOBODY the other column only says that the person has chosen."""
        return {
            "shows_presence": presence != NOBODY,
            "presence_for": EVERYONE if presence == EVERYONE else FRIENDS,
        }


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
        table_description = (
            "One of the texts that begin where a search may begin: what is typed is a prefix of them, so "
            "that an index finds it."
        )
        unique_together = (("user", "folded"),)

    @classmethod
    async def write(cls, user_id: int, username: str, display_name: str) -> None:
        """The person is found by these names and no others; within a transaction that has written their row."""
        await cls.filter(user_id=user_id).delete()
        names = search_keys(username, display_name)
        await cls.bulk_create([cls(user_id=user_id, folded=folded) for folded in names])
