"""What the fit asks of the machine: a device, threads, kernels that are ready."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from inrcodec.fit.engine import Engine

_PATIENCE = 1.5
"""Seconds that loading compiled kernels may take; longer means that they are being compiled."""


def device_of(name: str) -> torch.device:
    """The device of a name.

    Raises:
        ValueError: there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"no device {name!r}; there are auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available here")
    return torch.device(name)


@contextmanager
def use_threads(engine: Engine, count: int | None) -> Iterator[None]:
    """Give the engine a number of threads (None: one a core), then put things back.

    Beside the kernels torch has only small products left, and threads of its own that wait for work would slow the
    kernels' down.
    """
    before, engine_before = torch.get_num_threads(), engine.threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else before
    torch.set_num_threads(engine.take_threads(count or cores))
    try:
        yield
    finally:
        engine.take_threads(engine_before)
        torch.set_num_threads(before)


def warm_up(engine: Engine, compiling: Callable[[], None]) -> None:
    """Get the engine ready; ``compiling`` is called, from another thread, where that takes long."""
    patience = threading.Timer(_PATIENCE, compiling)
    patience.daemon = True
    patience.start()
    try:
        engine.warm_up()
    finally:
        patience.cancel()
