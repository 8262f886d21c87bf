"""Rows in a tab-separated file: appended one by one as they are measured, read back as they were."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from inrcodec.atomic import atomic_write
from inrcodec.bench.row import SWEEP, TARGET, Row
from inrcodec.errors import InrError

COLUMNS = tuple(column.name for column in fields(Row))
"""The first line that is no comment; these names stay."""

_KIND = COLUMNS.index("kind") + 1
_CONVERT = {column.name: {"int": int, "float": float}.get(str(column.type), str) for column in fields(Row)}


class ResultsError(InrError):
    """A file of results cannot be read, or is not what was asked for."""


@dataclass(frozen=True)
class Results:
    """A file of results.

    Attributes:
        head: what the comments at its head say, by their first word: command, commit, date, versions, machine, effort.
        rows: the measurements, in the file's order.
    """

    head: dict[str, str] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()

    @property
    def codecs(self) -> tuple[str, ...]:
        """Names of the codecs, in the order of their first rows."""
        return tuple(dict.fromkeys(row.codec for row in self.rows))

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures, in the order of their first rows."""
        return tuple(dict.fromkeys(row.picture for row in self.rows))

    @property
    def targets(self) -> tuple[float, ...]:
        """Targets in bpp, ascending."""
        return tuple(sorted({row.target_bpp for row in self.rows if row.kind == TARGET}))


def read(path: Path) -> Results:
    """Read a file of results; a last line that was cut in the middle is left out.

    Raises:
        ResultsError: it is missing or not such a file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ResultsError(f"{path}: not a table of results") from None
    whole, newline, torn = text.rpartition("\n")
    lines = whole.split("\n") if newline else []
    head = {}
    for line in lines:
        key, colon, value = line.removeprefix("# ").partition(": ")
        if line.startswith("# ") and colon:
            head[key] = value
    table = [line for line in lines if line and not line.startswith("#")]
    if not table or tuple(table[0].split("\t")) != COLUMNS:
        raise ResultsError(f"{path}: not a table of results, or one of another version")
    rows = [_parse(path, line) for line in table[1:]]
    if torn and rows and rows[-1].kind == SWEEP:  # the points of one sweep are written together, and count together
        begins = "\t".join(table[-1].split("\t")[:_KIND])  # picture to kind
        if torn.startswith(begins) or begins.startswith(torn):
            last = (rows[-1].picture, rows[-1].codec, SWEEP)
            rows = [row for row in rows if (row.picture, row.codec, row.kind) != last]
    return Results(head, tuple(rows))


def write(path: Path, results: Results) -> None:
    """Write the whole file in one step, in place of what is there."""
    atomic_write(path, text_of(results).encode(), overwrite=True)


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows, safe on the disk when this returns; all of them or none.

    Raises:
        OSError: they cannot be written; the file is as it was.
    """
    rest = memoryview("".join(map(_line, rows)).encode())
    with path.open("ab", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        try:
            while rest:
                rest = rest[stream.write(rest) :]
            os.fsync(stream.fileno())
        except BaseException as error:
            stream.truncate(end)  # a part of a sweep must not pass for the whole
            if isinstance(error, OSError) and error.filename is None and error.errno is not None:
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise


def text_of(results: Results) -> str:
    """The file's text."""
    head = "".join(f"# {key}: {_clean(value)}\n" for key, value in results.head.items())
    return head + "\t".join(COLUMNS) + "\n" + "".join(map(_line, results.rows))


def in_order(rows: Iterable[Row], codecs: Sequence[str] = ()) -> tuple[Row, ...]:
    """Rows as a run without interruptions leaves them: by picture, targets before sweeps, target, codec, rate.

    Args:
        rows: in any order.
        codecs: names in the order they were asked for; others follow by name.
    """
    place = {name: index for index, name in enumerate(codecs)}

    def key(row: Row) -> tuple[object, ...]:
        target = -1.0 if math.isnan(row.target_bpp) else row.target_bpp
        rate = -1.0 if math.isnan(row.bpp) else row.bpp
        codec = (place.get(row.codec, len(place)), row.codec)
        return (row.picture, row.kind != TARGET, target, codec, rate, row.setting)

    return tuple(sorted(rows, key=key))


def _line(row: Row) -> str:
    # repr writes the shortest digits that read back as the same number.
    cells = (getattr(row, name) for name in COLUMNS)
    return "\t".join(repr(float(cell)) if isinstance(cell, float) else _clean(str(cell)) for cell in cells) + "\n"


def _clean(text: str) -> str:
    """Text without tabs and line ends, which the table needs for itself."""
    return " ".join(text.split())


def _parse(path: Path, line: str) -> Row:
    cells = line.split("\t")
    if len(cells) != len(COLUMNS):
        raise ResultsError(f"{path}: a row of {len(cells)} cells instead of {len(COLUMNS)}: {line[:60]}")
    try:
        return Row(**{name: _CONVERT[name](cell) for name, cell in zip(COLUMNS, cells, strict=True)})
    except ValueError as error:
        raise ResultsError(f"{path}: {error}: {line[:60]}") from None
