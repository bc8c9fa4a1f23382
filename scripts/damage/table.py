"""The lines of the table that `campaign.py` prints, and the first: what all others are compared with."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from damage.sites import BY_STEPS, RECIPE, Forked, Site, same


@dataclass
class Row:
    """One line of the table: what was done, how often, and what was lost."""

    what: str
    times: int = 0
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, kept: bool, what: str) -> None:
        """Counts as a loss what does not hold."""
        if not kept:
            self.lost.append(what)
            print(f"LOST: {what}", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        lost = (
            "nothing"
            if not self.lost
            else f"{len(self.lost)}: {'; '.join(' '.join(lost.split()) for lost in self.lost[:3])}"
        )
        return f"| {self.what} | {self.times} | {lost} | {'; '.join(self.notes)} |"


def undisturbed(root: Path) -> tuple[Site, float, Row]:
    """Two runs of one command; the first is what all others are compared with."""
    row = Row("the same command twice")
    sites = [Site(root / f"undisturbed{i}") for i in range(2)]
    seconds = []
    wanted = Forked.wanted
    for site, Forked.wanted in zip(sites, (False, wanted), strict=True):
        start = time.monotonic()
        row.check(site.run(*RECIPE, *BY_STEPS) == 0, f"{site.folder.name} failed")
        seconds.append(time.monotonic() - start)
        row.times += 1
    for name in ("best", "last"):
        row.check(same(*(site.checkpoint(name) for site in sites)), f"{name}.ckpt differs")
    row.notes.append(f"{seconds[1]:.0f} s each")
    return sites[0], seconds[1], row
