"""What stands in the link of an invitation, and what is stored of it."""

import hmac
from hashlib import sha256

from webapp import settings
from webapp.accounts.names import CODE_LETTERS

TOKEN_LENGTH = 16
# The letters that the alphabet leaves out, because they are taken for these.
_MISREAD = str.maketrans("OIL", "011")


def make_token(*facts: object) -> str:
    """
    Return the token of an invitation with these facts, among them the nonce of its form: 80 bits.

    The same form sent again has the same token, which is stored nowhere; without the secret key nobody comes to it.
    """
    text = repr(("invitation", *facts)).encode()
    number = int.from_bytes(hmac.new(settings.secret_key().encode(), text, sha256).digest())
    return "".join(CODE_LETTERS[number >> 5 * place & 31] for place in range(TOKEN_LENGTH))


def digest_of(typed: str) -> str:
    """Return what is stored of the token, in whatever way it was written down; empty where it can be none."""
    token = typed.replace("-", "").upper().translate(_MISREAD)
    is_token = len(token) == TOKEN_LENGTH and set(token) <= set(CODE_LETTERS)
    return sha256(token.encode()).hexdigest() if is_token else ""
