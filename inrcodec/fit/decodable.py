"""Whether a decoder at its default limits will take the file that an encode is about to make."""

from __future__ import annotations

from inrcodec.errors import TargetError
from inrcodec.format.container import Header
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch
from inrcodec.net.grid import GridArch
from inrcodec.net.work import whole_work

_FILLED = 0.95
"""Part of its cap that a file is taken to fill, as its length says what a decoder allows."""


def decodable(header: Header, arch: Arch | GridArch, cap: int) -> bool:
    """Whether default limits allow a file of about ``cap`` bytes with this network, all of its grids coded."""
    limits = Limits().of_file(round(_FILLED * cap))
    shapes = arch.plane_shapes(header.width, header.height) if isinstance(arch, GridArch) else ()
    if sum(rows * columns for rows, columns in shapes) > limits.max_latents:
        return False
    return whole_work(arch, header.width, header.height) <= limits.max_work


def check_decodable(header: Header, arch: Arch | GridArch, cap: int) -> None:
    """Refuse to begin what could not be decoded without further ado.

    Raises:
        TargetError: it takes more work than default limits allow a file of ``cap`` bytes.
    """
    if not decodable(header, arch, cap):
        wish = "a larger file" if isinstance(arch, GridArch) else "fewer --layers, or --arch grid and a larger file"
        raise TargetError(
            f"a {arch} network over {header.width}x{header.height} pixels is more work than decoders accept by default "
            f"of a file of {cap} bytes; ask for {wish}"
        )
