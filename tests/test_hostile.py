"""The most that a small file may ask for at default limits takes less than two seconds and little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inrcodec.coding.law import Law
from inrcodec.decoder import View, anatomy, decode_pixels, decoding_work, probe
from inrcodec.errors import InrError, LimitError
from inrcodec.format.container import Header, Tag, write
from inrcodec.format.sections import GridHead, LayersHead, write_grid, write_laws, write_layers, write_siren
from inrcodec.limits import Limits
from inrcodec.net.arch import Arch
from inrcodec.net.encoding import Encoding
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import PRIOR_ARCH

ZEROS, ONES, WIDE = Law(100, 0), Law(100, 1, 255), Law(100, 143, 1, 255, 255)
SIDES: dict[str, Callable[[int], tuple[int, int]]] = {
    "square": lambda n: (n, n),
    "column": lambda n: (1, n),
    "two columns": lambda n: (2, n),
    "narrow": lambda n: (8, n),
    "row": lambda n: (n, 1),
    "wide": lambda n: (65535, n),
}


@dataclass(frozen=True)
class Hostile:
    """A file of a few bytes that can be made to ask for ever more.

    Attributes:
        arch: its network.
        law: of all tensors.
        coded: how many of its grids are in the stream, from the coarsest.
        depth: bits a sample.
        payload: the stream; nothing spells zeros for ever.
    """

    arch: Arch | GridArch
    law: Law = ZEROS
    coded: int = 99
    depth: int = 8
    payload: bytes = field(default=b"", repr=False)

    def file(self, width: int, height: int) -> bytes:
        arch = self.arch
        sections: dict[Tag, bytes] = {}
        if isinstance(arch, Arch):
            sections[Tag.SIREN] = write_siren(arch)
        sections |= {Tag.LAWS: write_laws((self.law,) * len(arch.tensors())), Tag.SYMBOLS: self.payload}
        if isinstance(arch, GridArch):
            flags = tuple(plane < self.coded for plane in range(arch.planes))
            base = arch.base if isinstance(arch, LayeredArch) else arch
            sections[Tag.GRID] = write_grid(GridHead(base, flags[: arch.grids]))
            if isinstance(arch, LayeredArch):
                head = LayersHead(arch.refinements, arch.ratio, arch.scale, flags[arch.grids :])
                sections[Tag.LAYERS] = write_layers(head)
        return write(Header(width, height, arch.outputs, self.depth), sections)

    def worst(self, sides: Callable[[int], tuple[int, int]]) -> bytes:
        """The largest of such a shape that default limits let pass."""
        low, high = 1, 65536
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.passes(*sides(middle)) else (low, middle)
        return self.file(*sides(low))

    def can(self, sides: Callable[[int], tuple[int, int]]) -> bool:
        """Whether anything of such a shape passes."""
        return self.passes(*sides(1))

    def passes(self, width: int, height: int) -> bool:
        data = self.file(width, height)
        try:
            return decoding_work(data) <= Limits().of_file(len(data)).max_work
        except LimitError:
            return False


BARE = GridArch(0, 0, 1, 0, (), (), residuals=0)
FILES = {
    "neuron": Hostile(Arch((1,), 3)),
    "neuron, 16 bits": Hostile(Arch((1,), 3), depth=16),
    "deep": Hostile(Arch((1,) * 64, 3)),
    "gelu": Hostile(Arch((4096,), 3, activation="gelu")),
    "angles": Hostile(Arch((1,), 3, encoding=Encoding("nerf", 64, 101, 0))),
    "prior": Hostile(PRIOR_ARCH),
    "bare grid": Hostile(BARE),
    "context": Hostile(GridArch(0, 6, 14, 11, (128,) * 4, (), residuals=0)),
    "synthesis": Hostile(GridArch(0, 1, 14, 11, (), (128,) * 4, "gelu", residuals=2), ONES, 1),
    "ladder": Hostile(GridArch(0, 12, 1, 0, (), (), residuals=2), ONES, 12),
    "layers": Hostile(LayeredArch.over(PRIOR_ARCH, 3)),
    "thin layers": Hostile(LayeredArch.over(GridArch(0, 6, 1, 0, (), (), residuals=0), 3), ZEROS, 1),
    "flat": Hostile(PRIOR_ARCH, coded=0, depth=16),
}
WEIGHTS = {f"weights under {law}": Hostile(Arch((k,) * 3, 3), law) for k in (550,) for law in (ONES, WIDE)}

MEGABYTES = 300
"""Memory that the decode of a small file may take besides the program."""


def _costs(data: bytes, call: Callable[[bytes], object]) -> tuple[float, float]:
    """Seconds of this thread, and megabytes that the process had not needed before."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    try:
        call(data)
    except LimitError:
        assert call is anatomy, "which counts bits besides, and so takes a little less"
    except InrError:
        pass
    seconds = time.thread_time() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("shape", SIDES)
@pytest.mark.parametrize("name", FILES)
def test_the_worst_of_every_kind_takes_no_two_seconds(name: str, shape: str) -> None:
    if not FILES[name].can(SIDES[shape]):
        return  # a row of 65,535 is too much already, and refused as everything over the limits is
    data = FILES[name].worst(SIDES[shape])
    assert len(data) < 500
    for call in (decode_pixels, anatomy):
        seconds, megabytes = _costs(data, call)
        assert seconds < 2
        assert megabytes < MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_nor_do_many_weights(name: str) -> None:
    hostile = WEIGHTS[name]
    assert hostile.passes(1, 1)
    seconds, megabytes = _costs(hostile.file(1, 1), decode_pixels)
    assert seconds < 2
    assert megabytes < MEGABYTES


@pytest.mark.parametrize("name", FILES)
def test_more_than_that_is_refused_at_once(name: str) -> None:
    data = FILES[name].file(16384, 16384)
    start = time.thread_time()
    with pytest.raises(LimitError, match="limit"):
        decode_pixels(data)
    assert time.thread_time() - start < 0.1
    assert probe(data).width == 16384


def test_longer_files_may_ask_for_more() -> None:
    """The same network and picture, once with a stream of noise that is long enough to pay for them."""
    short = Hostile(Arch((64,) * 5, 3))
    long = Hostile(Arch((64,) * 5, 3), payload=bytes(20_000))
    assert not short.passes(2000, 1000)
    assert long.passes(2000, 1000)


def test_limits_of_a_file_grow_with_it_up_to_the_last() -> None:
    limits = Limits()
    assert limits.of_file(60).max_work == limits.of_file(10_000).max_work == limits.base_work
    assert limits.of_file(10_001).max_work == limits.base_work + limits.byte_work
    assert limits.of_file(10**9).max_work == limits.max_work
    assert limits.of_file(12_345).of_file(12_345) == limits.of_file(12_345)


@pytest.mark.parametrize("name", ["prior", "neuron", "ladder", "bare grid, small"])
def test_previews_and_crops_are_judged_by_what_they_cost(name: str) -> None:
    hostile = FILES.get(name, Hostile(GridArch(0, 8, 1, 0, (), (), residuals=0)))
    data = hostile.file(16384, 16385)  # over max_pixels too
    with pytest.raises(LimitError):
        decode_pixels(data)
    with pytest.raises(LimitError):
        decode_pixels(data, View(scale=0.9))
    if isinstance(hostile.arch, Arch):
        assert decode_pixels(data, View(scale=1 / 128)).array.shape[:2] == (128, 128)
        assert decode_pixels(data, View(crop=(5, 5, 30, 20))).array.shape[:2] == (20, 30)
    else:
        for view in (View(scale=1 / 128), View(crop=(5, 5, 30, 16_000))):
            with pytest.raises(LimitError):  # all of the latents would have to be decoded
                decode_pixels(data, view)


def test_a_narrow_crop_of_a_wide_picture_takes_little_memory(tmp_path: Path) -> None:
    """Its rows are drawn at full width, so that not many of them may be drawn at a time."""
    data = Hostile(GridArch(0, 3, 1, 0, (), (), residuals=0), coded=1).file(8000, 500)
    path = tmp_path / "wide.inr"
    path.write_bytes(data)
    code = (
        "import sys, tracemalloc; from inrcodec.decoder import View, decode_pixels;"
        "data = open(sys.argv[1], 'rb').read();"
        "decode_pixels(data, View(scale=0.1)); tracemalloc.start();"
        "decode_pixels(data, View(crop=(0, 0, 1, 500))); print(tracemalloc.get_traced_memory()[1])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, env=environment)
    assert int(done.stdout) < 12e6, "the whole picture in float32 would take 16 MB for every grid and copy"
