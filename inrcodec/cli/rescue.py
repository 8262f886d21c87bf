"""What a long fit made is not lost because its place is full, gone, or taken by somebody else meanwhile."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from inrcodec.cli.exits import describe
from inrcodec.errors import InrError


class RescuedError(InrError):
    """A result could not be written where it was to go, and lies elsewhere now; the message says where."""


@contextlib.contextmanager
def or_rescue(data: bytes, name: str) -> Iterator[None]:
    """Context that writes data; where that fails, they go into the system's folder for temporary files.

    Args:
        data: what is written.
        name: what to call it there; ``-`` is standard output.

    Raises:
        RescuedError: they are there.
        OSError: they could not be written there either; the first error.
    """
    try:
        yield
    except OSError as error:
        try:
            kept = Path(tempfile.mkdtemp(prefix="inrcodec-")) / ("stdout.inr" if name == "-" else name)
            kept.write_bytes(data)
        except OSError:
            raise error from None
        raise RescuedError(f"{describe(error)}; the finished file is kept as {kept}") from error
