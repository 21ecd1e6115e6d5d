"""Why streams end because of a chat with a stranger."""

from webapp.core.i18n import _
from webapp.live import Ending

# By this name the script of pages that are open knows it.
MOVED_ON = Ending("went_on", _("You are not in this chat any more."), "{strangers}", _("Continue"))
