from __future__ import annotations

from pathlib import Path

import pytest

from inrcodec.bench.contender import Contender, contenders_of, line_of, parse
from inrcodec.bench.job import PlanError, failure, file_name, finished, key_of, plan
from inrcodec.bench.results import Results
from tests.bench.rows import a_row

OURS, WEBP = Contender("small", "small=inr:layers=4x32"), Contender("webp", "webp")


def test_jobs_go_picture_by_picture_and_ours_is_not_swept() -> None:
    jobs = plan([Path("x/a.png"), Path("b.png")], [OURS, WEBP], (0.15, 0.3), sweep=True, effort=5)
    assert [str(job) for job in jobs[:5]] == [
        "a small 0.15 bpp", "a webp 0.15 bpp", "a small 0.3 bpp", "a webp 0.3 bpp", "a webp sweep",
    ]  # fmt: skip
    assert len(jobs) == 10


def test_two_pictures_of_one_name_are_refused() -> None:
    with pytest.raises(PlanError, match="one name"):
        plan([Path("x/a.png"), Path("y/a.jpg")], [WEBP], (0.3,), sweep=False, effort=5)


def test_what_is_finished_and_what_failed() -> None:
    jobs = plan([Path("a.png")], [WEBP], (0.15, 0.3), sweep=True, effort=5)
    rows = [a_row("a", "webp", 0.15), failure(jobs[1], "two\nlines"), a_row("a", "webp", None)]
    assert finished(rows) == {jobs[0].key, jobs[2].key}
    assert key_of(rows[1]) == jobs[1].key
    assert rows[1].error == "two lines"
    assert failure(jobs[2], "").error == "failed"


def test_names_of_files_have_nothing_a_folder_minds() -> None:
    assert file_name("kodim01", "inr:effort=1,layers=4x32", 0.3) == "kodim01_inr-effort-1-layers-4x32_0.3bpp"


def test_codecs_in_the_head_of_a_file() -> None:
    assert parse(line_of([OURS, WEBP])) == (OURS, WEBP)
    assert [c.ours for c in parse("inr inr:effort=1 small=inr webp jpeg-opt")] == [True, True, True, False, False]
    results = Results({"codecs": "webp small=inr:layers=4x32 jxl"}, (a_row(codec="small"), a_row(codec="odd")))
    assert contenders_of(results) == (OURS, Contender("odd", "odd"))
