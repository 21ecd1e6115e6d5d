"""How much of a room or a chat a member wants to hear: its level, as each has chosen it for themselves."""

ALL, MENTIONS, NOTHING = "all", "mentions", "nothing"
LEVELS = (ALL, MENTIONS, NOTHING)


def level_of(membership: str) -> str:
    """
    Return the SQL of the level of a membership, a table of that name.

    For one release two columns hold it: a process of the version before reads and writes `muted` alone, and what was
    chosen there holds too. Less than all is what it calls muted; how much less, `level` says. Who mutes there hears of
    mentions.
    """
    return (
        f"CASE WHEN NOT {membership}.muted THEN '{ALL}' WHEN {membership}.level = '{NOTHING}' THEN '{NOTHING}' "
        f"ELSE '{MENTIONS}' END"
    )
