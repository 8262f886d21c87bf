from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.bench.contender import Contender
from inrcodec.bench.job import Job, Outcome
from inrcodec.bench.launch import Child
from inrcodec.bench.local import local
from inrcodec.bench.results import Results, ResultsError, append, read, text_of, write
from inrcodec.bench.runner import OnDone, OnTick, Standing, begin, files_folder, measure_all
from inrcodec.bench.timeleft import TimeLeft
from tests.bench.conftest import Calls, MakeJobs, Program
from tests.bench.rows import a_row

HEAD = {"command": "bench", "effort": "5", "codecs": "fast"}


def _start(path: Path, codecs: str = "fast") -> None:
    begin(path, {**HEAD, "codecs": codecs}, resume=True, overwrite=False)


def _quiet(standing: Standing) -> None:
    pass


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_every_job_leaves_its_rows_and_its_file(
    tmp_path: Path, program: Program, calls: Calls, make_jobs: MakeJobs
) -> None:
    path = tmp_path / "r.tsv"
    _start(path, "fast other")
    heard: list[Standing] = []
    jobs = make_jobs("b a", "fast other", sweep=True)
    results = measure_all(jobs, path, local(2, 1, program), heard.append, 2)
    assert [(row.picture, row.codec, row.kind) for row in results.rows] == [
        (picture, codec, kind)
        for picture in "ab"
        for kind, codecs in (("target", ["fast", "other"]), ("sweep", ["fast"] * 3 + ["other"] * 3))
        for codec in codecs
    ]
    assert text_of(read(path)) == text_of(results)
    assert len(calls()) == 8
    assert (files_folder(path) / "a_fast_0.3bpp").read_bytes() == b"fast"
    assert (heard[-1].done, heard[-1].total) == (8, 8)
    assert sum(len(standing.latest) for standing in heard) == 16
    assert max(len(standing.running) for standing in heard) == 2


def test_a_crash_costs_one_row(tmp_path: Path, program: Program, make_jobs: MakeJobs) -> None:
    path = tmp_path / "r.tsv"
    _start(path, "crash fails silent fast")
    results = measure_all(make_jobs("a", "crash fails silent fast"), path, local(2, 1, program), _quiet)
    assert {row.codec: row.error for row in results.rows} == {
        "crash": "the process died of signal 11",
        "fails": "no file is that small",
        "silent": "the process ended without a result",
        "fast": "",
    }
    assert math.isnan(results.rows[0].psnr)


def test_resuming_does_only_what_is_missing(
    tmp_path: Path, program: Program, calls: Calls, make_jobs: MakeJobs
) -> None:
    straight, halved = tmp_path / "straight.tsv", tmp_path / "halved.tsv"
    jobs = make_jobs("a b", "fast other", (0.3,), sweep=True)
    for path in (straight, halved):
        _start(path, "fast other")
    measure_all(jobs, straight, local(1, 1, program), _quiet)
    before = len(calls())
    measure_all(jobs[5:7] + jobs[1:3], halved, local(1, 1, program), _quiet)
    with halved.open("a") as stream:
        stream.write("a\t768\t512\tfast\ttar")  # the power went
    _start(halved, "fast other")
    measure_all(jobs, halved, local(1, 1, program), _quiet)
    assert halved.read_text() == straight.read_text()
    assert len(calls()) == before + len(jobs)


def test_failures_are_tried_again(tmp_path: Path, program: Program, make_jobs: MakeJobs) -> None:
    path = tmp_path / "r.tsv"
    write(path, Results(HEAD, (a_row("a", "fast", error="out of memory"),)))
    _start(path)
    results = measure_all(make_jobs("a", "fast"), path, local(1, 1, program), _quiet)
    assert [row.error for row in results.rows] == [""]


def test_rows_are_on_the_disk_as_soon_as_they_are_there(tmp_path: Path, make_jobs: MakeJobs) -> None:
    path = tmp_path / "r.tsv"
    _start(path)
    seen: list[int] = []

    def execute(jobs: object, on_done: OnDone, on_tick: OnTick) -> None:
        assert isinstance(jobs, list)
        for job in jobs:
            on_done(job, Outcome((a_row(job.picture.stem, "fast"),)))
            seen.append(len(read(path).rows))

    measure_all(make_jobs("a b c", "fast"), path, execute, _quiet)
    assert seen == [1, 2, 3]


def test_an_interrupt_ends_the_children_and_keeps_what_is_done(
    tmp_path: Path, program: Program, calls: Calls, make_jobs: MakeJobs
) -> None:
    path = tmp_path / "r.tsv"
    _start(path, "fast slow60")

    def observe(standing: Standing) -> None:
        if len(calls()) == 2 and standing.running:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_all(make_jobs("a b", "fast slow60"), path, local(1, 1, program), observe)
    assert [row.codec for row in read(path).rows] == ["fast"]
    assert not _alive(int(calls()[1].split()[-1]))


def test_children_do_not_outlive_a_parent_that_is_killed(
    tmp_path: Path, program: Program, calls: Calls, make_jobs: MakeJobs
) -> None:
    (job,) = make_jobs("a", "slow60")
    code = (
        "import time; from pathlib import Path; from inrcodec.bench.contender import Contender\n"
        "from inrcodec.bench.job import Job; from inrcodec.bench.launch import Child\n"
        f"job = Job(Path({str(job.picture)!r}), Contender('slow60', 'slow60'), 0.3, 5)\n"
        f"child = Child(job, 1, {program!r}); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while not calls():
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    pid, patience = int(calls()[0].split()[-1]), 100
    while _alive(pid) and patience:
        time.sleep(0.05)
        patience -= 1
    assert patience


def test_a_killed_child_says_so(tmp_path: Path, program: Program, calls: Calls, make_jobs: MakeJobs) -> None:
    (job,) = make_jobs("a", "slow60")
    child = Child(job, 1, program)
    while not calls():
        time.sleep(0.02)
    threading.Timer(0.05, os.kill, (int(calls()[0].split()[-1]), signal.SIGKILL)).start()
    assert child.wait().rows[0].error == "the process was killed, perhaps for want of memory"


def test_memory_is_the_childs_own(tmp_path: Path) -> None:
    """Linux counts the memory of whoever started a process as its own, if one asks the wrong way."""
    path = tmp_path / "a.png"
    Image.new("RGB", (32, 24)).save(path)
    large = np.ones(40_000_000)
    child = Child(Job(path, Contender("webp", "webp"), 1.0, 5), 1)
    assert 1 < child.wait().rows[0].peak_mb < large.nbytes / (1 << 20)


def test_a_file_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    begin(path, HEAD, resume=False, overwrite=False)
    append(path, [a_row("a", "fast")])
    with pytest.raises(FileExistsError):
        begin(path, HEAD, resume=False, overwrite=False)
    assert len(begin(path, HEAD, resume=True, overwrite=False).rows) == 1
    assert begin(path, HEAD, resume=False, overwrite=True).rows == ()


def test_other_settings_do_not_go_into_one_table(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    head = {**HEAD, "codecs": "small=inr:layers=4x32 webp"}
    path.write_text(text_of(Results(head, (a_row("a", "webp"),))))
    with pytest.raises(ResultsError, match="measured at effort 5, not 3: go on with -e 5"):
        begin(path, {**head, "effort": "3"}, resume=True, overwrite=False)
    with pytest.raises(ResultsError, match="small = small=inr:layers=4x32, not small=inr:layers=5x32"):
        begin(path, {**head, "codecs": "small=inr:layers=5x32"}, resume=True, overwrite=False)
    more = begin(path, {**head, "codecs": "jxl webp"}, resume=True, overwrite=False)
    assert more.head["codecs"] == "small=inr:layers=4x32 webp jxl"


def test_effort_is_nothing_to_other_codecs(tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    _start(path, "webp")
    begin(path, {**HEAD, "codecs": "webp", "effort": "9"}, resume=True, overwrite=False)


def test_time_left_is_told_once_every_kind_was_timed(make_jobs: MakeJobs) -> None:
    jobs: list[Job] = make_jobs("a b c", "fast other")
    clock = TimeLeft(jobs, [a_row("z", "fast", encode_seconds=9, decode_seconds=1)], 2)
    assert math.isnan(clock.seconds())
    clock.end(jobs[1], [a_row("a", "other", encode_seconds=3, decode_seconds=1)])
    assert clock.seconds() == pytest.approx((3 * 10 + 2 * 4) / 2)
    for job in jobs[2:]:
        clock.end(job, [])
    assert clock.seconds() <= 10
