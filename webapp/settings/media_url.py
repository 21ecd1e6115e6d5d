"""MEDIA_URL, parsed: where pictures and files lie when not in the data folder."""

from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import parse_qsl, unquote, urlsplit

from webapp.settings.database_url import Unusable

WANTED = (
    "s3://BUCKET/PREFIX or s3://KEY:SECRET@BUCKET/PREFIX, with ?endpoint=https://HOST and &region=NAME where it is not "
    "Amazon's; in a secret, / # ? @ must be percent-encoded: %2F %23 %3F %40"
)
OPTIONS = ("endpoint", "region")
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Bucket:
    """A part of a bucket of an S3-compatible store. Without a key, those of AWS_ACCESS_KEY_ID or the machine hold."""

    name: str
    prefix: str
    endpoint: str
    region: str
    key: str
    secret: str

    @property
    def place(self) -> str:
        """For people: where it is, without key and secret."""
        path = "/".join(part for part in (self.name, self.prefix) if part)
        return f"s3://{path} at {self.endpoint}" if self.endpoint else f"s3://{path}"


def read(text: str) -> Bucket | None:
    """Return the bucket of the URL, None for the data folder; raise ValueError where it can't be used."""
    if not text:
        return None
    if find_spec("obstore") is None:
        raise Unusable("needs what does not come by itself: pip install 'parley[s3]'.")
    parts = urlsplit(text)
    auth, _, name = parts.netloc.rpartition("@")
    if parts.scheme != "s3" or not name or ":" in name or "#" in text or "@" in parts.path:
        raise ValueError
    key, _, secret = auth.partition(":")
    if bool(key) != bool(secret):
        raise Unusable("must have both a key and a secret before the @, or neither.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
    if unknown := [option for option in options if option not in OPTIONS]:
        raise Unusable(f"has {', '.join(unknown)} behind the ?, but it must be some of {', '.join(OPTIONS)}.")
    return Bucket(
        name,
        unquote(parts.path).strip("/"),
        _endpoint(options.get("endpoint", "")),
        options.get("region") or DEFAULT_REGION,
        unquote(key),
        unquote(secret),
    )


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query):
        raise Unusable("must have an endpoint like https://s3.example.org.")
    return text.rstrip("/")
