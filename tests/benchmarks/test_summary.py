from __future__ import annotations

from pathlib import Path

from benchmarks.summary import markdown

RESULTS = """# python -m benchmarks.rd
picture\tcodec\ttarget_bpp\tuse\tpsnr\tseconds\tdecode_seconds
a\tl0\t0.3000\t0.9900\t30.0\t10\t0.5
b\tl0\t0.3000\t0.9990\t31.0\t30\t0.7
a\tjpeg\t0.0700\t1.2000\t21.0\t0.1\t0.01
"""


def test_means_over_pictures_by_target_and_codec(tmp_path: Path) -> None:
    path = tmp_path / "rd.tsv"
    path.write_text(RESULTS)
    _, _, first, second = markdown(path).splitlines()
    assert first == "| 0.07 | jpeg | 1 (1 over the cap) | 21.00 | 120.0 to 120.0 % | 0.1 | 0.01 |"
    assert second == "| 0.3 | l0 | 2 | 30.50 | 99.0 to 99.9 % | 20.0 | 0.60 |"
