from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from inrcodec.cli.paths import Job, plan_jobs


def test_siblings_by_default() -> None:
    jobs = plan_jobs(["a/one.png", "two.jpeg", "three"], None, None, ".inr")
    assert [job.dest for job in jobs] == [Path("a/one.inr"), Path("two.inr"), Path("three.inr")]


def test_named_output_and_folder(tmp_path: Path) -> None:
    assert plan_jobs(["a.png"], "b.inr", None, ".inr") == [Job("a.png", Path("b.inr"))]
    jobs = plan_jobs(["x/a.png", "y/b.png"], None, str(tmp_path), ".inr")
    assert [job.dest for job in jobs] == [tmp_path / "a.inr", tmp_path / "b.inr"]


def test_streams() -> None:
    assert plan_jobs(["-"], None, None, ".inr") == [Job("-", None)]
    assert plan_jobs(["a.png"], "-", None, ".inr") == [Job("a.png", None)]
    assert plan_jobs(["-"], "b.inr", None, ".inr") == [Job("-", Path("b.inr"))]


def test_no_picture_is_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(click.UsageError, match="terminal"):
        plan_jobs(["a.png"], "-", None, ".inr")
    assert plan_jobs(["a.png"], None, None, ".inr")


@pytest.mark.parametrize(
    ("inputs", "output", "folder", "message"),
    [
        (["a.png"], "b.inr", "dir", "exclude each other"),
        (["a.png", "b.png"], "c.inr", None, "takes one input"),
        (["a.png", "-"], None, None, "cannot be mixed"),
        (["-"], None, "dir", "needs inputs with names"),
        (["a.png"], ".", None, "is a folder"),
        (["."], None, None, "is not a file"),
        (["photo.inr"], None, None, "also an input"),
        (["a.png", "a.inr"], None, None, "also an input"),
        (["a.png", "a.jpg"], None, None, "would both be written"),
        (["x/a.png", "y/a.png"], None, "dir", "would both be written"),
    ],
)
def test_contradictions(inputs: list[str], output: str | None, folder: str | None, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        plan_jobs(inputs, output, folder, ".inr")


def test_another_name_of_an_input_is_still_that_input(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "link.inr").symlink_to(tmp_path / "a.png")
    with pytest.raises(click.UsageError, match="also an input"):
        plan_jobs([str(tmp_path / "a.png")], str(tmp_path / "link.inr"), None, ".inr")
