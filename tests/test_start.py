"""What a start does, and what it leaves for later: each part of it is waited for after every restart."""

import subprocess
import sys


def loaded(*statements: str) -> str:
    """Run statements in a process of their own, as `serve` runs its first ones; return what they print."""
    command = [sys.executable, "-c", "; ".join(("import webapp.__main__", *statements))]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_cycles_are_collected_once_all_is_loaded_and_never_among_what_was() -> None:
    assert loaded("import gc; print(gc.isenabled())") == "False"
    now = loaded("import webapp.app, gc; print(gc.isenabled(), gc.get_freeze_count() > 100_000, gc.get_threshold())")
    assert now == "True True (50000, 20, 50)"


def test_tortoise_compiles_its_pattern_of_domains_when_it_is_used() -> None:
    there = "from tortoise.validators import validate_domain_name as valid"
    assert loaded(there, "print(type(valid.regex).__name__)") == "_PatternForLater"
    assert loaded(there, "print(valid('parley.example'), bool(valid.regex.search('no domain')))") == "None False"
