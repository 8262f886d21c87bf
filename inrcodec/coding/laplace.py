"""Laplace laws of the latents, integrated over the unit interval around each integer, as rows of one table.

With ``t = e^(-1 / (64 b))``, the share of a tail of scale b that lies beyond a 64th of a symbol, all masses are made
of powers of t. Sixteen values of t are written here as integers; squaring gives those of every other octave, and the
rest is float64 ``+ - *``: every machine builds the same bits.

A latent is its law's centre (the integer nearest to the position) plus an offset. Offsets are counted in bins of width
w, 1 for scales below 8 and then so that b / w stays in 4 .. 8; within a bin the law is as good as flat (0.07 % of the
bits at most). What a latent sends, each an index under a row of 65 probabilities:

    main   0 .. 64    bin -32 .. 32, where the two outermost mean "there or beyond"
    tail   0 .. 64    how far beyond, 64 meaning "64 or more, another tail follows": a geometric law
    low    0 .. w-1   which integer of the bin, when w > 1
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from inrcodec.coding.rangecoder import Reader
from inrcodec.errors import BitstreamError
from inrcodec.net.context import FRACTIONS, MAX_LATENT, PER_OCTAVE, SCALES, UNIT_SCALE

REACH = 32
"""The bin from which a tail follows."""

COLUMNS = 2 * REACH + 1
MORE = COLUMNS - 1
"""The index in a tail that another tail follows."""

WIDE = UNIT_SCALE + 3 * PER_OCTAVE
"""The first scale whose bins hold several integers."""

TAIL = SCALES * FRACTIONS
"""The tails' rows come after those of all scales and positions, one a scale ..."""

LOW = TAIL + SCALES
"""... and then those of the bins of 1, 2, 4 .. 64 integers."""

_LOW_ROWS = (SCALES - 1 - WIDE) // PER_OCTAVE + 2

_GAPS = (
    653749799397, 626033915894, 599493014981, 574077287885, 549739037013, 526432586487, 504114196473, 482741981138,
    462275830083, 442677333099, 423909708119, 405937732212, 388727675510, 372247237928, 356465488567, 341352807685,
)  # fmt: skip
"""2^53 (1 - t) of the scales of the highest octave."""

_FARTHEST = 2 * (MAX_LATENT + 1)
"""No offset is larger."""

Int = NDArray[np.int32]


def decays() -> NDArray[np.float64]:
    """The decay ``t`` of every scale, ``(256,)``."""
    octave = 1.0 - np.array(_GAPS, np.float64) * 2.0**-53
    octaves = [octave]
    for _ in range(SCALES // PER_OCTAVE - 1):
        octaves.append(octaves[-1] * octaves[-1])
    return np.concatenate(octaves[::-1])


def width_exponents() -> Int:
    """log2 of the bins' width at every scale, ``(256,)``."""
    scale = np.arange(SCALES, dtype=np.int32)
    return np.maximum(0, (scale - WIDE) // PER_OCTAVE + 1)


def _power(base: NDArray[np.float64], exponent: Int) -> NDArray[np.float64]:
    """``base ** exponent`` elementwise by squaring, low bits first."""
    result = np.ones(np.broadcast_shapes(base.shape, exponent.shape))
    for bit in range(int(exponent.max()).bit_length()):
        result = np.where(exponent >> bit & 1, result * base, result)
        base = base * base
    return result


@cache
def table() -> NDArray[np.float64]:
    """Probabilities, ``(rows, 65)``: main rows (scale x 64 + fraction), tail rows, low rows."""
    exponents = width_exponents()[:, None]
    decay = decays()[:, None]
    fraction = np.arange(FRACTIONS, dtype=np.int32)[None, :]
    width = np.int32(1) << exponents
    # The centre's bin reaches from half its integers (rounded down) and half a symbol below to as much above.
    left = 0.5 * _power(decay, FRACTIONS * (width >> 1) + fraction)
    right = 0.5 * _power(decay, FRACTIONS * (width - (width >> 1)) - fraction)
    bin_decay = _power(decay, FRACTIONS * width)
    beyond = np.ones((SCALES, COLUMNS))  # powers of the bins' decay
    for k in range(1, COLUMNS):
        beyond[:, k] = beyond[:, k - 1] * bin_decay[:, 0]
    within = beyond * (1.0 - bin_decay)
    rows = np.zeros((LOW + _LOW_ROWS, COLUMNS))
    main = rows[:TAIL].reshape(SCALES, FRACTIONS, COLUMNS)
    side = within[:, :REACH].copy()
    side[:, REACH - 1] = beyond[:, REACH - 1]
    np.multiply(left[:, :, None], side[:, None, ::-1], out=main[:, :, :REACH])
    np.multiply(right[:, :, None], side[:, None, :], out=main[:, :, REACH + 1 :])
    main[:, :, REACH] = 1.0 - (left + right)
    rows[TAIL:LOW, :MORE] = within[:, :MORE]
    rows[TAIL:LOW, MORE] = beyond[:, MORE]
    for k in range(_LOW_ROWS):
        rows[LOW + k, : 1 << k] = 0.5**k
    rows.flags.writeable = False
    return rows


@cache
def costs() -> NDArray[np.float64]:
    """Bits of every index under every row, as the range coder charges them; for the encoder alone.

    The coder gives each index one part in 2^24 and shares out the rest.
    """
    probabilities = table() / table().sum(1, keepdims=True)
    found: NDArray[np.float64] = 24.0 - np.log2(probabilities * (2.0**24 - COLUMNS) + 1.0)
    return found


class LawReader:
    """Decodes so many latents at a time.

    Args:
        reader: the stream.
        count: how many.
    """

    def __init__(self, reader: Reader, count: int) -> None:
        self._reader = reader
        self._table = table()
        self._exponents = width_exponents()
        self._probabilities = np.empty((count, COLUMNS))
        self._rows, self._spare = np.empty(count, np.int32), np.empty(count, np.int32)

    def read(self, centred: Int, scale: Int) -> Int:
        """The next latents.

        Args:
            centred: positions in 64ths of a symbol plus 32, ``(count,)``.
            scale: indices of scales, ``(count,)``.

        Raises:
            BitstreamError: the coder rejects the stream, or a latent is out of all bounds.
        """
        rows, spare = self._rows, self._spare
        np.left_shift(scale, 6, out=rows)
        np.bitwise_and(centred, FRACTIONS - 1, out=spare)
        np.bitwise_or(rows, spare, out=rows)
        self._table.take(rows, 0, self._probabilities, "clip")
        bins = self._reader.rows(self._probabilities)
        np.bitwise_and(bins, 2 * REACH - 1, out=spare)  # 0 for the two outermost
        np.subtract(bins, REACH, out=bins)
        far = np.count_nonzero(spare) < len(bins)
        if far:
            self._tails(bins, scale, np.flatnonzero(spare == 0))
        if np.count_nonzero(scale >= WIDE):
            self._low(bins, scale)
        np.right_shift(centred, 6, out=spare)
        np.add(bins, spare, out=bins)
        if far and int(np.abs(bins).max()) > MAX_LATENT:  # without a tail it is below 2^13, and the caller will see
            raise BitstreamError(f"a latent is over {MAX_LATENT}")
        return bins

    def _tails(self, bins: Int, scale: Int, active: NDArray[np.intp]) -> None:
        """Add what lies beyond the outermost bins."""
        side = np.sign(bins)
        while active.size:
            more = self._reader.rows(self._table[TAIL + scale[active]])
            bins[active] += side[active] * more
            active = active[more == MORE]
            if active.size and int(np.abs(bins[active]).max()) > _FARTHEST:
                raise BitstreamError("a latent is out of bounds")

    def _low(self, bins: Int, scale: Int) -> None:
        """Turn bins into offsets."""
        wide = np.flatnonzero(scale >= WIDE)
        exponent = self._exponents[scale[wide]]
        low = self._reader.rows(self._table[LOW + exponent])
        if (low >> exponent).any():
            raise BitstreamError("a latent lies outside its bin")
        bins[wide] = (bins[wide] << exponent) + low - (1 << exponent >> 1)


def codes(symbols: Int, centred: Int, scale: Int) -> tuple[Int, Int, NDArray[np.intp], Int]:
    """What :class:`LawReader` reads for latents: all indices they send, round by round.

    Args:
        symbols: the latents, flat, magnitudes at most 4095.
        centred: positions in 64ths of a symbol plus 32.
        scale: indices of scales.

    Returns:
        Row of the table, index in it, number of the latent, and the round (0 main, then tails, last the low one), for
        every index sent; sorted by round and then by latent.
    """
    exponent = width_exponents()[scale]
    offset = symbols - (centred >> 6) + (1 << exponent >> 1)
    bins = offset >> exponent
    excess = np.abs(bins) - REACH
    parts = [(scale << 6 | centred & FRACTIONS - 1, np.clip(bins, -REACH, REACH) + REACH, np.arange(len(symbols)))]
    active = np.flatnonzero(excess >= 0)
    while active.size:
        parts.append((TAIL + scale[active], np.minimum(excess[active], MORE), active))
        excess[active] -= MORE
        active = active[excess[active] >= 0]
    wide = np.flatnonzero(exponent)
    parts.append((LOW + exponent[wide], offset[wide] & (1 << exponent[wide]) - 1, wide))
    rounds = [np.full(len(part[0]), k, np.int32) for k, part in enumerate(parts)]
    rows, indices, latents = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return rows.astype(np.int32), indices.astype(np.int32), latents, np.concatenate(rounds)
