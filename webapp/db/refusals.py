"""Why a database is not served: each says what to do."""


class TooNew(Exception):
    """The database holds migrations that this version lacks. It would not respect what they are for (bans, blocks)."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"The database is of a newer Parley than this one: it has {', '.join(names)}. "
            "Install the newer version again, or restore a backup from before the upgrade."
        )


class Stuck(Exception):
    """A migration that the database refuses."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            f"The database could not be brought up to date: {name} ended with: {error}. "
            "Nothing of it was stored. Mend the cause and start again: it goes on from there."
        )


class Shared(Exception):
    """Something between us and the database hands our statements to sessions that are not ours alone."""
