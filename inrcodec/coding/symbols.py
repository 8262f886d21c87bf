"""What the file says about the weights: integer symbols under integer laws, or plain half floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding import rangecoder
from inrcodec.coding.law import Law, bits
from inrcodec.errors import BitstreamError
from inrcodec.net.arch import Network
from inrcodec.net.prior import NO_PRIOR, base_tensors

Tensors = Mapping[str, NDArray[np.float32]]
"""Float weights by tensor name, of the shapes of :meth:`Network.tensors`."""


@dataclass(frozen=True)
class Symbols:
    """Quantised weights.

    Attributes:
        arch: the network they belong to.
        laws: one law a tensor, in the order of :meth:`Network.tensors`.
        values: one ``int32`` array a tensor, of its shape, ``|value| <= law.largest``.
        prior: what they are added to; see :func:`inrcodec.net.prior.base_tensors`.
    """

    arch: Network
    laws: tuple[Law, ...]
    values: tuple[NDArray[np.int32], ...]
    prior: int = NO_PRIOR

    def __post_init__(self) -> None:
        specs = self.arch.tensors()
        if not len(specs) == len(self.laws) == len(self.values):
            raise BitstreamError(f"expected {len(specs)} tensors, got {len(self.laws)} laws, {len(self.values)} arrays")

    @property
    def kept(self) -> int:
        """Weights that are not zero."""
        return sum(int(np.count_nonzero(v)) for v in self.values)

    def tensor_bits(self) -> tuple[float, ...]:
        """Ideal code length of each tensor in bits."""
        return tuple(float(bits(law)[np.abs(value)].sum()) for law, value in zip(self.laws, self.values, strict=True))

    def exact(self) -> dict[str, NDArray[np.float64]]:
        """Weights by name: symbol times step, added to the base; what the context model is made of."""
        found = {
            spec.name: value.astype(np.float64) * law.delta
            for spec, law, value in zip(self.arch.tensors(), self.laws, self.values, strict=True)
        }
        if self.prior == NO_PRIOR:
            return found
        return {name: base + found[name] for name, base in base_tensors(self.arch, self.prior).items()}

    def dequantize(self) -> dict[str, NDArray[np.float32]]:
        """Float weights by name, rounded once to float32."""
        return {name: value.astype(np.float32) for name, value in self.exact().items()}

    def encode(self) -> bytes:
        """The entropy-coded payload of a file without latents."""
        writer = rangecoder.Writer()
        self.write(writer)
        return writer.finish()

    def write(self, writer: rangecoder.Writer) -> None:
        """Code the weights as the first part of a stream."""
        for law, value in zip(self.laws, self.values, strict=True):
            writer.under(law, value.ravel())

    @classmethod
    def read(cls, reader: rangecoder.Reader, arch: Network, laws: tuple[Law, ...], prior: int = NO_PRIOR) -> Symbols:
        """The inverse of :meth:`write`.

        Raises:
            BitstreamError: the coder rejects the stream.
        """
        flat = ((reader.under(law, spec.size), spec) for law, spec in zip(laws, arch.tensors(), strict=True))
        return cls(arch, laws, tuple(values.reshape(spec.shape) for values, spec in flat), prior)

    @classmethod
    def decode(cls, payload: bytes, arch: Network, laws: tuple[Law, ...]) -> Symbols:
        """The inverse of :meth:`encode`.

        Raises:
            BitstreamError: the payload is not a stream under these laws.
        """
        specs = arch.tensors()
        flat = rangecoder.decode(payload, [(law, spec.size) for law, spec in zip(laws, specs, strict=True)])
        return cls(arch, laws, tuple(v.reshape(spec.shape) for v, spec in zip(flat, specs, strict=True)))


def halves_encode(arch: Network, tensors: Tensors) -> bytes:
    """All weights as big-endian binary16, tensor after tensor: COIN's 16 bits a weight."""
    return b"".join(np.asarray(tensors[spec.name]).astype(">f2").tobytes() for spec in arch.tensors())


def halves_decode(payload: bytes, arch: Network) -> dict[str, NDArray[np.float32]]:
    """The inverse of :func:`halves_encode`.

    Raises:
        BitstreamError: the payload has the wrong length or holds a weight that is not finite.
    """
    if len(payload) != 2 * arch.params:
        raise BitstreamError(f"{arch.params} half-precision weights take {2 * arch.params} bytes, not {len(payload)}")
    flat = np.frombuffer(payload, dtype=">f2").astype(np.float32)
    if not np.isfinite(flat).all():
        raise BitstreamError("a weight is not finite")
    ends = np.cumsum([spec.size for spec in arch.tensors()])[:-1]
    return {
        spec.name: part.reshape(spec.shape) for spec, part in zip(arch.tensors(), np.split(flat, ends), strict=True)
    }
