"""Who asks: read from the session in one query."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import account
from webapp.accounts.models import User
from webapp.accounts.queries import viewer_by_token
from webapp.accounts.sessions import GUEST_LIFETIME, MAX_LIFETIME, Session
from webapp.accounts.viewer import PERMANENT, Viewer
from webapp.core.errors import Banned


async def viewer(user: User) -> Viewer:
    session = await Session.begin(user, "token", "Firefox")
    found = await viewer_by_token("token")
    assert found
    assert found.session_id == session.id
    return found


async def test_a_viewer_holds_what_the_table_has_of_their_account(app: object) -> None:
    user = await account("dora", is_admin=True)
    await User.filter(id=user.id).update(saves_data=True, shows_typing=False, language="de", warning="Mind your words")
    found = await viewer(user)
    user = await User.get(id=user.id)
    for name in Viewer.__dataclass_fields__:
        if name != "session_id":
            assert getattr(found, name) == getattr(user, name), name
            assert type(getattr(found, name)) is type(getattr(user, name)), name
    assert (found.avatar, found.path) == (user.avatar, user.path)
    assert user.as_viewer(found.session_id) == found


@pytest.mark.parametrize(("is_guest", "lifetime"), [(False, MAX_LIFETIME), (True, GUEST_LIFETIME)])
async def test_a_session_that_began_too_long_ago_has_no_viewer(
    app: object, is_guest: bool, lifetime: timedelta
) -> None:
    user = await account("dora")
    await User.filter(id=user.id).update(is_guest=is_guest)
    await viewer(user)
    for age, is_there in ((lifetime - timedelta(minutes=1), True), (lifetime + timedelta(minutes=1), False)):
        await Session.filter(user_id=user.id).update(created_at=datetime.now(UTC) - age)
        assert (await viewer_by_token("token") is not None) is is_there
    assert await viewer_by_token("another") is None


@pytest.mark.parametrize(("until", "shown"), [(timedelta(hours=1), True), (None, False)])
async def test_a_banned_person_reads_until_when(app: object, until: timedelta | None, shown: bool) -> None:
    user = await account("dora")
    (await viewer(user)).require_not_banned()
    end = datetime.now(UTC) + until if until else PERMANENT
    await User.filter(id=user.id).update(banned_until=end, ban_reason="shouting")
    found = await viewer_by_token("token")
    assert found
    with pytest.raises(Banned) as banned:
        found.require_not_banned()
    assert ("suspended" in str(banned.value.title)) is shown
    await User.filter(id=user.id).update(banned_until=datetime.now(UTC) - timedelta(seconds=1))
    found = await viewer_by_token("token")
    assert found
    found.require_not_banned()
