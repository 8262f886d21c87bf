"""Files that once broke the decoder, or were made to: the picture or an InrError, soon, at default limits."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from fuzz.outcome import outcome

FILES = sorted(Path(__file__).parent.glob("*.inr"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_does_no_harm(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = path.read_bytes()
    assert len(data) < 10_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome(data, limits=None)
    assert capfd.readouterr() == ("", "")


def test_there_are_such_files() -> None:
    assert FILES
