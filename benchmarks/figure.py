"""What the plots of benchmarks have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pyplot() -> Any:
    """Matplotlib's interface, for files alone."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def dress(axes: Any, title: str, across: str, up: str) -> None:
    """Say what a panel shows, with a grid and a legend."""
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)


def save(figure: Any, plot: Path) -> None:
    """Write a plot, in a folder that need not be there."""
    plot.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(plot, dpi=120)
