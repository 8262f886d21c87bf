from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from inrcodec.atomic import atomic_write, check_writable


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_a_new_file_and_nothing_else(tmp_path: Path) -> None:
    for overwrite in (False, True):
        atomic_write(tmp_path / f"{overwrite}", b"data", overwrite)
        assert (tmp_path / f"{overwrite}").read_bytes() == b"data"
    assert _names(tmp_path) == ["False", "True"]


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match="exists already"):
        atomic_write(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    atomic_write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["a"]


def test_without_hard_links_the_name_is_still_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    atomic_write(tmp_path / "a", b"data", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"data"
    with pytest.raises(FileExistsError):
        atomic_write(tmp_path / "a", b"other", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"data"
    assert _names(tmp_path) == ["a"]


def test_without_hard_links_a_failure_gives_the_name_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "the cable is out")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="the cable is out"):
        atomic_write(tmp_path / "a", b"data", overwrite=False)
    assert _names(tmp_path) == []


def test_errors_are_in_the_name_of_the_file_that_was_wanted(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "a", tmp_path / "file" / "a"):
        (tmp_path / "file").touch()
        for write in (check_writable, lambda path, overwrite: atomic_write(path, b"", overwrite)):
            with pytest.raises(OSError, match=r"no such folder|Not a directory") as caught:
                write(path, True)
            assert caught.value.filename == str(path)


@pytest.mark.parametrize("failing", ["fsync", "replace", "link"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path if failing == "replace" else os, failing, fail)
    path = tmp_path / "a"
    if failing == "link" and isinstance(error, OSError):
        atomic_write(path, b"data", overwrite=False)  # a missing hard link is no failure
        return
    with pytest.raises(type(error)):
        atomic_write(path, b"data", overwrite=failing == "replace")
    assert _names(tmp_path) == []


def test_of_many_writers_exactly_one_wins(tmp_path: Path) -> None:
    path, won, lost = tmp_path / "a", [], []
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        try:
            atomic_write(path, bytes([number]) * 10000, overwrite=False)
            won.append(number)
        except FileExistsError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert path.read_bytes() == bytes([won[0]]) * 10000
    assert _names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    atomic_write(tmp_path / "new", b"", overwrite=False)
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    atomic_write(tmp_path / "new", b"", overwrite=True)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="symbolic links and devices are POSIX")
def test_links_and_devices(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    atomic_write(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    check_writable(Path(os.devnull), overwrite=False)
    atomic_write(Path(os.devnull), b"gone", overwrite=False)
    assert not Path(os.devnull).is_file()


def test_check_says_before_the_work_what_would_go_wrong(tmp_path: Path) -> None:
    check_writable(tmp_path / "free", overwrite=False)
    assert _names(tmp_path) == []
    (tmp_path / "taken").touch()
    check_writable(tmp_path / "taken", overwrite=True)
    with pytest.raises(FileExistsError, match="-f overwrites"):
        check_writable(tmp_path / "taken", overwrite=False)
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path, overwrite=True)
    with pytest.raises(FileNotFoundError):
        check_writable(tmp_path / "missing" / "file", overwrite=True)
    with pytest.raises(NotADirectoryError):
        check_writable(tmp_path / "taken" / "file", overwrite=True)
