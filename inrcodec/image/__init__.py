"""Pictures in and out of files, through Pillow: modes, depth, orientation, colour profiles, alpha, metadata."""

from __future__ import annotations

from inrcodec.image.alpha import with_alpha
from inrcodec.image.load import LoadedImage, load_image
from inrcodec.image.save import FORMATS, format_of, losses, picture_bytes, save_image

__all__ = ["FORMATS", "LoadedImage", "format_of", "load_image", "losses", "picture_bytes", "save_image", "with_alpha"]
