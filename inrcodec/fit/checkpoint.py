"""A journal of an encode on disk: finished fits and the state of the one in progress.

The driver of an encode is deterministic, so resuming means running it again with finished fits taken from the
journal and the current one continued; on the same machine the bytes come out as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from inrcodec.atomic import atomic_write
from inrcodec.errors import InrError
from inrcodec.pixels import Pixels


class Fit(Protocol):
    """A fit in progress that can be frozen."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides its rest, in plain types and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""


class Outcome(Protocol):
    """What a fit hands on."""

    @property
    def steps(self) -> int:
        """Optimiser steps taken."""

    def state(self) -> dict[str, Any]:
        """Plain types and tensors."""


class Journal:
    """What an encode has done so far.

    Args:
        path: file to keep it in, or None to keep nothing.
        identity: says which encode it belongs to (see :func:`identity`).
        interval: seconds between two writes.
        resume: read the file if it is there; otherwise it is overwritten.
        restore: makes the outcome of a fit from its state.

    Raises:
        InrError: the file belongs to another encode, or cannot be read.
    """

    def __init__(
        self,
        path: Path | None,
        identity: str,
        interval: float,
        *,
        resume: bool,
        restore: Callable[[dict[str, Any]], Any],
    ) -> None:
        self.path, self.identity, self.interval = path, identity, interval
        self.fits: dict[str, Any] = {}
        self.current: dict[str, Any] = {}
        self._written = time.monotonic()
        self._restore = restore
        if path is not None and resume and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
            same = state["identity"] == self.identity
            self.fits, self.current = state["fits"], state["current"]
        except Exception as error:
            what = " ".join(f"{type(error).__name__} {error}".split())[:80]
            raise InrError(f"{path} is not a checkpoint of inrcodec ({what}): delete it to begin anew") from error
        if not same:
            raise InrError(
                f"{path} is the checkpoint of another encode (picture, target or settings differ): name another, or "
                "delete it to begin anew"
            )

    def finished(self, key: str) -> Any:
        """The outcome of a fit that was completed before, None if it was not."""
        return self._restore(self.fits[key]) if key in self.fits else None

    def restore(self, key: str, trainer: Fit) -> bool:
        """Put a trainer where the journal left it; False if the journal knows nothing of this fit."""
        if self.current.get("key") != key:
            return False
        trainer.load_state_dict(self.current["trainer"])
        return True

    def started(self, key: str) -> dict[str, Any] | None:
        """What was noted at the start of the fit in progress (its seed), if it is this one."""
        return self.current.get("note") if self.current.get("key") == key else None

    def keep(self, key: str, trainer: Fit, note: dict[str, Any]) -> None:
        """Write the state of the fit in progress, every few seconds.

        Raises:
            InrError: it cannot be written. A fit that cannot be continued should not go on for hours.
        """
        if self.path is None or time.monotonic() - self._written < self.interval:
            return
        self.current = {"key": key, "trainer": trainer.state_dict(), "note": note}
        self._write()

    def finish(self, key: str, fitted: Outcome) -> None:
        """Note the outcome of a fit.

        Raises:
            InrError: it cannot be written.
        """
        self.fits[key] = fitted.state()
        self.current = {}
        if self.path is not None:
            self._write()

    def _write(self) -> None:
        assert self.path is not None
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, "fits": self.fits, "current": self.current}, buffer)
        before = self.path.exists()
        try:
            atomic_write(self.path, buffer.getvalue(), True)
        except OSError as error:
            last = "; the last one is still there, --resume goes on from it" if before else ""
            raise InrError(f"{self.path}: cannot keep the checkpoint: {error.strerror or error}{last}") from error
        self._written = time.monotonic()


def identity(pixels: Pixels, *settings: object) -> str:
    """A digest of everything that decides the outcome of an encode."""
    digest = hashlib.sha256(repr((pixels.array.shape, pixels.depth, settings)).encode())
    digest.update(np.ascontiguousarray(pixels.array).data)
    return digest.hexdigest()
