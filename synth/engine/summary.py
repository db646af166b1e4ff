"""How a run ended: the funnel, what failed, what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from synth.engine.progress import Progress
from synth.errors import Stopped
from synth.store.database import Store, open_store
from synth.store.invented import invented_in

__all__ = ["Summary"]


@dataclass
class Summary:
    """How a run ended."""

    run: Path
    progress: Progress = field(repr=False)
    stopped: Stopped | None = None
    """Why it ended early, if it did."""
    funnel: list[tuple[str, int]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    """How many records could not be made, by cause."""
    retriable: int = 0
    """How many of these may succeed when they are asked again."""
    cost: float = 0.0
    """US dollars of all sessions, as far as prices are known."""
    unpriced: int = 0
    """Calls that a reply came for, and whose price is not known."""
    not_begun: int = 0
    """Problems that were not begun, because the yield asked for was reached before."""
    invented: str | None = None
    """The warning that the scripted model wrote text of this run; None where it did not."""
    stored: bool = True
    notes: list[str] = field(default_factory=list)

    def open(self) -> Store:
        """What the run made, open for reading; see `open_store`."""
        return open_store(self.run)

    def read_store(self) -> None:
        """Fill in what the store of the run knows: the funnel, the failures, and whether text was invented.

        Raises:
            RunFolderError: it cannot be read.
        """
        with open_store(self.run) as store:
            invented = invented_in(store)
            self.invented = invented.sentence if invented is not None else None
            self.funnel = [(s, n) for s, n in store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()]
            self.retriable = store.sql("SELECT count(*) FROM failures WHERE retriable").fetchall()[0][0]
            self.failures = dict(
                store.sql("SELECT cause, count(*) FROM failures GROUP BY 1 ORDER BY 2 DESC").fetchall()
            )

    def _repr_html_(self) -> str:
        """The funnel, as a notebook shows it."""
        rows = "".join(f"<tr><td>{escape(stage)}</td><td>{n:,}</td></tr>" for stage, n in self.funnel)
        cost = f"{self.cost:.4f} USD" + (f", price of {self.unpriced:,} calls unknown" if self.unpriced else "")
        failed = "".join(f"<br>{n:,} records could not be made: {escape(cause)}" for cause, n in self.failures.items())
        invented = f"<p><b>{escape(self.invented)}</b></p>" if self.invented else ""
        return f"<table>{rows}</table>{invented}<p>{escape(str(self.run))}: {cost}{failed}</p>"
