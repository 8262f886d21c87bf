"""The methods as encodes: what each does to the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inrcodec.decoder import decode_pixels, probe
from inrcodec.encoder import EncodeOptions, Target, architecture, encode_pixels, plan
from inrcodec.fit.methods import METHODS
from inrcodec.fit.price import ENOUGH
from inrcodec.format.container import Header
from inrcodec.format.stream import unpack
from inrcodec.metrics import psnr
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels

FAST = (("steps", "200"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3"))
QUICK = EncodeOptions(arch="siren", effort=1, threads=1, overrides=FAST)
CAP = Target("bytes", 420)


def _with(options: EncodeOptions, *pairs: tuple[str, str], **changes: object) -> EncodeOptions:
    return replace(options, overrides=(*options.overrides, *pairs), **changes)  # type: ignore[arg-type]


def _hidden(data: bytes) -> tuple[int, ...]:
    arch = unpack(data).arch
    assert isinstance(arch, Arch)
    return arch.hidden


def test_a_higher_price_gives_a_smaller_file(picture: Pixels) -> None:
    options = replace(QUICK, method="penalized", layers="2x14")
    dear, cheap = (encode_pixels(picture, Target("lambda", price), options) for price in (1e-2, 1e-4))
    assert len(dear.data) < 0.8 * len(cheap.data)
    assert dear.report.psnr < cheap.report.psnr
    assert dear.report.cap_bytes is dear.report.use is None


def test_a_search_for_a_price_ends_near_its_target(picture: Pixels) -> None:
    coded = encode_pixels(picture, CAP, replace(QUICK, method="bisect"))
    assert ENOUGH >= 0.98
    assert ENOUGH * 420 <= len(coded.data) <= 420
    trials = coded.report.trials
    assert len(trials) >= 2
    assert len({trial.price for trial in trials}) >= 2
    assert trials[-1].steps == 200
    assert coded.report.steps == sum(trial.steps for trial in trials)
    assert coded.report.as_dict()["trials"][0].keys() == {"price", "steps", "bytes", "psnr"}


@pytest.mark.parametrize(
    ("method", "target"), [("penalized", CAP), ("l0", Target("lambda", 1e-3)), ("bisect", Target("psnr", 20.0))]
)
def test_methods_and_targets_that_do_not_go_together(picture: Pixels, method: str, target: Target) -> None:
    with pytest.raises(ValueError, match=r"go together|no use for --psnr"):
        encode_pixels(picture, target, replace(QUICK, method=method))


def test_magnitude_prunes_a_larger_network(picture: Pixels) -> None:
    plain, pruned = (encode_pixels(picture, CAP, replace(QUICK, method=name)) for name in ("l0", "magnitude"))
    assert pruned.report.params > 1.5 * plain.report.params
    assert pruned.report.kept < 0.7 * pruned.report.params
    assert 0.98 * 420 <= len(pruned.data) <= 420


def test_a_dense_file_is_pruned(picture: Pixels) -> None:
    dense = encode_pixels(picture, Target("bytes", 1500), _with(QUICK, ("steps", "1200"), layers="2x30"))
    options = _with(QUICK, method="magnitude", start=dense.data)
    pruned = encode_pixels(picture, CAP, options)
    assert pruned.report.kept < pruned.report.params <= dense.report.params
    assert pruned.report.steps <= 120  # only the fine-tuning
    as_long = ("steps", str(pruned.report.steps))
    fresh = encode_pixels(picture, CAP, _with(options, as_long, start=None, layers="2x30"))
    assert pruned.report.psnr > fresh.report.psnr + 1  # what was learned is still in it


def test_a_start_that_does_not_fit_is_refused(picture: Pixels, make_file: object) -> None:
    gray = encode_pixels(Pixels(picture.array[..., :1].copy()), CAP, QUICK).data
    with pytest.raises(ValueError, match="cannot start from"):
        encode_pixels(picture, CAP, replace(QUICK, start=gray))


def test_closed_neurons_leave_the_file(picture: Pixels) -> None:
    options = _with(
        QUICK, ("steps", "400"), ("structured", "true"), ("sparsify", "0.3"), ("press", "0.8"), ("excess", "2")
    )
    coded = encode_pixels(picture, CAP, options)
    before = METHODS["l0"].size(_header(picture), 840, options)
    assert sum(_hidden(coded.data)) < 0.9 * sum(before.hidden)
    assert probe(coded.data).params < before.params
    assert 0.97 * 420 <= len(coded.data) <= 420
    assert psnr(picture.array, decode_pixels(coded.data).array) == pytest.approx(coded.report.psnr, abs=0.01)


def _header(picture: Pixels) -> Header:
    return Header(picture.width, picture.height, picture.channels, picture.depth)


@pytest.mark.parametrize("quant", ["nearest", "adaround+qat"])
def test_quantisation_after_the_fit_keeps_to_its_bits_and_cap(picture: Pixels, quant: str) -> None:
    options = _with(QUICK, ("quant", quant), ("bits", "6"), ("adaround_steps", "50"), ("qat_steps", "50"))
    coded = encode_pixels(picture, CAP, options)
    assert 0.8 * 420 <= len(coded.data) <= 420
    weights = unpack(coded.data).weights
    assert max(int(np.abs(value).max()) for value in weights.values) <= 31  # type: ignore[union-attr]


def test_quantisation_after_the_fit_is_for_one_method(picture: Pixels) -> None:
    with pytest.raises(ValueError, match="is for --method l0, not magnitude"):
        encode_pixels(picture, CAP, _with(QUICK, ("quant", "nearest"), method="magnitude"))


def test_brotli_is_another_coder_of_the_same_picture(picture: Pixels) -> None:
    coded = encode_pixels(picture, CAP, replace(QUICK, coder="brotli"))
    assert probe(coded.data).method == "brotli"
    assert 0.9 * 420 <= len(coded.data) <= 420
    plain = encode_pixels(picture, CAP, QUICK)
    assert coded.report.psnr < plain.report.psnr  # the laws know more about weights than brotli does


def test_a_smaller_picture_is_fitted_and_drawn_large(picture: Pixels) -> None:
    coded = encode_pixels(picture, CAP, _with(QUICK, ("downscale", "2")))
    assert decode_pixels(coded.data).array.shape == picture.array.shape
    assert coded.report.psnr > 12
    assert coded.data != encode_pixels(picture, CAP, QUICK).data


@pytest.mark.parametrize(
    "options",
    [
        EncodeOptions(method="magnitude"),
        EncodeOptions(activation="relu"),
        EncodeOptions(encoding="nerf"),
        EncodeOptions(coder="brotli"),
        EncodeOptions(start=b"x"),
        EncodeOptions(overrides=(("structured", "true"),)),
    ],
)
def test_what_only_a_network_alone_has_makes_it_one(options: EncodeOptions, picture: Pixels) -> None:
    assert architecture(EncodeOptions(), CAP, picture.count) == "grid"
    assert architecture(options, CAP, picture.count) == "siren"
    assert options.start or plan(48, 32, 3, CAP, options).params > 0
    with pytest.raises(ValueError, match=r"for latent grids|for --arch siren|no setting"):
        encode_pixels(picture, CAP, replace(options, arch="grid"))
