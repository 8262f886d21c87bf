"""Names beside the ends of lines, moved apart where they would cover each other."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions at least ``gap`` apart, each as near as possible to where it is wanted.

    Labels that collide form a block that stands at the mean of their wishes; blocks that collide are merged.

    Args:
        wanted: where each label should be.
        gap: smallest distance of two.
        low: smallest position.
        high: largest position; the labels are squeezed together where they do not fit otherwise.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[tuple[list[int], float]] = []  # the labels of a block, and where its first one is
    for index in order:
        members = [index]
        start = _start(members, wanted, gap, low, high)
        while blocks and blocks[-1][1] + len(blocks[-1][0]) * gap > start:
            members = blocks.pop()[0] + members
            start = _start(members, wanted, gap, low, high)
        blocks.append((members, start))
    places = [0.0] * len(wanted)
    for members, start in blocks:
        for step, index in enumerate(members):
            places[index] = start + step * gap
    return places


def _start(members: Sequence[int], wanted: Sequence[float], gap: float, low: float, high: float) -> float:
    """Where the first label of a block goes."""
    best = sum(wanted[index] - step * gap for step, index in enumerate(members)) / len(members)
    return max(low, min(best, high - (len(members) - 1) * gap))
