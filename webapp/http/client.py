"""Where a request comes from: the address of its client, as it is counted and as it is kept; or the operator."""

import hmac
import ipaddress
import secrets
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


def is_operator(request: Request) -> bool:
    """
    Whether METRICS_TOKEN comes with the request, or, on a site for this machine alone, the request from this machine.

    A site with a name is behind a proxy, and of what a bare `proxy_pass` passes on nothing shows that it is not local.
    """
    if settings.METRICS_TOKEN:
        return _has_token(request)
    is_forwarded = {"x-forwarded-for", "forwarded", "via"} & set(request.headers.keys())
    return settings.is_local_only() and not is_forwarded and _is_loopback(request)


def _has_token(request: Request) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and secrets.compare_digest(settings.METRICS_TOKEN.encode(), token.encode())


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:  # a socket of the file system
        return False
