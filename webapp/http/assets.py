"""
Static files: read and minified once at the start, compressed once, and named in their address by their content.

What an address answers never changes, so browsers cache it without asking and load another only after an upgrade.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

import brotli
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.core.start_cache import cached
from webapp.http import aliases, minifier, negotiate

STATIC = settings.STATIC
# One bundle, because scripts that load one by one race: htmx would begin before its extension is there.
VENDOR_SCRIPTS = ("vendor/htmx.min.js", "vendor/hx-sse.min.js")
# The parts of one function; what the first ones declare is known to all others.
OWN_SCRIPTS = tuple(
    f"js/{name}.js" for name in ("helpers", "page", "stream", "log", "composer", "loader", "drafts", "times", "sidebar")
)
# What a press brings, each a bundle: every part in the folder, by name, behind the helpers. acts.js is loaded
# with the first press (js/loader.js), the others by what names them (js/acts/bring.js), which is why it is the last.
PRESSED_HELPERS = "js/helpers.js"
PRESSED = {
    "emoji.js": "js/emoji",
    "crop.js": "js/crop",
    "mentions.js": "js/mentions",
    "pictures.js": "js/pictures",
    "attach.js": "js/attach",
    "acts.js": "js/acts",
}
# The ground of every page; what rooms need besides, and what all other pages do.
STYLES = {
    "app.css": ("css",),
    "room.css": ("css/room",),
    # Each with the ground of all pages that are no rooms: in one file it takes 400 B less than in two.
    "pages.css": ("css/pages",),
    "lists.css": ("css/pages", "css/lists"),
    "settings.css": ("css/pages", "css/forms", "css/settings"),
    "moderation.css": ("css/pages", "css/forms", "css/moderation"),
    "card.css": ("css/pages", "css/card"),
}
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
            # For script this mode is 20 B better; for all else none is better than the other.
            mode = brotli.MODE_FONT if self.suffix == ".js" else brotli.MODE_GENERIC
            packed = {
                "br": brotli.compress(self.content, mode, quality=11),
                "gzip": gzip.compress(self.content, 9, mtime=0),
            }
            bodies |= {coding: body for coding, body in packed.items() if len(body) < len(self.content)}
        return bodies


class Assets:
    """All files of a folder that are served, and their addresses. Raises OSError where a script is missing."""

    def __init__(self, directory: Path) -> None:
        contents, self.problem = _collect(directory)
        self.files = {name: Asset(name, content) for name, content in contents.items()}
        self.urls = {name: _url(name, asset) for name, asset in self.files.items()}


def problem() -> str:
    """Return what the start has to say of the files; empty where all is well."""
    return SERVED.problem


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


def _collect(directory: Path) -> tuple[dict[str, bytes], str]:
    """Return every served name with its content (bundles, and files that are in none), and why none is minified."""
    sheets = {
        name: [sheet for folder in folders for sheet in _stylesheets(directory / folder)]
        for name, folders in STYLES.items()
    }
    pressed = {
        name: [directory / PRESSED_HELPERS, *sorted((directory / folder).glob("*.js"))]
        for name, folder in PRESSED.items()
    }
    bundled = {directory / script for script in VENDOR_SCRIPTS + OWN_SCRIPTS}
    bundled |= {part for bundle in (*sheets.values(), *pressed.values()) for part in bundle}
    files = {
        _name(path.relative_to(directory)): path
        for path in sorted(directory.rglob("*"))
        if path.suffix in TYPES and path not in bundled
    }
    texts, problem = _small(
        {
            # Drawings first: styles name them by their content.
            **{name: _text([path]) for name, path in files.items() if path.suffix == ".svg"},
            **{name: _text(bundle) for name, bundle in sheets.items()},
            **{name: _text([path]) for name, path in files.items() if path.suffix == ".css"},
            "app.js": _function(directory / script for script in OWN_SCRIPTS),
            **{name: _function(bundle) for name, bundle in pressed.items()},
        }
    )
    # Those of others come as they were made.
    texts["app.js"] = ";\n".join([_text([directory / name]) for name in VENDOR_SCRIPTS] + [texts["app.js"]])
    contents = {name: path.read_bytes() for name, path in files.items()}
    for name, text in texts.items():
        contents[name] = _with_digests(text, contents).encode()
    return contents, problem


def _small(texts: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the texts as small as they can be, stored by the start before where they were the same; and a problem."""
    others = sorted(settings.TEMPLATES.glob("*/me.css"))

    def make() -> bytes:
        smaller = minifier.minify(texts)
        served = {name: text for name, text in smaller.items() if name.endswith(".css")}
        return json.dumps(smaller | aliases.resolve(served, others=_text(others))).encode()

    made_by = [Path(__file__).with_name(name) for name in ("assets.py", "aliases.py", "minifier.py")]
    try:
        made_of = json.dumps([minifier.version(), texts])
        small: dict[str, str] = json.loads(cached("assets.json", [*made_by, *others], make, made_of))
    except minifier.Unavailable as error:
        return texts, f"script and styles are served as they are, larger than they need be: {error}"
    return small, ""


def _with_digests(text: str, contents: dict[str, bytes]) -> str:
    """Name by its content too what a stylesheet draws or a script loads: a browser need not ask for it again."""

    def address(match: re.Match[str]) -> str:
        content = contents.get(match[2])
        return match[1] + PurePosixPath(_url(match[2], Asset(match[2], content))).name if content else match[0]

    return re.sub(r"(url\(|/static/)([\w-]+\.(?:svg|json|js)\b)", address, text)


def _function(scripts: Iterable[Path]) -> str:
    return "(()=>{\n" + _text(scripts) + "\n})()"


def _text(files: Iterable[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _name(path: Path) -> str:
    # `css/only` says how a stylesheet is treated, not what it is: nojs.css is nojs.css.
    return path.name if path.parts[:2] == ("css", "only") else path.as_posix()


def _stylesheets(directory: Path) -> list[Path]:
    """Return the stylesheets in order: tokens, which the others use; the base; the components by name."""
    order = {"tokens.css": 0, "base.css": 1}
    return sorted(directory.glob("*.css"), key=lambda path: (order.get(path.name, 2), path.name))


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
