from __future__ import annotations

import errno

import click
import pytest

from inrcodec import errors
from inrcodec.cli.exits import RequestError, combined, describe, exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TargetError("no"), 3),
        (errors.BitstreamError("no"), 4),
        (errors.BadMagic("no"), 4),
        (errors.Truncated("no"), 4),
        (errors.ChecksumMismatch("no"), 4),
        (errors.LimitError("no"), 4),
        (errors.ImageError("no"), 1),
        (OSError("no"), 1),
        (MemoryError(), 1),
        (RuntimeError("no"), 1),
        (RequestError("no"), 2),
        (click.UsageError("no"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code
    assert "\n" not in describe(error)


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 0], 0), ([0, 4], 4), ([3, 0, 3], 3), ([1, 4], 1), ([3, 4], 1)]
)
def test_code_of_a_batch(codes: list[int], code: int) -> None:
    assert combined(codes) == code


def test_unreachable_targets_name_what_can_be_reached() -> None:
    assert describe(errors.TargetError("too small", smallest_bytes=1234)) == (
        "too small (the smallest file here is 1,234 bytes)"
    )
    assert describe(errors.TargetError("needs 1,234 bytes", smallest_bytes=1234)) == "needs 1,234 bytes"
    assert describe(errors.TargetError("too good", best_psnr=41.5)) == "too good (the best reached was 41.50 dB)"


def test_foreseen_errors_are_plain_and_others_ask_for_a_report() -> None:
    assert describe(errors.ImageError("a.png: empty")) == "a.png: empty"
    assert describe(FileNotFoundError(2, "No such file", "a.png")) == "a.png: No such file"
    assert describe(OSError(28, "No space left")) == "No space left"
    assert describe(ModuleNotFoundError("x", name="torch")) == "torch is not installed, and this needs it"
    assert describe(MemoryError()) == "not enough memory"
    assert describe(ZeroDivisionError("a\nb")) == "internal error, please report it: ZeroDivisionError: a b"


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, " (make room, or write elsewhere)"), (errno.EROFS, " (write elsewhere)"), (errno.EACCES, "")],
)
def test_errors_of_the_system_say_what_to_do_where_that_is_known(number: int, advice: str) -> None:
    assert describe(OSError(number, "trouble", "a.inr")) == f"a.inr: trouble{advice}"
    assert describe(OSError(number, "trouble")) == "trouble"
