"""Pieces of work shared among the kernels' threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from inrcodec.fit.engine import fused
from inrcodec.fit.engine.fused import _pool


def each(count: int, work: Callable[[int], None]) -> None:
    """``work`` of 0 .. count - 1, by as many threads as the engine uses; whoever is free takes the next piece.

    Args:
        count: how many pieces.
        work: what is done with each; pieces write to places of their own, so that their order does not matter.
    """
    turn = itertools.count()  # its next() is one step under the interpreter's lock: no two workers get one piece

    def some() -> None:
        while (k := next(turn)) < count:
            work(k)

    helpers = min(fused.threads(), count) - 1
    others = [_pool(helpers).submit(some) for _ in range(helpers)] if helpers > 0 else []
    some()
    for other in others:
        other.result()
