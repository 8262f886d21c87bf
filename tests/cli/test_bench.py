from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest

from inrcodec.bench import local as local_module
from inrcodec.bench import methods as methods_module
from inrcodec.bench.contender import Contender
from inrcodec.bench.job import Job, Outcome, failure
from inrcodec.bench.results import read
from inrcodec.bench.runner import Execute, OnDone, OnTick, Standing
from inrcodec.cli.bench_progress import BenchProgress, describe_standing
from inrcodec.cli.bench_values import places, targets
from inrcodec.cli.console import Console
from tests.bench.rows import a_row
from tests.cli.conftest import picture

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two small pictures."""
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for index, path in enumerate(paths):
        picture(64, 48).rotate(180 * index).save(path)
    return paths


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Put a stand-in where jobs are done; the list fills with those it was given."""
    given: list[Job] = []

    def local(parallel: int, threads: int) -> Execute:
        def execute(jobs: Sequence[Job], on_done: OnDone, on_tick: OnTick) -> None:
            for job in jobs:
                on_tick((job,))
                given.append(job)
                on_done(job, _outcome(job))

        return execute

    monkeypatch.setattr(local_module, "local", local)
    return given


def _outcome(job: Job) -> Outcome:
    if job.codec.name == "avif":
        return Outcome((failure(job, "out of memory"),))
    level = 30.0 + (job.target_bpp or 1)
    return Outcome(
        (a_row(job.picture.stem, job.codec.name, job.target_bpp, level, bpp=job.target_bpp or 1.0),), b"file"
    )


def test_real_codecs_from_end_to_end(run: Run, photos: list[Path], tmp_path: Path, capsys: Captured) -> None:
    out, page, plot, values = (tmp_path / name for name in ("r.tsv", "r.html", "r.png", "r.json"))
    words = ("bench", *photos, "-c", "jpeg-opt,webp", "--bpp", "2,4", "-o", out, "--no-sweep", "-j", "2")
    assert run(*words, "--html", page, "--plot", plot, "--json", values) == 0
    said = capsys.readouterr()
    assert said.out.startswith("2 pictures; PSNR and MS-SSIM: mean, every picture at exactly the target")
    assert len([line for line in said.out.splitlines() if line.startswith(("2 ", "4 "))]) == 1 + 4
    assert "8 of 8 measured, 100 %" in said.err
    assert f"wrote {page}" in said.err
    results = read(out)
    assert [(row.picture, row.target_bpp, row.codec) for row in results.rows] == [
        (name, target, codec) for name in "ab" for target in (2.0, 4.0) for codec in ("jpeg-opt", "webp")
    ]
    assert all(row.use <= 1 and row.psnr > 20 and not row.error for row in results.rows)
    assert (tmp_path / "r.files" / "b_webp_4bpp").stat().st_size == results.rows[-1].bytes
    assert page.read_text().count('class="tile"') == 6
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert len(json.loads(values.read_text())["rows"]) == 8
    assert results.head["command"].startswith("inrcodec bench ")

    page.unlink()
    assert run("bench", "--report-only", out, "--html", page, "--baseline", out) == 0
    assert page.read_text().count('class="tile"') == 6
    assert "none of 8 is worse" in capsys.readouterr().err


def test_ours_is_measured_like_the_others(run: Run, photos: list[Path], tmp_path: Path) -> None:
    ours = "tiny=inr:layers=2x8,effort=1,set.steps=20,set.candidates=1"
    assert run("bench", photos[0], "-c", f"{ours},jpeg-opt", "--bpp", "2", "-o", tmp_path / "r.tsv") == 0
    row, _ = read(tmp_path / "r.tsv").rows
    assert (row.codec, row.error) == ("tiny", "")
    assert 0 < row.use <= 1
    assert row.bytes == (tmp_path / "r.files" / "a_tiny_2bpp").stat().st_size


def test_methods_of_the_field_land_in_the_table(
    run: Run, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: methods_module.METHODS_IN_BENCH[name] for name in ("magnitude", "adaround-qat")}
    monkeypatch.setattr(methods_module, "METHODS_IN_BENCH", few)  # all twelve take a minute
    results = tmp_path / "r.tsv"
    words = ("--methods", "--max-time", "0.5s", "--bpp", "2", "--no-sweep", "-o", str(results))
    assert run("bench", str(photos[0]), *words) == 0
    rows = read(results).rows
    assert {row.codec for row in rows} == set(few)
    for row in rows:
        assert row.error == ""
        assert 0.9 * 768 <= row.bytes <= 768  # 2 bpp of 64 x 48 pixels
        assert row.psnr > 5


def test_resuming_measures_what_is_missing(
    run: Run, photos: list[Path], tmp_path: Path, measured: list[Job], capsys: Captured
) -> None:
    words = ("bench", *photos, "-o", tmp_path / "r.tsv", "--bpp", "0.3", "--resume")
    assert run(*words, "-c", "webp") == 0
    assert run(*words, "-c", "webp,jpeg-opt", "--sweep") == 0
    assert [str(job) for job in measured[2:]] == [
        "a jpeg-opt 0.3 bpp", "a webp sweep", "a jpeg-opt sweep", "b jpeg-opt 0.3 bpp", "b webp sweep",
        "b jpeg-opt sweep",
    ]  # fmt: skip
    assert "2 of 8 measured already" in capsys.readouterr().err


def test_a_failed_row_is_told_and_fails_the_command(
    run: Run, photos: list[Path], measured: list[Job], capsys: Captured
) -> None:
    assert run("bench", *photos, "-c", "avif,webp", "--bpp", "0.3") == 1
    said = capsys.readouterr()
    assert "a avif 0.3 bpp: out of memory" in said.err
    assert "2 of 2 without a result" in said.out


def test_a_regression_fails_the_command(
    run: Run, photos: list[Path], tmp_path: Path, measured: list[Job], capsys: Captured
) -> None:
    out, old = tmp_path / "r.tsv", tmp_path / "old.tsv"
    words = ("bench", *photos, "-c", "webp", "--bpp", "0.3")
    run(*words, "-o", out)
    old.write_text(out.read_text().replace("\t30.3\t", "\t30.7\t"))
    assert run(*words, "--baseline", old) == 1
    said = capsys.readouterr().err
    assert "by more than 0.1 dB" in said
    assert "mean     webp   0.3" in said
    assert run(*words, "--baseline", old, "--max-drop", "0.5") == 0
    assert run(*words, "--bpp", "0.6", "--baseline", old) == 1
    assert "nothing to compare" in capsys.readouterr().err
    assert run("bench", photos[0], "-c", "webp", "--bpp", "0.3,0.6", "--baseline", out) == 0
    said = capsys.readouterr().err
    assert "1 only in the baseline, not compared: b webp 0.3" in said
    assert "1 not in the baseline, not compared: a webp 0.6" in said


def test_what_is_missing_is_left_out_in_a_line(
    run: Run, photos: list[Path], measured: list[Job], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from inrcodec.bench.codecs.pillow import PillowCodec

    monkeypatch.setattr(
        PillowCodec, "available", lambda self: f"{self.name}: no library" if self.name == "avif" else ""
    )
    assert run("bench", photos[0], "-c", "avif,webp", "--bpp", "0.3") == 0
    assert "left out: avif: no library" in capsys.readouterr().err
    assert run("bench", photos[0], "-c", "avif") == 1
    assert "none of these codecs can run here" in capsys.readouterr().err


def test_choosing_pictures(run: Run, photos: list[Path], tmp_path: Path, measured: list[Job], capsys: Captured) -> None:
    assert run("bench", tmp_path, "--images", "2", "-c", "webp", "--bpp", "0.3") == 0
    assert [job.picture.name for job in measured] == ["b.png"]
    assert run("bench", tmp_path, "--images", "3") == 2
    assert "there are 2 pictures, no number 3" in capsys.readouterr().err


def test_tables_as_markdown_and_files_for_compressai(
    run: Run, photos: list[Path], tmp_path: Path, measured: list[Job], capsys: Captured
) -> None:
    assert run("bench", *photos, "-c", "webp", "--bpp", "0.3", "--markdown", "--compressai", tmp_path / "c") == 0
    assert "| bpp | codec |" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["webp-targets.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "which pictures?"),
        (("PHOTO", "-c", "gif"), "no codec 'gif'"),
        (("PHOTO", "-c", "webp,webp"), "two codecs go by the name webp"),
        (("PHOTO", "--bpp", "0"), "above 0"),
        (("PHOTO", "--bpp", "many"), "not a list of numbers"),
        (("PHOTO", "--images", "5-3"), "not a list of places"),
        (("PHOTO", "--resume"), "--resume needs -o"),
        (("PHOTO", "--resume", "-o", "x.tsv", "-f"), "exclude each other"),
        (("PHOTO", "--plot", "x.jpg"), "takes a .png or .svg file"),
        (("PHOTO", "--baseline", "none.tsv"), "is not there"),
        (("--report-only", "x.tsv", "-o", "y.tsv"), "measures nothing"),
    ],
)
def test_wrong_usage(run: Run, photo: Path, words: tuple[str, ...], message: str, capsys: Captured) -> None:
    assert run("bench", *(str(photo) if word == "PHOTO" else word for word in words)) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_nothing_is_overwritten_unasked(
    run: Run, photo: Path, tmp_path: Path, measured: list[Job], capsys: Captured
) -> None:
    (tmp_path / "r.html").write_text("mine")
    words = ("bench", photo, "-c", "webp", "--bpp", "0.3", "--no-sweep")
    assert run(*words, "--html", tmp_path / "r.html") == 1
    assert measured == []
    assert run(*words, "-o", tmp_path / "r.html") == 1
    assert "-f overwrites it" in capsys.readouterr().err
    assert (tmp_path / "r.html").read_text() == "mine"
    assert run(*words, "--html", tmp_path / "r.html", "-f") == 0
    assert (tmp_path / "r.html").read_text() != "mine"


def test_pictures_that_are_not_there(run: Run, capsys: Captured) -> None:
    assert run("bench", "nothing-here") == 1
    assert "no such file" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    photos: list[Path], tmp_path: Path, program: list[str], environment: dict[str, str]
) -> None:
    out = tmp_path / "r.tsv"
    words = ["bench", *photos, "-c", "webp,inr:effort=9", "--bpp", "2", "-o", out]
    command = [*program, *map(str, words)]
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A suite that runs in the background of a shell has inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    while not out.exists() or "\twebp\t" not in out.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"interrupted: 1 of 4 are in {out}; the same with --resume goes on" in said.decode()
    assert [row.codec for row in read(out).rows] == ["webp"]


def test_without_a_file_ctrl_c_says_that_nothing_is_kept(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def local(parallel: int, threads: int) -> Execute:
        def execute(jobs: Sequence[Job], on_done: OnDone, on_tick: OnTick) -> None:
            raise KeyboardInterrupt

        return execute

    monkeypatch.setattr(local_module, "local", local)
    assert run("bench", photo, "-c", "webp") == 130
    assert "without -o RESULTS.tsv nothing is kept" in capsys.readouterr().err


def test_lists() -> None:
    assert targets("0.3,0.15,.3") == (0.15, 0.3)
    assert places("1, 5-7,6") == (1, 5, 6, 7)
    for bad in ("", "0", "1-", "a", "1,,2"):
        with pytest.raises(click.BadParameter):
            places(bad)
    for bad in ("", "nan", "inf", "-1", "0.1,,0.2"):
        with pytest.raises(click.BadParameter):
            targets(bad)


def test_the_line_of_progress() -> None:
    job = Job(Path("kodim05.png"), Contender("inr", "inr"), 0.3, 5)
    standing = Standing(3, 12, (job, job, job), 72.4)
    assert describe_standing(standing) == (
        "3 of 12 measured, 25 %  kodim05 inr 0.3 bpp, kodim05 inr 0.3 bpp and 1 more  1:12 left"
    )
    assert describe_standing(Standing(0, 4, (), float("nan"))) == "0 of 4 measured, 0 %"


def test_a_line_every_tenth_where_there_is_no_terminal(capsys: Captured) -> None:
    progress = BenchProgress(Console())
    for done in range(101):
        progress(Standing(done, 100, (), 1.0))
        progress(Standing(done, 100, (), 1.0, (a_row(),)))
    assert len(capsys.readouterr().err.splitlines()) == 11
    quiet = BenchProgress(Console(quiet=True))
    quiet(Standing(1, 1, (), 1.0, (a_row(), a_row(error="no"))))
    assert capsys.readouterr().err == "error: a inr 0.3 bpp: no\n"


def test_a_line_that_is_redrawn_on_a_terminal(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    progress = BenchProgress(Console(verbose=True))
    progress(Standing(1, 4, (), 60.0))
    progress(Standing(2, 4, (), 30.0))  # too soon to be worth a redraw
    progress(Standing(2, 4, (), 30.0, (a_row(),)))
    progress.close()
    shown = capsys.readouterr().err
    assert shown.count("measured") == 2
    assert "a inr 0.3 bpp: quality 7, 14,745 bytes, 30.00 dB, 2.5 s\n" in shown
    assert shown.endswith("\r")
