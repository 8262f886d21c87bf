"""Getting a data set: from its mirrors or from a folder, every file checked before it is kept."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from inrcodec.atomic import atomic_write
from inrcodec.bench.datasets import DataError, Dataset, Item, Progress, dataset, genuine, home, is_it

_TIMEOUT = 30.0  # seconds without a byte


def fetch(name: str, source: Path | None = None, progress: Progress | None = None) -> Path:
    """Make a data set complete; files that are there already are left alone.

    Args:
        name: of the data set.
        source: a folder to copy from; the mirrors if left out.
        progress: told about every file that is there.

    Returns:
        The folder it is in now: under ``INRCODEC_DATA``, else under the user's folder for caches.

    Raises:
        DataError: there is no such data set, or a file of it cannot be had; what was got so far stays.
        OSError: the folder cannot be written to.
    """
    wanted, folder = dataset(name), home(name)
    if source is not None and not source.is_dir():
        raise DataError(f"{source}: no such folder")
    folder.mkdir(parents=True, exist_ok=True)
    for done, item in enumerate(wanted.items, start=1):
        file = folder / item.name
        if not is_it(item, file):
            data = _download(wanted, item) if source is None else _adopt(item, source)
            atomic_write(file, data, overwrite=True)
        if progress is not None:
            progress(item.name, done, len(wanted.items))
    return folder


def _adopt(item: Item, source: Path) -> bytes:
    """A file of a folder.

    Raises:
        DataError: it is not there or not the original.
    """
    file = source / item.name
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error
    if not genuine(item, data):
        raise DataError(f"{file}: not the original file (its checksum differs)")
    return data


def _download(wanted: Dataset, item: Item) -> bytes:
    """A file from the first mirror that has the original.

    Raises:
        DataError: none has; the message has a reason for each.
    """
    reasons = []
    for url in wanted.urls(item):
        try:
            data = _get(url, item.bytes + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons.append(f"{url}: {_reason(error)}")
            continue
        if genuine(item, data):
            return data
        reasons.append(f"{url}: not the original file (its checksum differs)")
    raise DataError(f"cannot get {item.name}: {'; '.join(reasons)}")


def _get(url: str, limit: int) -> bytes:
    """What an address of the registry holds, up to a limit."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - addresses are the package's own
        return bytes(answer.read(limit))


def _reason(error: Exception) -> str:
    """Why an address could not be read, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
