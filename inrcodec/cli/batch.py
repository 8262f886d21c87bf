"""Several inputs, one after the other: a bad one does not stop the others, and a table ends the batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import click

from inrcodec.cli.console import Console, table
from inrcodec.cli.exits import FAILED, FINE, INTERRUPTED, OutputError, combined, describe, exit_code

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How one input went.

    Attributes:
        source: the input.
        columns: cells of the summary table, where it went well.
        code: exit code.
        message: what went wrong, or what was done instead ("skipped").
    """

    source: str
    columns: tuple[str, ...] = ()
    code: int = FINE
    message: str = ""


@dataclass
class Batch:
    """Runs one piece of work per input and remembers the outcomes.

    Attributes:
        console: where to say what happens.
        json: also print an object for each failure on stdout.
        stop: asked before each input; once true, the remaining inputs are left undone.
    """

    console: Console
    json: bool = False
    stop: Callable[[], bool] = field(default=lambda: False)

    def run(
        self, items: Sequence[T], name: Callable[[T], str], work: Callable[[T], Outcome | None], head: Sequence[str]
    ) -> int:
        """Do the work for every item.

        Args:
            items: the inputs.
            name: what an input is called in messages.
            work: does one input and returns its outcome, or None if it was not started; or raises.
            head: titles of the summary's columns after the first.

        Returns:
            The exit code of the whole.
        """
        outcomes: list[Outcome] = []
        for item in items:
            if self.stop():
                break
            outcome = self._one(name(item), lambda item=item: work(item))  # type: ignore[misc]
            if outcome is not None:
                outcomes.append(outcome)
        undone = len(items) - len(outcomes)
        if len(items) > 1:
            self._summarise(outcomes, head, undone)
        return INTERRUPTED if undone else combined([outcome.code for outcome in outcomes])

    def _one(self, source: str, work: Callable[[], Outcome | None]) -> Outcome | None:
        try:
            return work()
        except (click.UsageError, click.Abort, OutputError):
            raise
        except Exception as error:
            code, message = exit_code(error), describe(error)
            text = message if source in message else f"{source}: {message}"
            self.console.error(text)
            if self.console.verbose:
                traceback.print_exc()
            if self.json:
                self.console.json({"input": source, "error": message, "code": code})
            return Outcome(source, code=code, message=message)

    def _summarise(self, outcomes: Sequence[Outcome], head: Sequence[str], undone: int) -> None:
        done = [outcome for outcome in outcomes if outcome.columns]
        lines = [table([("file", *head), *((o.source, *o.columns) for o in done)])] if done else []
        others = [outcome for outcome in outcomes if outcome.message]
        lines += [f"{other.source}  {'failed' if other.code else other.message}" for other in others]
        failed = sum(1 for outcome in outcomes if outcome.code >= FAILED)
        tail = f"{len(outcomes) - failed} of {len(outcomes) + undone} fine"
        lines.append(tail + (f", {failed} failed" if failed else "") + (f", {undone} not started" if undone else ""))
        self.console.say("\n".join(lines))
