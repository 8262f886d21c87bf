"""The architectures an encode can use, by name."""

from __future__ import annotations

from inrcodec.encoder import ARCHITECTURES, EncodeOptions, Target, architecture, tile_side
from inrcodec.fit.grid.scalable import ScalableSession
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.tiled import TiledSession
from inrcodec.fit.session import AnySession
from inrcodec.fit.siren import SirenSession

SESSIONS: dict[str, type[AnySession]] = {"siren": SirenSession, "grid": GridSession}
"""What encodes with an architecture."""


def session_of(options: EncodeOptions, target: Target, pixels: int) -> type[AnySession]:
    """What encodes a picture of so many pixels with these options.

    Raises:
        ValueError: there is no such architecture.
    """
    name = architecture(options, target, pixels)
    if name not in SESSIONS:
        raise ValueError(f"no architecture {name!r}; there are {', '.join(ARCHITECTURES)}")
    if name != "grid":
        if options.tile and options.arch == name:
            raise ValueError("--tile is for --arch grid")
        return SESSIONS[name]
    if tile_side(options, pixels):
        return TiledSession
    return ScalableSession if options.scalable else SESSIONS[name]
