"""Results for other programs: JSON with everything, and the JSON that compressai plots."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from inrcodec.bench.results import Results
from inrcodec.bench.summary import AT_TARGET, OPERATING_POINTS, operating_points, target_means
from inrcodec.strict_json import finite


class _Mean(Protocol):
    """What the two kinds of mean have in common."""

    @property
    def bpp(self) -> float: ...
    @property
    def psnr(self) -> float: ...
    @property
    def ms_ssim(self) -> float: ...
    @property
    def encode_seconds(self) -> float: ...
    @property
    def decode_seconds(self) -> float: ...


def to_json(results: Results) -> str:
    """Rows, and both kinds of mean under names that tell them apart; numbers that are none become null."""
    value = {
        **results.head,
        "rows": [asdict(row) for row in results.rows],
        "means": {
            AT_TARGET: [asdict(mean) for mean in target_means(results.rows, results.codecs)],
            OPERATING_POINTS: [asdict(point) for point in operating_points(results.rows, results.codecs)],
        },
    }
    return json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def compressai_files(results: Results) -> dict[str, str]:
    """A file for each codec and kind of mean, by its name, as ``python -m compressai.utils.plot`` reads them."""
    files = {}
    at_targets = [mean for mean in target_means(results.rows, results.codecs) if mean.complete]
    points = operating_points(results.rows, results.codecs)
    for codec in results.codecs:
        kinds: tuple[tuple[str, str, list[Any]], ...] = (
            ("targets", AT_TARGET, [mean for mean in at_targets if mean.codec == codec]),
            ("sweep", OPERATING_POINTS, [point for point in points if point.codec == codec]),
        )
        for kind, means, chosen in kinds:
            if chosen:
                text = f"{codec}: {means}, {len(results.pictures)} pictures; {results.head.get('command', '')}"
                files[f"{codec.replace(':', '-')}-{kind}.json".replace("/", "-")] = _compressai(codec, text, chosen)
    return files


def _compressai(name: str, description: str, means: Iterable[_Mean]) -> str:
    means = list(means)
    results = {
        "bpp": [mean.bpp for mean in means],
        "psnr-rgb": [mean.psnr for mean in means],
        "ms-ssim-rgb": [mean.ms_ssim for mean in means],
        "encoding_time": [mean.encode_seconds for mean in means],
        "decoding_time": [mean.decode_seconds for mean in means],
    }
    value = {"name": name, "description": description, "results": results}
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
