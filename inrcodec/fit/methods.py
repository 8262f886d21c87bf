"""The methods an encode can use, by name. All share container, decoder and accounting: bytes of the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from inrcodec.encoder import EncodeOptions
from inrcodec.fit.sizing import SMALLEST, auto_dense, auto_sparse
from inrcodec.format.container import Header
from inrcodec.net.arch import Arch, parse_activation, parse_layers
from inrcodec.net.encoding import parse_encoding

_SLOPE = 2.8
"""dB that a factor e of rate is worth."""


@dataclass(frozen=True)
class Method:
    """A way to turn pixels into weights.

    Attributes:
        name: as ``--method`` takes it.
        summary: one line for the help.
        quantised: weights go through gates, quantisation and the entropy coder; else they are 16-bit halves.
        auto: picks the architecture for a picture and a cap in bytes.
        anchor: typical PSNR in dB at 0.15 bpp, the first guess of a quality search.
        settings: of a fit, where they are not the default's.
    """

    name: str
    summary: str
    quantised: bool
    auto: Callable[[Header, int, Arch], Arch]
    anchor: float
    settings: Mapping[str, object] = field(default_factory=dict)

    def size(self, header: Header, cap: int, options: EncodeOptions) -> Arch:
        """The architecture: the user's layers, or as many as suit the cap.

        Raises:
            TargetError: the cap is below the smallest file.
            ValueError: layers, activation or encoding cannot be read.
        """
        kind = kind_of(options)
        fitting = self.auto(header, cap, kind)
        return replace(fitting, hidden=parse_layers(options.layers)) if options.layers else fitting

    def psnr(self, bpp: float) -> float:
        """PSNR of a typical picture, the inverse of :meth:`guess`."""
        return self.anchor + _SLOPE * math.log(bpp / 0.15)

    def guess(self, header: Header, psnr: float) -> int:
        """Bytes that a typical picture takes to reach a PSNR: 2.8 dB for every factor e of rate."""
        bpp = 0.15 * math.exp((psnr - self.anchor) / _SLOPE)
        return max(120, round(min(bpp, 4.0) * header.pixels / 8))


METHODS = {
    method.name: method
    for method in (
        Method("l0", "sparse SIREN: L0 gates, trained quantisation, arithmetic coding", True, auto_sparse, 26.0),
        Method("coin", "COIN baseline: dense SIREN, 16 bits a weight", False, auto_dense, 24.0),
        Method("penalized", "the same at a price of bits, --lambda, in place of a size", True, auto_sparse, 26.0),
        Method("bisect", "the same at the price, searched for, that gives the size", True, auto_sparse, 26.0),
        Method(
            "magnitude",
            "a larger dense SIREN, its smallest weights pruned, the others fine-tuned",
            True,
            auto_sparse,
            25.5,
            {"gates": "magnitude", "excess": 2.0},
        ),
    )
}


def kind_of(options: EncodeOptions) -> Arch:
    """What options say of a network whatever its size: activation, frequencies and encoding.

    Raises:
        ValueError: they cannot be read.
    """
    activation, first, others = parse_activation(options.activation)
    encoding = parse_encoding(options.encoding)
    return Arch(SMALLEST, w0_first=first, w0=others, activation=activation, encoding=encoding)


def method(name: str) -> Method:
    """The method of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in METHODS:
        raise ValueError(f"no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]
