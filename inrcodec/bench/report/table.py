"""The results as tables of text, for the terminal and for Markdown."""

from __future__ import annotations

import math

from inrcodec.bench.report.bd import savings
from inrcodec.bench.results import Results
from inrcodec.bench.row import SWEEP
from inrcodec.bench.summary import AT_TARGET, TargetMean, operating_points, target_means

Cells = list[tuple[str, ...]]
"""A table: its head, then its rows."""

NONE = "-"


def target_table(results: Results) -> Cells:
    """Means by target and codec; the last column is there if some mean is not."""
    means = target_means(results.rows, results.codecs)
    head = ("bpp", "codec", "PSNR, dB", "MS-SSIM", "of the cap, %", "encode, s", "decode, s", "memory, MB", "")
    cells = [head, *(_mean_cells(mean) for mean in means)]
    return cells if any(mean.remark for mean in means) else [row[:-1] for row in cells]


def _mean_cells(mean: TargetMean) -> tuple[str, ...]:
    low, high = mean.use
    return (
        f"{mean.target_bpp:g}",
        mean.codec,
        number(mean.psnr, 2),
        number(mean.ms_ssim, 4),
        NONE if math.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}",
        seconds(mean.encode_seconds),
        seconds(mean.decode_seconds),
        number(mean.peak_mb, 0),
        mean.remark,
    )


def saving_table(results: Results, anchor: str) -> Cells:
    """BD-rates against the anchor; empty where no curves allow any."""
    head = ("codec", f"BD-rate vs {anchor}, %", "BD-PSNR, dB", "over, dB", "curves of")
    rows = [
        (
            saving.codec,
            f"{saving.rate:+.1f}",
            f"{saving.psnr:+.2f}",
            "{:.1f} to {:.1f}".format(*saving.span),
            saving.kind,
        )
        for saving in savings(results, anchor)
    ]
    return [head, *rows] if rows else []


def sweep_table(results: Results) -> Cells:
    """Means of operating points; empty where nothing was swept."""
    head = ("codec", "setting", "bpp", "PSNR, dB", "MS-SSIM", "encode, s", "decode, s")
    rows = [
        (
            point.codec, point.setting, number(point.bpp, 3), number(point.psnr, 2), number(point.ms_ssim, 4),
            seconds(point.encode_seconds), seconds(point.decode_seconds),
        )
        for point in operating_points(results.rows, results.codecs)
    ]  # fmt: skip
    return [head, *rows] if rows else []


def picture_table(results: Results, picture: str) -> Cells:
    """PSNR and bytes of one picture by target and codec."""
    rows = {(row.target_bpp, row.codec): row for row in results.rows if row.picture == picture and row.kind != SWEEP}
    codecs = [codec for codec in results.codecs if any(codec == name for _, name in rows)]
    cells: Cells = [("bpp", *codecs)]
    for target in results.targets:
        line = [f"{target:g}"]
        for codec in codecs:
            row = rows.get((target, codec))
            if row is None or row.error:
                line.append(NONE)
            else:
                line.append(f"{row.psnr:.2f} dB, {row.bytes:,} B" + (" (over)" if row.use > 1 else ""))
        cells.append(tuple(line))
    return cells


def caption(results: Results) -> str:
    """What the means of the first table are means of."""
    count = len(results.pictures)
    pictures = f"{count} pictures" if count > 1 else results.pictures[0] if results.pictures else "no picture"
    return f"{pictures}; PSNR and MS-SSIM: mean, {AT_TARGET}; seconds: median; memory: peak"


def markdown(cells: Cells, left: int = 2) -> str:
    """A table as Markdown: the first ``left`` columns to the left, the others to the right."""
    head, *rows = cells
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def number(value: float, digits: int) -> str:
    """A figure, or a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NONE


def seconds(value: float) -> str:
    """A time with the digits that count."""
    if not math.isfinite(value):
        return NONE
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"
