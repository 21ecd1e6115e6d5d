"""
Script, styles and drawings without what only people read, and with short names inside functions: by tdewolff-minify.

It runs in a process of its own, which is over in 40 ms. It is written in Go, whose runtime would stay in every worker:
nine megabytes, five threads, and handlers for signals of its own.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec

TYPES = {".css": "text/css", ".js": "application/javascript", ".svg": "image/svg+xml"}
# Nothing younger is put in the place of what was written: Chrome 80, Firefox 74, Safari 13.1.
SCRIPT_VERSION = 2020
TIMEOUT_SECONDS = 60


class Unavailable(Exception):
    """What can be served as it is has not become smaller; the message says why."""


def version() -> str:
    """Return the version of the library that makes them smaller; raise Unavailable where there is none."""
    # There are wheels for Linux on x86-64 and ARM-64 and for macOS on x86-64; pyproject.toml asks for it on these.
    if not find_spec("minify"):
        raise Unavailable("tdewolff-minify is not installed")
    return metadata.version("tdewolff-minify")


def minify(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the same texts, by names that end in .css, .js or .svg, smaller; raise Unavailable."""
    command = [sys.executable, "-P", __file__]
    try:
        done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(repr(error)) from error
    if done.returncode:
        raise Unavailable(done.stderr.strip().rpartition("\n")[2])
    smaller: dict[str, str] = json.loads(done.stdout)
    return smaller


def _main() -> None:
    import minify as library  # only here: see above

    library.config({"js-version": SCRIPT_VERSION})
    smaller: dict[str, str] = {}
    for name, text in json.load(sys.stdin).items():
        try:
            smaller[name] = library.string(TYPES[name[name.rindex(".") :]], text)
        except library.MinifyError as error:
            sys.exit(f"{name}: {str(error).partition(chr(10))[0]}")
    json.dump(smaller, sys.stdout)


if __name__ == "__main__":
    _main()
