"""The data set here has three tiny files and two mirrors, of which the first is a folder and the second a server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from inrcodec.bench import datasets, registry
from inrcodec.bench.datasets import VARIABLE, home, path, resolve
from inrcodec.bench.fetch import fetch
from inrcodec.bench.registry import DataError, Dataset, Item

FILES = {"a1.png": b"the first", "a2.png": b"the second one", "a3.png": b"third"}


class _Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set can be found but where a test puts it: folders, caches and this program are elsewhere."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(datasets, "__file__", str(tmp_path / "checkout" / "inrcodec" / "bench" / "datasets.py"))
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def mirrors(tmp_path: Path) -> tuple[Path, Path]:
    """The folders behind the two mirrors."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    return first, second


@pytest.fixture
def toy(mirrors: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    """The data set ``toy``."""
    first, second = mirrors
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(second)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    addresses = (first.as_uri() + "/{stem}.bin", f"http://127.0.0.1:{server.server_port}/{{number}}.png")
    items = tuple(Item(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items())
    made = Dataset("toy", "the toys", "https://example.org", "free", addresses, items)
    for module in (registry, datasets):
        monkeypatch.setattr(module, "registry", lambda: {"toy": made})
    yield made
    server.shutdown()
    server.server_close()


def _fill(folder: Path, **changed: bytes) -> Path:
    """A folder with the files, some of them changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(changed.get(name.removesuffix(".png"), data))
    return folder


def test_a_data_set_that_is_nowhere_says_how_to_get_it(toy: Dataset) -> None:
    with pytest.raises(DataError) as caught:
        resolve(["toy"])
    message = str(caught.value)
    assert "the toys are not here;" in message
    assert "`inrcodec data fetch toy`" in message
    assert "`inrcodec data fetch toy --from FOLDER`" in message


def test_places_are_looked_at_in_order(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    places = [
        tmp_path / "cache" / "toy",
        tmp_path / "shared" / "data" / "toy",
        tmp_path / "checkout" / "data" / "toy",
        Path("data") / "toy",
        tmp_path / "mine" / "toy",
    ]
    for place in places:  # each is looked at before those that were there already
        _fill(place)
        assert path("toy") == place
        assert resolve(["toy"]) == [place / name for name in FILES]


def test_a_folder_with_a_changed_file_is_passed_over(toy: Dataset, tmp_path: Path) -> None:
    _fill(Path("data") / "toy", a2=b"the second ONE")
    with pytest.raises(DataError, match=r"data/toy lacks or has other versions of 1 of 3 files"):
        path("toy")
    _fill(tmp_path / "cache" / "toy")
    assert path("toy") == tmp_path / "cache" / "toy"


def test_folders_and_files_are_pictures_too(tmp_path: Path) -> None:
    folder = _fill(tmp_path / "pictures")
    (folder / "notes.txt").write_text("no picture")
    (folder / "B.JPG").write_bytes(b"")
    (folder / "sub.png").mkdir()
    assert [file.name for file in resolve([str(folder)])] == ["B.JPG", "a1.png", "a2.png", "a3.png"]
    assert resolve([str(folder / "a2.png"), str(folder), str(folder / "a2.png")])[0] == folder / "a2.png"
    assert len(resolve([str(folder / "a2.png"), str(folder)])) == 4


def test_words_that_stand_for_nothing(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.png: no such file or folder, and no data set .* \(there are toy\)"):
        resolve(["missing.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no pictures in this folder"):
        resolve([str(tmp_path / "empty")])


def test_files_come_from_the_first_mirror_that_has_the_original(toy: Dataset, mirrors: tuple[Path, Path]) -> None:
    first, second = mirrors
    (first / "a1.bin").write_bytes(FILES["a1.png"])
    (first / "a2.bin").write_bytes(b"something else")
    for number, data in enumerate(FILES.values(), start=1):
        (second / f"{number}.png").write_bytes(data)
    (second / "1.png").write_bytes(b"never asked for")
    heard: list[tuple[str, int, int]] = []
    folder = fetch("toy", progress=lambda *words: heard.append(words))
    assert folder == home("toy") == path("toy")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert heard == [("a1.png", 1, 3), ("a2.png", 2, 3), ("a3.png", 3, 3)]


def test_a_file_no_mirror_has_is_refused_with_every_reason(toy: Dataset, mirrors: tuple[Path, Path]) -> None:
    first, _ = mirrors
    (first / "a1.bin").write_bytes(FILES["a1.png"])
    (first / "a2.bin").write_bytes(FILES["a2.png"] + b" and more")
    with pytest.raises(DataError) as caught:
        fetch("toy")
    message = str(caught.value)
    assert message.startswith("cannot get a2.png: file://")
    assert "a2.bin: not the original file" in message
    assert "/2.png: HTTP 404" in message
    assert [file.name for file in home("toy").iterdir()] == ["a1.png"]  # what was got stays


def test_a_server_that_is_not_there_is_one_reason_more(toy: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("urllib.request.urlopen", _refuse)
        with pytest.raises(DataError, match=r"Connection refused.*Connection refused"):
            fetch("toy")


def _refuse(*_: object, **__: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_files_that_are_there_are_left_alone(toy: Dataset, mirrors: tuple[Path, Path]) -> None:
    folder = _fill(home("toy"), a2=b"damaged")
    old = (folder / "a1.png").stat().st_mtime_ns
    (mirrors[0] / "a2.bin").write_bytes(FILES["a2.png"])
    assert fetch("toy") == folder
    assert (folder / "a2.png").read_bytes() == FILES["a2.png"]
    assert (folder / "a1.png").stat().st_mtime_ns == old


def test_a_local_copy_is_adopted(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    source = _fill(tmp_path / "copy")
    assert fetch("toy", source) == tmp_path / "mine" / "toy" == path("toy")
    assert fetch("toy", tmp_path / "mine" / "toy") == tmp_path / "mine" / "toy"  # from itself: nothing to do


@pytest.mark.parametrize(
    ("changed", "words"), [({"a2": b"the second ONE"}, "not the original file"), ({}, "No such file")]
)
def test_a_local_copy_that_is_not_the_original_is_refused(
    toy: Dataset, tmp_path: Path, changed: dict[str, bytes], words: str
) -> None:
    source = _fill(tmp_path / "copy", **changed)
    if not changed:
        (source / "a2.png").unlink()
    with pytest.raises(DataError, match=rf"copy/a2.png: {words}"):
        fetch("toy", source)
    assert not (home("toy") / "a2.png").exists()


def test_a_source_that_is_no_folder(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="copy: no such folder"):
        fetch("toy", tmp_path / "copy")
    assert not home("toy").exists()
    with pytest.raises(DataError, match="no data set 'other'"):
        fetch("other")


def test_the_folder_for_caches_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert datasets.cache_folder() == tmp_path / "inrcodec"
    monkeypatch.setattr("sys.platform", "darwin")
    assert datasets.cache_folder().parts[-3:] == ("Library", "Caches", "inrcodec")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert datasets.cache_folder() == tmp_path / "local" / "inrcodec"
