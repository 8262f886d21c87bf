"""One line of the results: one codec on one picture, measured on its file and on the decoded picture."""

from __future__ import annotations

from dataclasses import dataclass

TARGET = "target"
"""Kind of a row: the best file within a target's bytes."""

SWEEP = "sweep"
"""Kind of a row: one setting of the codec, wherever its rate falls."""


@dataclass(frozen=True)
class Row:
    """One codec at one target on one picture, or one point of a sweep.

    Attributes:
        picture: name of the picture's file without its ending.
        width: columns of pixels.
        height: rows of pixels.
        codec: name of the codec or of the variant: ``inr``, ``inr:effort=1``, ``jpeg-opt``.
        kind: ``target`` (the largest setting within ``target_bpp``) or ``sweep``.
        target_bpp: bits per pixel asked for; NaN for a point of a sweep.
        setting: what gave the file: ``quality 37``, ``siren 7x56 effort 5``.
        bytes: of the whole file.
        bpp: 8 bytes / pixels.
        use: bytes / cap; NaN for a sweep. More than 1 says that the codec writes nothing that small, and that this is
            its smallest file.
        psnr: RGB, of the decoded 8-bit picture, dB.
        ms_ssim: NaN where a side has 160 pixels or less.
        encode_seconds: until the file was there; for a target that includes the search for the setting.
        decode_seconds: from the file's bytes to pixels.
        peak_mb: largest resident memory of the process that did it, in MiB.
        seed: of the random numbers; -1 where there are none.
        versions: of what made the file: ``inrcodec 0.1.0; numpy 2.4.6``.
        error: why there is no result (the figures are then NaN or 0), in one line.
    """

    picture: str
    width: int
    height: int
    codec: str
    kind: str
    target_bpp: float
    setting: str
    bytes: int
    bpp: float
    use: float
    psnr: float
    ms_ssim: float
    encode_seconds: float
    decode_seconds: float
    peak_mb: float
    seed: int
    versions: str
    error: str = ""
