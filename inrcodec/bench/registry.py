"""The data sets that are known by name: their files, checksums and addresses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from inrcodec.errors import InrError


class DataError(InrError):
    """Pictures are missing, or are not what they should be; the message says how to get them."""


@dataclass(frozen=True)
class Item:
    """One file of a data set."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A data set of the registry.

    Attributes:
        name: what it is called here.
        title: what it is called by people.
        home: its page.
        licence: what its owner allows.
        mirrors: addresses with ``{name}``, ``{stem}`` and ``{number}`` for a file; tried in order.
        items: its files, in order.
    """

    name: str
    title: str
    home: str
    licence: str
    mirrors: tuple[str, ...]
    items: tuple[Item, ...]

    def urls(self, item: Item) -> list[str]:
        """Where a file may be had."""
        number = 1 + self.items.index(item)
        return [m.format(name=item.name, stem=Path(item.name).stem, number=number) for m in self.mirrors]


@cache
def registry() -> dict[str, Dataset]:
    """The data sets there are, by name."""
    text = (files("inrcodec.bench") / "data" / "datasets.json").read_text(encoding="utf-8")
    return {
        name: Dataset(
            name, entry["title"], entry["home"], entry["licence"], tuple(entry["mirrors"]),
            tuple(Item(*words) for words in entry["files"]),
        )
        for name, entry in json.loads(text).items()
    }  # fmt: skip


def dataset(name: str) -> Dataset:
    """The data set of a name.

    Raises:
        DataError: there is none.
    """
    if name not in registry():
        raise DataError(f"no data set {name!r}; there are {', '.join(registry())}")
    return registry()[name]


def is_it(item: Item, file: Path) -> bool:
    """Whether a file is there and is the original."""
    try:
        return file.stat().st_size == item.bytes and genuine(item, file.read_bytes())
    except OSError:
        return False


def genuine(item: Item, data: bytes) -> bool:
    """Whether bytes are those of the original."""
    return hashlib.sha256(data).hexdigest() == item.sha256
