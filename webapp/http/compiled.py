"""Templates as Jinja has compiled them, stored in the data folder: to compile those of a first page takes a while."""

import hmac
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from jinja2.bccache import Bucket, BytecodeCache

from webapp import settings
from webapp.core import start_cache


class CompiledTemplates(BytecodeCache):
    """
    Jinja's cache of what it compiles, by the source of each template.

    It is code that is run, so it is signed: who can write into the folder can't make this program do what they like.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        stored = start_cache.load(_name(bucket), made_by())
        if stored is None:
            return
        signature, code = stored[: start_cache.DIGEST_LENGTH], stored[start_cache.DIGEST_LENGTH :]
        if hmac.compare_digest(signature, _signature(bucket, code)):
            bucket.bytecode_from_string(code)  # which looks whether it is of this source, and of this Python

    def dump_bytecode(self, bucket: Bucket) -> None:
        code = bucket.bytecode_to_string()
        start_cache.store(_name(bucket), made_by(), _signature(bucket, code) + code)


def _name(bucket: Bucket) -> str:
    return f"{bucket.key}.template"


@cache
def made_by() -> bytes:
    """What the code depends on besides its source: Jinja, how render.py sets it up, and what a template includes."""
    digest = sha256(f"{metadata.version('jinja2')} {settings.DEBUG}".encode())
    digest.update(Path(__file__).with_name("render.py").read_bytes())
    for path in sorted(settings.TEMPLATES.rglob("*.html")):
        source = path.read_bytes()
        digest.update(b"%b %d %b" % (path.relative_to(settings.TEMPLATES).as_posix().encode(), len(source), source))
    return digest.hexdigest().encode()


def _signature(bucket: Bucket, code: bytes) -> bytes:
    key = settings.secret_key().encode()
    return hmac.new(key, b"template %b %b" % (bucket.key.encode(), code), sha256).hexdigest().encode()
