"""Embedded colour profiles: converted to sRGB, the space every picture is coded in."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from inrcodec.image.samples import Samples

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def to_srgb(samples: Samples, image: Image.Image) -> tuple[Samples, list[str]]:
    """Convert samples to sRGB through the picture's profile.

    Args:
        samples: gray, RGB or CMYK samples.
        image: the Pillow picture they came from, for its profile.

    Returns:
        Gray or RGB samples and remarks. Without a usable profile gray and RGB stay as they are, and CMYK takes the
        plain formula. 16-bit samples keep their values, because the conversion would cost their precision.
    """
    profile = image.info.get("icc_profile")
    notes: list[str] = []
    if isinstance(profile, bytes) and profile:
        if samples.depth == 16:
            notes.append("ICC profile ignored (16-bit samples)")
        else:
            converted, note = _convert(samples, profile)
            if converted is not None:
                return converted, [note] if note else []
            notes.append(note)
    if samples.array.shape[2] == 4:
        samples = Samples(np.asarray(Image.fromarray(samples.array, "CMYK").convert("RGB")))
        notes.append("CMYK converted to RGB")
    return samples, notes


def _convert(samples: Samples, profile: bytes) -> tuple[Samples | None, str]:
    """The converted samples, or None, and a remark (empty where there is nothing to say)."""
    try:
        from PIL import ImageCms
    except ImportError:
        return None, "ICC profile ignored (this Pillow cannot convert colours)"
    channels = samples.array.shape[2]
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if channels != 4 and "sRGB" in ImageCms.getProfileDescription(source):
            return samples, ""
        flat = samples.array[:, :, 0] if channels == 1 else samples.array
        picture = Image.fromarray(np.ascontiguousarray(flat), _MODES[channels])
        target = ImageCms.createProfile("sRGB")
        result = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, "ICC profile ignored (damaged, or not for this kind of picture)"
    if result is None:
        return None, "ICC profile ignored"
    array = np.asarray(result)
    if channels == 1 and (array == array[:, :, :1]).all():
        array = array[:, :, :1]  # gray stays one channel
    return Samples(array, alpha=samples.alpha), "ICC profile converted to sRGB"
