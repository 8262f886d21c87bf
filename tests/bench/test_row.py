from __future__ import annotations

from dataclasses import fields

from inrcodec.bench.row import Row


def test_columns_keep_their_names_and_order() -> None:
    """Files of results are read by other people's programs: a name may be added at the end, none may change."""
    assert [field.name for field in fields(Row)] == [
        "picture", "width", "height", "codec", "kind", "target_bpp", "setting", "bytes", "bpp", "use", "psnr",
        "ms_ssim", "encode_seconds", "decode_seconds", "peak_mb", "seed", "versions", "error",
    ]  # fmt: skip
