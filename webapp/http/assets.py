"""
Static files: read once at the start, compressed once, and named in their address by their content.

What an address answers never changes, so browsers cache it without asking and load another only after an upgrade.
"""

import gzip
import hashlib
import json
import re
from functools import cached_property
from pathlib import Path, PurePosixPath

import brotli
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.http import negotiate

STATIC = settings.STATIC
# One bundle, because scripts that load one by one race: htmx would begin before its extension is there.
VENDOR_SCRIPTS = ("vendor/htmx.min.js", "vendor/hx-sse.min.js")
# The parts of one function; what the first one declares is known to all others.
OWN_SCRIPTS = tuple(f"js/{name}.js" for name in ("page", "stream", "log", "composer", "times", "drafts", "upgrade"))
# The ground of every page; what rooms need besides, and what all other pages do.
STYLES = {"app.css": "css", "room.css": "css/room", "pages.css": "css/pages"}
# What is served at all; the rest of the folder (licences, notes) is for people who read the source.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
}


ALREADY_COMPRESSED = {".ico", ".png", ".webp"}
IMMUTABLE = "public, max-age=31536000, immutable"
ONE_DAY = "public, max-age=86400"
REVALIDATE = "no-cache"


class Asset:
    """One served file: the digest of its content, its type, and its body by content coding."""

    def __init__(self, name: str, content: bytes) -> None:
        self.content = content
        self.digest = hashlib.sha256(content).hexdigest()[:10]
        self.suffix = PurePosixPath(name).suffix
        self.media_type = TYPES[self.suffix]

    @cached_property
    def bodies(self) -> dict[str, bytes]:
        """Made at the first request: to compress everything at the highest level would add 0.3 s to the start."""
        bodies = {"identity": self.content}
        if self.suffix not in ALREADY_COMPRESSED:
            packed = {"br": brotli.compress(self.content, quality=11), "gzip": gzip.compress(self.content, 9, mtime=0)}
            bodies |= {coding: body for coding, body in packed.items() if len(body) < len(self.content)}
        return bodies


class Assets:
    """All files of a folder that are served, and their addresses. Raises OSError where a script is missing."""

    def __init__(self, directory: Path) -> None:
        self.files = {name: Asset(name, content) for name, content in _collect(directory).items()}
        self.urls = {name: _url(name, asset) for name, asset in self.files.items()}


def url(name: str) -> str:
    """Return the address of `app.css`, `app.js`, `icons.svg` ...; raise KeyError for a name that is not served."""
    return SERVED.urls[name]


def _url(name: str, asset: Asset) -> str:
    path = PurePosixPath(name)
    return f"/static/{path.with_suffix('')}.{asset.digest}{path.suffix}"


async def serve(request: Request) -> Response:
    """Answer `/static/{name:path}`; raises 404 for names that are not served."""
    name, digest = _split(request.path_params["name"])
    # A page from before an upgrade still asks for the old digest: today's styles are better than none.
    asset = SERVED.files.get(name)
    return _answer(request, name, IMMUTABLE if asset and asset.digest == digest else REVALIDATE)


async def favicon(request: Request) -> Response:
    """Answer `/favicon.ico`, which browsers load unasked, also for pages that are not ours."""
    return _answer(request, "favicon.svg", ONE_DAY)


async def manifest(request: Request) -> Response:
    """Answer `/manifest.webmanifest`, by which a phone installs the site as an application."""
    icons = [
        {"src": url(f"icons/{name}-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for name, size, purpose in (("mark", 192, "any"), ("mark", 512, "any"), ("maskable", 512, "maskable"))
    ]
    described = {
        "id": "/",
        "name": settings.SITE_NAME,
        "short_name": settings.SITE_NAME,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#faf7f3",
        "theme_color": "#0a6074",
        "icons": icons,
    }
    return Response(json.dumps(described), headers={"Cache-Control": ONE_DAY}, media_type=TYPES[".webmanifest"])


def _collect(directory: Path) -> dict[str, bytes]:
    """Return every served name with its content: the bundles, and each file that is in none by itself."""
    sheets = {name: _stylesheets(directory / folder) for name, folder in STYLES.items()}
    bundled = {directory / script for script in VENDOR_SCRIPTS + OWN_SCRIPTS} | {
        sheet for bundle in sheets.values() for sheet in bundle
    }
    bundles = {"app.js": _script_bundle(directory)}
    bundles |= {name: b"\n".join(_strip(sheet) for sheet in bundle) for name, bundle in sheets.items()}
    files = [path for path in sorted(directory.rglob("*")) if path.suffix in TYPES and path not in bundled]
    return bundles | {_name(path.relative_to(directory)): _strip(path) for path in files}


def _script_bundle(directory: Path) -> bytes:
    own = b"\n".join(_strip(directory / script) for script in OWN_SCRIPTS)
    vendor = [_strip(directory / script) for script in VENDOR_SCRIPTS]
    return b";\n".join([*vendor, b"(()=>{\n" + own + b"\n})()"])


def _name(path: Path) -> str:
    # `css/only` says how a stylesheet is treated, not what it is: nojs.css is nojs.css.
    return path.name if path.parts[:2] == ("css", "only") else path.as_posix()


def _stylesheets(directory: Path) -> list[Path]:
    """Return the stylesheets in order: tokens, which the others use; the base; the components by name."""
    order = {"tokens.css": 0, "base.css": 1}
    return sorted(directory.glob("*.css"), key=lambda path: (order.get(path.name, 2), path.name))


def _strip(path: Path) -> bytes:
    """Return the file without comments and white space; anything doubtful stays."""
    content = path.read_bytes()
    if path.suffix == ".css":
        return _strip_css_spaces(_strip_css_comments(content.decode())).encode()
    if path.suffix == ".js" and not path.name.endswith(".min.js"):
        return _strip_js_spaces(_strip_lines(re.sub(r"(?m)^[ \t]*//.*$", "", content.decode()))).encode()
    return content


def _strip_css_comments(text: str) -> str:
    """Drop comments beside white space, where nothing can grow together; strings that look like one stay."""

    def replace(match: re.Match[str]) -> str:
        around = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        is_comment = match[0].startswith("/*")
        return "" if is_comment and any(not side or side.isspace() for side in around) else match[0]

    return re.sub(r"""(?s)/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", replace, text)


def _strip_css_spaces(text: str) -> str:
    """Drop the white space where signs part the words, but not within strings."""

    def replace(match: re.Match[str]) -> str:
        return match["sign"] or match["string"] or (" " if match["space"] else "")

    string = r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    spaces = r"\s*(?:;\s*(?=})|(?P<sign>[{};,]))\s*|(?<=:)\s+|(?P<space>\s+)"
    return re.sub(f"(?s){string}|{spaces}", replace, text).strip()


def _strip_js_spaces(text: str) -> str:
    """
    Drop the spaces around signs, but not in strings; `a + +b` keeps its own.

    Lines are joined where a sign says that the statement has ended, or that it has not; a block needs no last `;`.
    """
    string = r"""(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    signs = " *(?P<sign>[=<>?:;,{}()|&!*]+|[+-](?= +[^ +-])) *"
    for gaps in (signs, r"(?P<sign>[;{,(])\n+|\n+(?=[})|&.])", "(?P<sign>);(?=})"):
        text = re.sub(f"{string}|{gaps}", lambda match: match["string"] or match["sign"] or "", text)
    return text


def _strip_lines(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _split(address: str) -> tuple[str, str]:
    """Return `app.0123456789.css` as name and digest; the digest is empty where there is none."""
    match = re.fullmatch(r"(.+)\.([0-9a-f]{10})(\.\w+)", address)
    return (match[1] + match[3], match[2]) if match else (address, "")


def _answer(request: Request, name: str, cache_control: str) -> Response:
    asset = SERVED.files.get(name)
    if asset is None:
        raise HTTPException(404)
    # Weak, because the same tag stands for every coding of the content.
    etag = f'W/"{asset.digest}"'
    headers = {
        "Cache-Control": cache_control,
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if _matches_etag(request.headers.get("If-None-Match", ""), etag):
        return Response(status_code=304, headers=headers)
    coding = negotiate.encoding(request, asset.bodies)
    body = asset.bodies[coding]
    headers["Content-Length"] = str(len(body))
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(b"" if request.method == "HEAD" else body, headers=headers, media_type=asset.media_type)


def _matches_etag(if_none_match: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


SERVED = Assets(STATIC)
