"""Where a request comes from: the address of its client, as it is counted and as it is kept."""

import hmac
import ipaddress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from starlette.requests import Request

from webapp import settings

# A proxy may pass on what is no address, and limits are counted by it.
LONGEST = 100


def address(request: Request) -> str:
    """Whom to count for an address: IPv6 by its /64, which is what one household has."""
    host = request.client.host if request.client else ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host[:LONGEST]
    if ip.version == 6 and ip.ipv4_mapped:  # how a socket for both kinds of address shows IPv4
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else host


def address_hash(request: Request, days_ago: int = 0) -> str:
    """
    The address in a way that says nothing to who has the database alone, nor to anybody after a day: with a salt of
    the day, made of the secret key.
    """
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    return hmac.new(settings.secret_key().encode(), f"{day} {address(request)}".encode(), sha256).hexdigest()[:32]
