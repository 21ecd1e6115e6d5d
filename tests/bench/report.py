"""What was measured, as tables: medians of the rounds with the smallest and the largest, and what the bar asks."""

from collections import defaultdict
from statistics import median
from typing import NamedTuple

from tests.bench import machine

# Rounds that differ by more than this share of their median say little.
SPREAD = 0.35


class Bar(NamedTuple):
    """What a figure must reach at least, and what it should; the smaller is better where `is_cost`."""

    what: str
    measured: float
    unit: str
    least: float | None
    aim: float
    is_cost: bool

    def reaches(self, goal: float) -> bool:
        return self.measured <= goal if self.is_cost else self.measured >= goal

    def __str__(self) -> str:
        least = "-" if self.least is None else shown(self.least)
        goals = f"{least} / {shown(self.aim)} {self.unit}"
        if self.reaches(self.aim):
            said = "reaches the aim"
        elif self.least is None:
            said = "below the aim"
        else:
            said = "at least" if self.reaches(self.least) else "MISSES"
        return f"| {self.what} | {shown(self.measured)} {self.unit} | {goals} | {said} |"


class Row:
    """One thing that is measured, for all contenders."""

    def __init__(self, title: str) -> None:
        self.title = title
        # Figure, contender: a value for each round.
        self.values: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.remarks: list[str] = []
        self.bars: list[Bar] = []
        self.noise: list[float] = []

    def note(self, contender: str, **figures: float) -> None:
        """Figures are named with their unit: `delay_p99_ms`."""
        for figure, value in figures.items():
            self.values[figure][contender].append(value)

    def remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def median(self, figure: str, contender: str = "Parley") -> float | None:
        values = self.values[figure].get(contender)
        return median(values) if values else None

    def ratio(self, figure: str, over: str, under: str = "Parley", unit: int = 1) -> float | None:
        """The median of the rounds' own ratios; None when one of the two was not measured."""
        both = zip(*(self.values[figure].get(name, []) for name in (over, under)), strict=False)
        ratios = [unit * one / other for one, other in both if other]
        return median(ratios) if ratios else None

    def bar(
        self, what: str, measured: float | None, unit: str, least: float | None, aim: float, is_cost: bool = False
    ) -> None:
        if measured is not None:
            self.bars.append(Bar(what, measured, unit, least, aim, is_cost))

    def __str__(self) -> str:
        names = list(dict.fromkeys(name for by_name in self.values.values() for name in by_name))
        lines = [f"## {self.title}", "", f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
        for figure, by_name in self.values.items():
            cells = (summed_up(by_name[name]) if name in by_name else "-" for name in names)
            lines.append(f"| {figure.replace('_', ' ')} | {' | '.join(cells)} |")
        lines += ["", *(f"- {remark}" for remark in [*self._doubts(), *self.remarks])]
        if self.bars:
            lines += ["", *BAR_HEAD, *map(str, self.bars)]
        return "\n".join(lines) + "\n"

    def _doubts(self) -> list[str]:
        """What speaks against the figures."""
        doubts = []
        if self.noise and (most := max(self.noise)) > machine.NOISE:
            doubts.append(f"NOISY: others took up to {most:.0%} of the machine (median {median(self.noise):.0%}).")
        apart = [
            f"{name}'s {figure.replace('_', ' ')}"
            for figure, by_name in self.values.items()
            for name, values in by_name.items()
            if len(values) > 1 and max(values) - min(values) > SPREAD * abs(median(values))
        ]
        return doubts + ([f"The rounds are far apart in {', '.join(apart)}."] if apart else [])


BAR_HEAD = ["| the bar | measured | at least / aim | |", "|---|---|---|---|"]


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def summed_up(values: list[float]) -> str:
    whole = shown(median(values))
    return f"{whole} ({shown(min(values))} to {shown(max(values))})" if len(values) > 1 else whole


def summary(rows: list[Row]) -> str:
    """All bars of the run in one table."""
    bars = [str(bar) for row in rows for bar in row.bars]
    return "\n".join(["## The bar", "", *BAR_HEAD, *bars]) if bars else ""
