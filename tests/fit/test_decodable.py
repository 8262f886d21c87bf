from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from inrcodec.decoder import decoding_work
from inrcodec.encoder import EncodeOptions, Target, plan
from inrcodec.errors import TargetError
from inrcodec.fit.candidate import Candidate
from inrcodec.fit.decodable import check_decodable, decodable
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.grid.sizing import auto_grid
from inrcodec.fit.sizing import auto_sparse
from inrcodec.format.container import Header
from inrcodec.format.stream import Stream, pack
from inrcodec.limits import Limits
from inrcodec.net.grid import GridArch

KODAK, FULL_HD, CAMERA = Header(768, 512), Header(1920, 1080), Header(4000, 3000)


def _cap(header: Header, bpp: float) -> int:
    return round(bpp * header.pixels / 8)


@pytest.mark.parametrize("header", [KODAK, FULL_HD, CAMERA])
@pytest.mark.parametrize("bpp", [0.05, 0.1, 0.3, 1.0])
def test_usual_files_have_all_grids(header: Header, bpp: float) -> None:
    arch = auto_grid(header, _cap(header, bpp))
    assert arch == auto_grid(header)
    assert arch.finest == 0
    check_decodable(header, arch, _cap(header, bpp))
    assert auto_grid(header, _cap(header, bpp), coarse=True) == replace(arch, finest=1)


@pytest.mark.parametrize("bpp", [0.02, 0.05, 0.3, 0.6])
def test_usual_networks_alone_are_decodable(bpp: float) -> None:
    for header in (KODAK, Header(1024, 768)):
        check_decodable(header, auto_sparse(header, _cap(header, bpp)), _cap(header, bpp))


def test_scalable_files_of_usual_pictures_have_all_grids() -> None:
    assert auto_grid(KODAK, _cap(KODAK, 0.1), 2).finest == 0


def test_small_files_of_large_pictures_go_without_fine_grids() -> None:
    arch = auto_grid(FULL_HD, 4000)
    assert 0 < arch.finest <= 3
    assert decodable(FULL_HD, arch, 4000)
    assert not decodable(FULL_HD, auto_grid(FULL_HD), 4000)


@pytest.mark.parametrize("options", [EncodeOptions(arch="siren"), EncodeOptions(arch="siren", layers="8x64")])
def test_what_no_decoder_would_take_is_refused_before_the_fit(options: EncodeOptions) -> None:
    with pytest.raises(TargetError, match="4000x3000 pixels is more work than decoders accept by default"):
        plan(4000, 3000, 3, Target("bytes", 9000), options)
    with pytest.raises(TargetError, match="by default of a file of 9000 bytes"):
        plan(12_000, 10_000, 3, Target("bytes", 9000), EncodeOptions(arch="grid"))
    assert plan(768, 512, 3, Target("bytes", 9000), options).cap_bytes == 9000


def test_more_latents_than_a_decoder_takes_are_not_begun() -> None:
    header, huge = Header(10_000, 10_000), 10**7
    assert GridArch(0, 6).latents(10_000, 10_000) > Limits().max_latents
    assert not decodable(header, GridArch(0, 6), huge)
    assert auto_grid(header, huge).finest == 1


def test_a_file_that_came_out_too_small_says_what_it_needs(make_stream: Callable[..., Stream]) -> None:
    """Nothing of a large picture may be worth bytes; then only the file's own length is known to be too short."""
    for width, more in ((9, False), (8000, True)):
        stream = replace(make_stream((1,)), header=Header(width, 4000))
        data = pack(stream)
        needs = Candidate(stream, data, 30.0, 10**6, cast("FittedNet", None)).needs
        assert needs == (decoding_work(data) if more else None)
