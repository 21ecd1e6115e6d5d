"""Why streams end because of an account."""

from webapp.core.i18n import _
from webapp.live import Ending

SIGNED_OUT = Ending("signed_out", _("You are signed out."), "{login}?next={page}", _("Sign in"))
RENEWED = Ending("renewed", _("Your password was changed in another window."), "{page}", _("Load this page again"))
BANNED = Ending("banned", _("An administrator has ended your access."), "{page}", _("Why, and for how long"))
UNMADE = Ending(
    "unmade",
    _("You are no administrator any more."),
    "{page}",
    _("Load this page again"),
    removes=".tabs a[href='{moderation}']",
)
