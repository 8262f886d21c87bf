"""What an error means to the shell and to the person: its exit code and its one line."""

from __future__ import annotations

import errno

import click

from inrcodec.errors import BitstreamError, InrError, TargetError

FINE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
BAD_BITSTREAM = 4
INTERRUPTED = 130


_FULL = {errno.ENOSPC, errno.EFBIG, *(getattr(errno, name) for name in ("EDQUOT",) if hasattr(errno, name))}
_ADVICE = {**dict.fromkeys(_FULL, "make room, or write elsewhere"), errno.EROFS: "write elsewhere"}
"""What to do about errors that only writing can meet."""


class RequestError(InrError):
    """What was asked makes no sense for this file, as a crop outside of it; the other files are not concerned."""


class OutputError(InrError):
    """Standard output takes no more: nothing that could be said there of this file, or of the others."""


def exit_code(error: BaseException) -> int:
    """The exit code that stands for an error."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return error.exit_code
    if isinstance(error, RequestError):
        return USAGE
    if isinstance(error, TargetError):
        return UNREACHABLE
    if isinstance(error, BitstreamError):
        return BAD_BITSTREAM
    return FAILED


def combined(codes: list[int]) -> int:
    """The exit code of a batch: 0 where all went well, the code of the failures where they agree, else 1."""
    failures = {code for code in codes if code != FINE}
    if not failures:
        return FINE
    return failures.pop() if len(failures) == 1 else FAILED


def describe(error: BaseException) -> str:  # noqa: PLR0911 - one line for each kind of error
    """One line for people. Errors nobody foresaw say their kind, so that a report of them is of use."""
    if isinstance(error, TargetError):
        return _describe_target(error)
    if isinstance(error, InrError):
        return str(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed, and this needs it"
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return _describe_system(error)
    text = " ".join(str(error).split())
    return f"internal error, please report it: {type(error).__name__}: {text}"


def _describe_system(error: OSError) -> str:
    """What the system says; of a file, its name too, and what to do where that is known."""
    if not error.filename:
        return str(error.strerror)
    advice = _ADVICE.get(error.errno) if error.errno is not None else None
    return f"{error.filename}: {error.strerror}" + (f" ({advice})" if advice else "")


def _describe_target(error: TargetError) -> str:
    """The message, with what can be reached wherever it does not say so itself."""
    message = str(error)
    smallest = error.smallest_bytes
    if smallest is not None and str(smallest) not in message.replace(",", ""):
        message += f" (the smallest file here is {smallest:,} bytes)"
    if error.best_psnr is not None and f"{error.best_psnr:.2f}" not in message:
        message += f" (the best reached was {error.best_psnr:.2f} dB)"
    return message
