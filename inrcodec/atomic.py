"""Files that appear whole or not at all: written beside their final name, then moved there in one step.

A process that is killed in between may leave ``.inrcodec-*.tmp`` in the folder: nobody reads it, nobody trips over it,
and it can be deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def check_writable(path: Path, overwrite: bool) -> None:
    """Find out before the work starts whether its result could be written.

    Args:
        path: the file to be written.
        overwrite: whether a file that is already there may be replaced.

    Raises:
        FileExistsError: something is there and may not be replaced.
        OSError: the folder is missing or cannot be written to, or the path is a folder. Its name is the path's.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if _is_special(path):
        return
    if path.exists() and not overwrite:
        raise _exists(path)
    # Asking the system to make a file is the only test that sees read-only mounts, quotas and root alike.
    temporary = _temporary(_final(path).parent)
    try:
        with _in_the_name_of(path):
            os.close(_create(temporary))
    finally:
        _remove(temporary)


def atomic_write(path: Path, data: bytes, overwrite: bool) -> None:
    """Write a file so that nobody ever sees a part of it under its final name.

    Pipes and devices are written directly; a symbolic link keeps pointing where it does and its target is replaced.

    Args:
        path: the final name.
        data: the whole content.
        overwrite: whether a file that is already there may be replaced.

    Raises:
        FileExistsError: a file is there (or came to be meanwhile) and may not be replaced; it is untouched.
        OSError: the file could not be written; nothing is left behind. Its name is the path's.
    """
    with _in_the_name_of(path):
        if _is_special(path):
            path.write_bytes(data)
        else:
            _write(_final(path), data, overwrite)


def _write(final: Path, data: bytes, overwrite: bool) -> None:
    temporary = _temporary(final.parent)
    try:
        with os.fdopen(_create(temporary), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            with contextlib.suppress(OSError):  # a new file beside the old one keeps its permissions
                temporary.chmod(final.stat().st_mode & 0o7777)
            temporary.replace(final)
        else:
            _move_to_free_name(temporary, final)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def _in_the_name_of(path: Path) -> Iterator[None]:
    """Errors of the system name the file that was wanted, not the one beside it that nobody asked for."""
    try:
        yield
    except FileExistsError:
        raise  # has the name already, and its advice
    except OSError as error:
        if error.errno is None:
            raise
        missing = error.errno == errno.ENOENT and not path.parent.is_dir()
        why = "there is no such folder to write it to" if missing else error.strerror
        raise OSError(error.errno, why, str(path)) from error


def _remove(temporary: Path) -> None:
    """Delete it if it is there. Where even its folder is not, the error that says so is on its way."""
    with contextlib.suppress(OSError):
        temporary.unlink()


def _temporary(folder: Path) -> Path:
    """A new name in the same folder, so that the move stays on one disk."""
    return folder / f".inrcodec-{secrets.token_hex(8)}.tmp"


def _create(path: Path) -> int:
    """Open a new file with the permissions an ordinary new file gets."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def _move_to_free_name(temporary: Path, final: Path) -> None:
    """Rename, but fail where the name is taken: of two programs racing for it, one wins and one is told."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise _exists(final) from None
    except OSError:  # a file system without hard links: claim the name with an empty file instead. A process killed
        # right here leaves it empty, which is better than to overwrite what another has written right here.
        try:
            os.close(_create(final))
        except FileExistsError:
            raise _exists(final) from None
        try:
            temporary.replace(final)
        except BaseException:
            final.unlink()  # the claim: an empty file is no result
            raise


def _final(path: Path) -> Path:
    """The file itself, where the path is a symbolic link to it."""
    return path.resolve() if path.is_symlink() else path


def _is_special(path: Path) -> bool:
    """Whether the path is a pipe, a terminal or a device: there is nothing to replace, only to write to."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "exists already (-f overwrites it)", str(path))
