"""Live: what a run is doing, as a panel on a terminal, else one line an event and a heartbeat."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ft_bench.cli._output import Output
from ft_bench.record import (
    Built,
    Called,
    Concluded,
    Evaluated,
    Event,
    Failed,
    Opened,
    Planned,
    Refused,
    Selected,
    Settled,
    Steered,
    Tested,
    Trained,
)
from ft_bench.tree import Tree

if TYPE_CHECKING:
    from ft_bench.request import RunRequest

__all__ = ["Lines", "Panel", "Watching", "sentence", "watching"]

_HEARTBEAT = 60.0


class Watching(Protocol):
    """Told what happens in a run."""

    def event(self, event: Event) -> None:
        """An event is on disk."""
        ...

    def say(self, text: str) -> None:
        """Something in words."""
        ...


def sentence(body: Any) -> str | None:
    """An event in words, None for those that a person need not see."""
    match body:
        case Opened():
            return "started" if body.attempt == 1 else f"taken up again (attempt {body.attempt})"
        case Planned():
            return f"node {body.node}: {body.plan.strategy}, {body.plan.objective}"
        case Built():
            return f"node {body.node}: dataset of {body.rows:,} rows from {body.rows_read:,}"
        case Trained():
            loss = "" if body.final_loss is None else f", loss {body.final_loss:.3f}"
            return f"{body.model}: trained in {body.device_seconds:.1f} s{loss}"
        case Evaluated():
            score = body.score
            return f"{body.model}: {score.metric} {score.value:.4f} on {score.split}"
        case Failed():
            return f"node {body.node}: {body.phase} failed, {body.failure}: {body.cause}"
        case Concluded():
            return f"node {body.node} {body.status}: {body.diagnosis.text}"
        case _:
            return _rarer(body)


def _rarer(body: Any) -> str | None:
    match body:
        case Called(used=used):
            cost = f" ({used.tokens:,} tokens, {used.usd:.4f} USD)" if used.tokens else ""
            return f"{body.purpose or body.key}{cost}"
        case Steered():
            wishes = [
                f"{order.verb} {order.node if order.name == '' else order.name}"
                for order in body.orders
            ]
            notes = [] if body.notes is None else ["new notes"]
            return f"taken in: {', '.join([*wishes, *notes])}" if wishes or notes else None
        case Refused():
            return f"refused: {body.plan.objective}" + (f" ({body.reason})" if body.reason else "")
        case Selected():
            return f"selected {body.model}: {body.reason}"
        case Tested():
            score = body.score
            return f"sealed test: {score.metric} {score.value:.4f} (base {body.base.value:.4f})"
        case _:
            return None


class Lines:
    """One line an event, and one a minute when nothing happens."""

    def __init__(self, out: Output) -> None:
        self.out = out
        self._start = self._last = time.monotonic()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, daemon=True)
        self._beat.start()

    def event(self, event: Event) -> None:
        """Say the event, if it is worth a line."""
        text = sentence(event.body)
        if text is not None:
            self.say(text)

    def say(self, text: str) -> None:
        """Say something, with the seconds since the start."""
        self._last = time.monotonic()
        self.out.say(f"[{self._last - self._start:6.1f} s] {text}")

    def _heartbeat(self) -> None:
        while not self._ended.wait(1.0):
            if time.monotonic() - self._last >= _HEARTBEAT:
                self.say("still working")

    def close(self) -> None:
        """Stop the heartbeat."""
        self._ended.set()
        self._beat.join()


class Panel:
    """A live table: the task's state, the best so far, what is used, the last words."""

    def __init__(self, request: RunRequest) -> None:
        from rich.console import Console
        from rich.live import Live

        self.request = request
        self.tree = Tree()
        self.words: list[str] = []
        self.device_seconds = 0.0
        self.state = "preparing"
        self._live = Live(self, console=Console(stderr=True), refresh_per_second=4, transient=False)
        self._live.start()

    def event(self, event: Event) -> None:
        """Take an event into the picture."""
        body = event.body
        self.tree = self.tree.with_body(body)
        if isinstance(body, Settled):
            self.device_seconds += body.used.device_seconds
        if isinstance(body, Planned):
            self.state = f"node {body.node}: {body.plan.strategy.replace('_', ' ')}"
        if isinstance(body, Selected):
            self.state = "sealed test"
        if isinstance(body, Concluded | Tested | Selected | Failed):
            self._word(sentence(body) or "")

    def say(self, text: str) -> None:
        """Show something in words."""
        self._word(text)

    def _word(self, text: str) -> None:
        self.words = [*self.words[-3:], text]

    def __rich__(self) -> Any:
        """The panel as it is now."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        budget = self.request.budget
        table = Table(expand=True, box=None, padding=(0, 1))
        for name in ("task", "node", "state", "base", "best", "device-s"):
            table.add_column(name, overflow="ellipsis", no_wrap=name != "state")
        best, base = self.tree.best(), self.tree.base
        table.add_row(
            self.request.task,
            f"{max(0, len(self.tree) - 1)}/{budget.iterations}",
            self.state,
            f"{base.value:.3f}" if base else "-",
            f"{best[1].score.value:.3f}" if best and best[1].score else "-",
            f"{self.device_seconds:.0f}",
        )
        return Group(table, *(Text(f"  {word}", overflow="ellipsis") for word in self.words))

    def close(self) -> None:
        """Leave the last picture on the screen."""
        self._live.stop()


@contextmanager
def watching(request: RunRequest, out: Output, *, panel: bool = True) -> Iterator[Watching]:
    """A panel on a terminal, lines elsewhere, or where the terminal is needed for questions."""
    watch = Panel(request) if panel and out.live else Lines(out)
    try:
        yield watch
    finally:
        watch.close()
