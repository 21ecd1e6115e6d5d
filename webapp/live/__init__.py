"""
The live engine: it delivers changes of channels to the pages that are open on them. It knows no domain.

The database is the truth, the broadcaster a doorbell: a ring says only that a channel has reached a version, and each
process reads what it missed. So a ring that is lost, repeated or late costs nothing.
"""

from webapp.core.lifetime import Slot
from webapp.live.ending import Ending
from webapp.live.frames import Frame, Payload
from webapp.live.hub import Hub
from webapp.live.providers import Providers
from webapp.live.reader import Reader

hub = Slot[Hub]("hub")

__all__ = ["Ending", "Frame", "Hub", "Payload", "Providers", "Reader", "hub"]
