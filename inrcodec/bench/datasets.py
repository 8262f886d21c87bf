"""Pictures by name: where a data set lies, how to get it, and whether it is the one everybody measures on."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from inrcodec.errors import InrError

VARIABLE = "INRCODEC_DATA"
"""Environment variable: a folder with a folder for each data set; looked at first, and fetched to."""

ENDINGS = frozenset(
    (".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".qoi", ".tif", ".tiff", ".webp")
)
"""Files of a folder that count as pictures."""

Progress = Callable[[str, int, int], None]
"""Told the file that is there now, how many are, and how many there will be."""


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


def resolve(words: Sequence[str]) -> list[Path]:
    """The pictures that words stand for, in their order and each once.

    Args:
        words: names of data sets, folders (their pictures, sorted) and files.

    Raises:
        DataError: a word is none of these, a data set is not here, or a folder has no pictures.
    """
    found: dict[Path, None] = {}
    for word in words:
        found.update(dict.fromkeys(_resolve(word)))
    return list(found)


def path(name: str) -> Path:
    """The folder in which a data set lies, complete and unchanged.

    Raises:
        DataError: there is no such data set, or it is not here; the message says how to get it.
    """
    wanted = dataset(name)
    partial = []
    for folder in folders(name):
        bad = missing(wanted, folder)
        if not bad:
            return folder
        if len(bad) < len(wanted.items):
            partial.append(f" ({folder} lacks or has other versions of {len(bad)} of {len(wanted.items)} files)")
    raise DataError(
        f"the pictures of {wanted.title} are not here{''.join(partial)}; get them with `inrcodec data fetch {name}`, "
        f"or, if you have them, with `inrcodec data fetch {name} --from FOLDER`"
    )


def folders(name: str) -> Iterator[Path]:
    """Where a data set is looked for, in order."""
    if given := os.environ.get(VARIABLE):
        yield Path(given) / name
    root = Path(__file__).parents[2]
    yield Path("data") / name
    yield root / "data" / name
    yield root.parent / "shared" / "data" / name  # beside a checkout: one copy for several
    yield cache_folder() / name


def home(name: str) -> Path:
    """Where a data set is fetched to."""
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else cache_folder()) / name


def cache_folder() -> Path:
    """This user's folder for data that can be had again."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "inrcodec"


def missing(wanted: Dataset, folder: Path) -> list[Item]:
    """The files that a folder lacks, or has other contents of."""
    return [item for item in wanted.items if not is_it(item, folder / item.name)]


def is_it(item: Item, file: Path) -> bool:
    """Whether a file is there and is the original."""
    try:
        return file.stat().st_size == item.bytes and genuine(item, file.read_bytes())
    except OSError:
        return False


def genuine(item: Item, data: bytes) -> bool:
    """Whether bytes are those of the original."""
    return hashlib.sha256(data).hexdigest() == item.sha256


def _resolve(word: str) -> list[Path]:
    """The pictures of one word."""
    given = Path(word)
    if word in registry():
        folder = path(word)
        return [folder / item.name for item in registry()[word].items]
    if given.is_dir():
        pictures = sorted(file for file in given.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())
        if not pictures:
            raise DataError(f"{word}: no pictures in this folder")
        return pictures
    if given.exists():
        return [given]
    raise DataError(f"{word}: no such file or folder, and no data set of that name (there are {', '.join(registry())})")
