from __future__ import annotations

import numpy as np
import pytest

from inrcodec.bench.codec import Picture
from inrcodec.bench.codecs.inr import variant
from inrcodec.encoder import Progress
from inrcodec.errors import TargetError

TINY = "effort=1,layers=2x8,seed=3,set.steps=20,set.candidates=1"


def test_a_text_describes_a_variant() -> None:
    options = variant("a", "method=coin,effort=2,layers=7x56,arch=siren,seed=3,set.lr=5e-4,set.sigma=0.2,0.1").options
    assert (options.method, options.effort, options.layers, options.arch, options.seed) == (
        "coin", 2, "7x56", "siren", 3,
    )  # fmt: skip
    assert options.overrides == (("lr", "5e-4"), ("sigma", "0.2,0.1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed=3", "no option 'speed=3'; there are method, effort, layers, "),
        ("effort", "no option 'effort'"),
        ("effort=", "no option 'effort='"),
        ("threads=4", "no option"),
        ("effort=high", "effort is a whole number"),
        ("effort=10", "effort runs from 1 to 9"),
        ("method=none", "no method 'none'; there are l0"),
        ("arch=cnn", "arch is one of auto, siren, grid"),
        ("engine=jax", "engine is one of"),
        ("layers=many", "many"),
        ("set.speed=3", "no setting 'speed'"),
        ("set.lr=fast", "lr takes a float"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        variant("a", text)


def test_a_picture_goes_in_and_comes_out(colours: Picture) -> None:
    heard: list[Progress] = []
    ours = variant("tiny", TINY, threads=1, observer=heard.append)
    assert ours.available() == ""
    coded = ours.within(colours, 500)
    assert len(coded.data) <= 500
    assert (coded.setting, coded.seed) == ("2x8 effort 1", 3)
    assert ours.decode(coded.data).shape == colours.shape
    assert heard
    assert list(ours.sweep(colours)) == []


def test_gray_is_coded_in_one_channel(grays: Picture) -> None:
    from inrcodec.decoder import probe

    ours = variant("tiny", TINY + ",method=coin", threads=1)
    coded = ours.within(grays, 700)
    assert probe(coded.data).channels == 1
    assert coded.setting == "2x8 coin effort 1"
    decoded = ours.decode(coded.data)
    assert decoded.shape == grays.shape
    np.testing.assert_array_equal(decoded[:, :, 0], decoded[:, :, 1])


def test_a_target_nothing_meets(colours: Picture) -> None:
    with pytest.raises(TargetError):
        variant("tiny", TINY, threads=1).within(colours, 5)


def test_versions_name_what_does_the_arithmetic() -> None:
    names = [part.split()[0] for part in variant("a", "").versions().split("; ")]
    assert names == ["inrcodec", "numpy", "torch", "numba", "constriction"]
