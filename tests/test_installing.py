"""Installing: a wheel has everything that a checkout has, and serves from any folder."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import httpx2
import pytest

from tests.servers import ROOT, App, can_run, free_port, nobody, wait_until

FOLDERS = ("webapp", "templates", "static")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to build from, as building leaves things behind."""
    source = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    return source


def pip(*words: str | Path, python: str | Path = sys.executable) -> None:
    command = [python, "-m", "pip", "-q", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def build(source: Path, *words: str) -> Path:
    folder = source.parent / "wheels"
    pip("wheel", "--no-deps", *words, "--wheel-dir", folder, source)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    return build(source, "--no-build-isolation")


def fetch_page_and_stylesheet(url: str) -> None:
    page = httpx2.get(url)
    assert page.status_code == 200
    styles = re.findall(r'<link rel="stylesheet" href="(/static/[^"]+)"', page.text)
    assert styles
    for style in styles:
        assert httpx2.get(f"{url}{style}").headers["content-type"] == "text/css; charset=utf-8"


def test_a_wheel_has_every_file_of_a_checkout(source: Path, wheel: Path) -> None:
    wanted = set()
    for path in (path for folder in FOLDERS for path in (source / folder).rglob("*") if path.is_file()):
        name = str(path.relative_to(source))
        wanted.add(name if name.startswith("webapp/") else f"webapp/{name}")
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == wanted


def test_what_is_installed_from_a_wheel_serves_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    pip("install", "--no-deps", "--target", tmp_path, wheel)
    with App({"PYTHONPATH": str(tmp_path)}) as server:
        where = [sys.executable, "-c", "import webapp; print(webapp.__file__)"]
        found = subprocess.check_output(where, env=server.env, cwd=server.folder, text=True)
        assert found.strip() == f"{tmp_path}/webapp/__init__.py"
        fetch_page_and_stylesheet(server.url)


@pytest.mark.slow
def test_the_command_of_a_wheel_serves_without_a_checkout(source: Path) -> None:
    """With its dependencies from the package index, in an environment with pip alone; as nobody, where root tests."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment, home = Path(folder) / "environment", Path(folder) / "home"
        Path(folder).chmod(0o711)
        home.mkdir()
        identity = nobody(home)
        # One that they may run: root's own may lie below /root.
        python = next(path for path in (sys.executable, "/usr/bin/python3") if can_run(Path(path), identity))
        subprocess.run([python, "-m", "venv", environment], check=True)
        pip("install", build(source), python=environment / "bin/python")
        with (home / "log").open("w") as log:
            server = subprocess.Popen(
                [environment / "bin/parley", "serve", "--port", str(port)],
                cwd=home, env={"HOME": str(home)}, stdout=log, stderr=log, **identity,
            )  # fmt: skip
        try:
            wait_until(lambda: is_served(port), 30, "parley", home / "log")
            fetch_page_and_stylesheet(f"http://127.0.0.1:{port}")
            print((home / "log").read_text(), os.stat(home / "var/parley.sqlite3"))
        finally:
            server.terminate()
            server.wait(10)


def is_served(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx2.TransportError:
        return False
