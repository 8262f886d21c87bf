from __future__ import annotations

import json

from inrcodec.bench.export import compressai_files, to_json
from inrcodec.bench.results import Results


def test_json_names_the_two_kinds_of_mean(results: Results) -> None:
    value = json.loads(to_json(results))
    assert len(value["rows"]) == len(results.rows)
    assert value["effort"] == "5"
    assert set(value["means"]) == {"every picture at exactly the target", "mean of operating points"}
    over = [mean for mean in value["means"]["every picture at exactly the target"] if mean["over"]]
    assert [(mean["codec"], mean["psnr"]) for mean in over] == [("jpeg-opt", None)]
    assert value["rows"][-1]["use"] is None  # a sweep has no cap


def test_compressai_reads_a_file_for_each_codec_and_kind(results: Results) -> None:
    files = {name: json.loads(text) for name, text in compressai_files(results).items()}
    assert sorted(files) == [
        "inr-targets.json", "jpeg-opt-sweep.json", "jpeg-opt-targets.json", "webp-sweep.json", "webp-targets.json",
    ]  # fmt: skip
    ours = files["inr-targets.json"]
    assert ours["name"] == "inr"
    assert "every picture at exactly the target" in ours["description"]
    assert "mean of operating points" in files["webp-sweep.json"]["description"]
    assert set(ours["results"]) == {"bpp", "psnr-rgb", "ms-ssim-rgb", "encoding_time", "decoding_time"}
    assert ours["results"]["psnr-rgb"] == [27.0, 29.0, 31.0]
    assert len(files["jpeg-opt-targets.json"]["results"]["bpp"]) == 2
