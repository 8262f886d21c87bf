"""Made-up measurements. Imported by a process of its own too, so it imports little."""

from __future__ import annotations

import math

from inrcodec.bench.row import Row


def a_row(
    picture: str = "a", codec: str = "inr", target: float | None = 0.3, psnr: float = 30.0, **others: object
) -> Row:
    """A row; without a target it is a point of a sweep."""
    fields: dict[str, object] = {
        "picture": picture, "width": 768, "height": 512, "codec": codec, "kind": "target" if target else "sweep",
        "target_bpp": target or math.nan, "setting": "quality 7", "bytes": 14745, "bpp": target or 0.5,
        "use": 0.999 if target else math.nan, "psnr": psnr, "ms_ssim": 0.93, "encode_seconds": 2.5,
        "decode_seconds": 0.25, "peak_mb": 80.5, "seed": -1, "versions": "Pillow 13.0.0; libwebp 1.6.0",
    }  # fmt: skip
    return Row(**{**fields, **others})  # type: ignore[arg-type]
