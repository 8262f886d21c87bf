from __future__ import annotations

import json

import click
import pytest

from inrcodec.cli.batch import Batch, Outcome
from inrcodec.cli.console import Console
from inrcodec.errors import BadMagic, ImageError


def _work(name: str) -> Outcome:
    if name == "bad":
        raise ImageError("bad: no picture")
    if name == "damaged":
        raise BadMagic("wrong magic")
    if name == "bug":
        raise ZeroDivisionError("oops")
    if name == "there":
        return Outcome(name, message="skipped")
    return Outcome(name, ("1,000", "30.00 dB"))


def _run(names: list[str], **options: object) -> int:
    return Batch(Console(), **options).run(names, str, _work, ("bytes", "PSNR"))  # type: ignore[arg-type]


def test_one_input_needs_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["good"]) == 0
    assert capsys.readouterr().err == ""


def test_a_bad_one_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["one", "bad", "two", "there"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: bad: no picture",
        "file  bytes      PSNR",
        "one   1,000  30.00 dB",
        "two   1,000  30.00 dB",
        "bad  failed",
        "there  skipped",
        "3 of 4 fine, 1 failed",
    ]


def test_errors_name_their_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["damaged"]) == 4
    assert capsys.readouterr().err == "error: damaged: wrong magic\n"


def test_bugs_are_failures_of_one_file_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["bug", "one"]) == 1
    assert "please report it: ZeroDivisionError" in capsys.readouterr().err


def test_verbose_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    Batch(Console(verbose=True)).run(["bug"], str, _work, ())
    assert "Traceback" in capsys.readouterr().err


def test_json_tells_failures_too(capsys: pytest.CaptureFixture[str]) -> None:
    _run(["damaged"], json=True)
    assert json.loads(capsys.readouterr().out) == {"input": "damaged", "error": "wrong magic", "code": 4}


def test_stopping_leaves_the_rest_undone(capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([False, True])
    assert _run(["one", "two", "three"], stop=lambda: next(answers)) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "1 of 3 fine, 2 not started"


def test_usage_errors_and_interrupts_end_everything() -> None:
    for error in (click.UsageError("no"), click.Abort(), KeyboardInterrupt()):

        def work(_: str, error: BaseException = error) -> Outcome:
            raise error

        with pytest.raises(type(error)):
            Batch(Console()).run(["one", "two"], str, work, ())
