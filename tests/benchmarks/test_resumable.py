from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.resumable import outcomes, start


def test_a_table_begins_with_the_command_that_made_it_and_is_not_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.tsv"
    start(path, "ladder", ["/elsewhere/kodim05.png", "--bpp", "0.3"], ("picture", "psnr"))
    assert path.read_text() == "# python -m benchmarks.ladder data/kodak/kodim05.png --bpp 0.3\npicture\tpsnr\n"
    start(path, "ladder", [], ("other",))
    assert path.read_text().endswith("picture\tpsnr\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_call_has_its_outcome(workers: int) -> None:
    assert sorted(outcomes(math.hypot, [(6, 8), (3, 4), (5, 12)], workers)) == [5, 10, 13]
