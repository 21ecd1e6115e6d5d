"""What open pages learn of moderation: that their person is banned, and how many reports are open."""

from webapp.accounts.endings import BANNED
from webapp.accounts.models import User
from webapp.live import hub

# Whose pages count at once; those of others do with the next page.
MAX_ADMINS = 100


def banned(user_id: int) -> None:
    """Every stream of theirs ends, in every process."""
    hub().close_streams(BANNED, user=user_id)


async def reports_changed() -> None:
    """The pages of administrators count the open reports again."""
    for admin in await User.filter(is_admin=True).order_by("id").limit(MAX_ADMINS):
        hub().broadcast_reliably("ties", user=admin.id)
