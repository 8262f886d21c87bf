from __future__ import annotations

import pytest

from inrcodec.bench.codec import codec, split
from inrcodec.bench.codecs.inr import Inr, variant
from inrcodec.bench.methods import method_specs
from inrcodec.fit.methods import METHODS


def test_every_method_is_a_codec_with_the_same_time() -> None:
    made = [codec(spec, effort=5) for spec in split(method_specs(2.5))]
    assert len({one.name for one in made}) == len(made) > 8
    for one in made:
        assert isinstance(one, Inr)
        assert one.options.max_time == 2.5
    methods = {one.options.method for one in made if isinstance(one, Inr)}
    assert methods == set(METHODS) - {"penalized"}  # which cannot be told a size
    assert (
        len({(one.options.method, one.options.overrides, one.options.arch) for one in made if isinstance(one, Inr)}) > 8
    )


def test_times_and_coders_of_variants() -> None:
    options = variant("x", "max_time=1.5,coder=brotli,encoding=nerf:8").options
    assert (options.max_time, options.coder, options.encoding) == (1.5, "brotli", "nerf:8")
    with pytest.raises(ValueError, match="max_time is a number, not 'soon'"):
        variant("x", "max_time=soon")
    with pytest.raises(ValueError, match="no coder 'zip'"):
        variant("x", "coder=zip")
    with pytest.raises(ValueError, match="looks like nerf"):
        variant("x", "encoding=magic")
