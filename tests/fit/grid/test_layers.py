"""Scalable files: fits in layers, and what cuts of them show."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inrcodec.coding.estimate import fit_law
from inrcodec.coding.law import step_code
from inrcodec.coding.symbols import Symbols
from inrcodec.decoder import decode_pixels, truncated
from inrcodec.encoder import Encoded, EncodeOptions, Target, architecture, encode_pixels
from inrcodec.fit.descent import advance
from inrcodec.fit.grid import plain, reference
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.landing import GridSearch, LandedGrid
from inrcodec.fit.grid.layers import LayerDescent, LayerScene, StageDescent, Start, above
from inrcodec.fit.grid.model import GridNetworks
from inrcodec.fit.grid.plain import tensors_of
from inrcodec.fit.grid.scalable import ScalableSession, Stage
from inrcodec.fit.grid.scene import Scene
from inrcodec.fit.grid.session import GridSession
from inrcodec.format.cut import cut_to
from inrcodec.format.stream import unpack
from inrcodec.metrics import psnr
from inrcodec.net.grid import GridArch
from inrcodec.net.layered import LayeredArch
from inrcodec.net.prior import NO_PRIOR
from inrcodec.pixels import Pixels

CAP = 2400
OPTIONS = EncodeOptions(
    arch="grid", scalable=True, threads=1, overrides=(("steps", "150"), ("rungs", "0.3,0.65"), ("stage", "1.0"))
)


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """Something smooth with a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :64]
    waves = 110 + 70 * np.sin(x / 9 + y / 17)[..., None] * [1.0, 0.6, 0.3] + 25 * np.sin(x * y / 60)[..., None]
    return Pixels((waves + rng.normal(0, 6, (48, 64, 3))).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def coded(photo: Pixels) -> Encoded:
    return encode_pixels(photo, Target("bytes", CAP), OPTIONS)


def test_a_scalable_file_keeps_to_its_cap(coded: Encoded) -> None:
    assert 0.99 * CAP < len(coded.data) <= CAP
    arch = unpack(coded.data).arch
    assert isinstance(arch, LayeredArch)
    assert arch.refinements >= 1
    assert coded.report.steps >= 3 * 150


def test_every_cut_shows_more_than_a_shorter_one(coded: Encoded, photo: Pixels) -> None:
    stream = unpack(coded.data)
    caps = [round(share * CAP) for share in (0.3, 0.4, 0.5, 0.65, 0.8, 0.9, 1.0)]
    cuts = [truncated(stream, cap).data for cap in caps]
    assert all(len(cut) <= cap for cut, cap in zip(cuts, caps, strict=True))
    shown = [psnr(photo.array, decode_pixels(cut).array) for cut in cuts]
    assert all(after >= before for before, after in pairwise(shown))
    assert shown[-1] > shown[0] + 1
    assert shown[-1] == pytest.approx(coded.report.psnr, abs=0.01)


def test_the_same_options_give_the_same_bytes_also_after_a_pause(coded: Encoded, photo: Pixels, tmp_path: Path) -> None:
    kept = replace(OPTIONS, checkpoint=tmp_path / "c", overrides=(*OPTIONS.overrides, ("save_every", "1e-9")))
    steps = iter(range(330))  # a base, a layer and some of another
    whole = encode_pixels(photo, Target("bytes", CAP), replace(kept, checkpoint=None))
    cut_short = encode_pixels(photo, Target("bytes", CAP), kept, stop=lambda: next(steps, None) is None)
    assert cut_short.report.interrupted
    assert len(cut_short.data) <= CAP
    resumed = encode_pixels(photo, Target("bytes", CAP), replace(kept, resume=True))
    assert resumed.data == whole.data == coded.data


def test_the_base_is_whole_in_a_file_of_about_the_size_that_it_was_made_for(coded: Encoded) -> None:
    stream = unpack(coded.data)
    cut = cut_to(stream, round(0.3 * CAP))
    assert isinstance(stream.arch, LayeredArch)
    assert stream.latents is not None
    assert cut.latents is not None
    for base, kept in zip(stream.latents[: stream.arch.grids], cut.latents, strict=False):
        np.testing.assert_array_equal(base, kept)


def above_a_base(photo: Pixels) -> LayerScene:
    """A picture as the first layer above some base sees it."""
    arch = LayeredArch.over(GridArch(0, 2, 3, 2, (4,), (5,)), 1)
    scene = Scene.of(photo, plain)
    generator = torch.Generator().manual_seed(0)
    below = torch.randn(arch.latents(64, 48), generator=generator).round()
    return LayerScene(scene.samples, plain, scene.yardstick, arch, below, 900.0)


def settled(arch: LayeredArch) -> dict[str, int]:
    """Steps of a base, by the names of tensors."""
    return {spec.name: step_code(2.0**-6) for spec in arch.base.tensors()}


@pytest.mark.parametrize("gates", ["none", "median"])
def test_what_the_base_has_settled_stays(photo: Pixels, gates: str) -> None:
    scene = above_a_base(photo)
    arch, codes = scene.arch, settled(scene.arch)
    config = GridConfig(steps=40, gates=gates)
    random = GridNetworks(arch, scene.mean()).weights.detach()
    weights = (random * 2**6).round() / 2**6
    descent = LayerDescent(scene, arch, config, 6000.0, 0, NO_PRIOR, Start(weights, codes=codes))
    advance(descent)
    fitted = descent.fitted()
    start, end = (tensors_of(arch, values) for values in (weights, torch.from_numpy(fitted.weights)))
    for spec, code in zip(arch.tensors(), fitted.step_codes, strict=True):
        same = torch.allclose(start[spec.name], end[spec.name], atol=1e-6)
        assert same == (spec.name in codes) or not end[spec.name].any()
        assert code == codes.get(spec.name, code)
    assert end["D0"].any()
    assert end["TS0"].any()
    search: GridSearch | None = GridSearch(scene, fitted)
    changed: set[str] = set()
    for _ in range(12):  # nor does a landing make its weights coarser
        search = search.coarser(1e6) if search else None
        if search is not None:
            pairs = zip(arch.tensors(), fitted.step_codes, search.fitted.step_codes, strict=True)
            changed |= {spec.name for spec, before, after in pairs if before != after}
    assert changed
    assert not changed & set(codes)


@pytest.mark.parametrize("rich", [False, True])
def test_hidden_layers_of_refinements_move_where_bits_pay_for_them(photo: Pixels, rich: bool) -> None:
    arch = LayeredArch.over(GridArch(0, 5, 14, 11, (24, 24), (24, 24), residuals=1), 2)
    seen = Scene.of(photo, plain)
    config = GridConfig(outer=6000.0)
    scene = LayerScene(seen.samples, plain, seen.yardstick, arch, torch.zeros(arch.latents(64, 48)), 900.0)
    descent = LayerDescent(scene, arch, config, 6000.0 if rich else 5999.0, 0, 1, Start())
    rates = tensors_of(arch, descent.mobility())
    assert bool(rates["E1"].any()) == bool(rates["XS0"].any()) == rich
    assert bool(rates["E0"][:, : arch.inputs].any()) == rich
    for always in (rates["E0"][:, arch.inputs :], rates["E.out"], rates["XS.out"]):
        assert bool((always == 1).all())


def test_hidden_layers_of_a_base_move_from_the_bits_that_its_settings_say(photo: Pixels) -> None:
    arch, scene = GridArch(0, 5, 14, 11, (24, 24), (24, 24), residuals=1), Scene.of(photo, plain)
    for outer, moves in ((6000.0, False), (4001.0, False), (4000.0, True)):
        stage = Stage("base", scene, arch, 4000.0, 1, Start())
        rates = tensors_of(arch, stage.begin(GridConfig(outer=outer), 0).mobility())
        for name in ("C1", "S1"):
            assert bool(rates[name].any()) == moves


def test_a_base_whose_bits_are_cheap_fits_hidden_layers_from_fewer_of_them(photo: Pixels) -> None:
    noise = Pixels(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    bits = {}
    for name, picture in (("smooth", Pixels(np.full_like(photo.array, 99))), ("noise", noise)):
        session = ScalableSession(picture, Target("bytes", CAP), OPTIONS, None, None)
        bits[name] = session.of_base(GridConfig(outer=6000.0), CAP // 10).outer
    assert bits["smooth"] < bits["noise"] == 6000.0


def test_every_stage_has_settings_of_its_own(photo: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: dict[str, GridConfig] = {}
    begin = Stage.begin

    def noted(stage: Stage, config: GridConfig, seed: int) -> StageDescent:
        begun[stage.name] = config
        return begin(stage, config, seed)

    monkeypatch.setattr(Stage, "begin", noted)
    flat = Pixels(np.full_like(photo.array, 99))
    settings = (*OPTIONS.overrides, ("steps", "20"), ("stage", "1.5"))
    encode_pixels(flat, Target("bytes", CAP), replace(OPTIONS, overrides=settings))
    usual = GridConfig()
    assert begun["base"].outer < usual.outer
    assert begun["base"].multiplier == usual.multiplier
    assert begun["base"].steps == 20
    for name in ("layer 1", "layer 2"):
        assert begun[name].outer == usual.outer
        assert begun[name].steps == 30
        assert begun[name].multiplier > usual.multiplier  # latents of layers hardly give bits back later


@pytest.mark.parametrize("worse", [{"layer 1"}, {"layer 2"}, {"layer 1", "layer 2"}])
def test_a_layer_that_shows_no_more_than_the_one_below_is_left_out(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch, worse: set[str]
) -> None:
    landed_layer = ScalableSession._landed_layer
    shown: dict[str, LandedGrid] = {}

    def landed(session: ScalableSession, stage: Stage, *rest: Any) -> LandedGrid:
        found = landed_layer(session, stage, *rest)
        shown[stage.name] = replace(found, mse=1.0) if stage.name in worse else found
        return shown[stage.name]

    monkeypatch.setattr(ScalableSession, "_landed_layer", landed)
    coded = encode_pixels(photo, Target("bytes", CAP), OPTIONS)
    arch = unpack(coded.data).arch
    assert set(shown) == {"layer 1", "layer 2"}
    assert (arch.refinements if isinstance(arch, LayeredArch) else 0) == 2 - len(worse)
    better = [found.mse for name, found in shown.items() if name not in worse]
    if better:  # not clipped, nor rounded to 256 steps
        assert 10 ** (-coded.report.psnr / 10) == pytest.approx(better[-1], rel=0.1)
    assert coded.report.psnr == pytest.approx(psnr(photo.array, decode_pixels(coded.data).array), abs=0.01)


def test_layers_start_at_what_is_below_in_the_file() -> None:
    arch = LayeredArch.over(GridArch(0, 1, 2, 1, (3,), (2,)), 2)
    below = arch.up_to(1)
    values = tuple(np.full(spec.shape, k + 1, np.int32) for k, spec in enumerate(below.tensors()))
    laws = tuple(fit_law(value, 100 + k) for k, value in enumerate(values))
    start = above(arch, Symbols(below, laws, values), coarse=True)
    assert start.coarse
    assert start.weights is not None
    for k, (name, part) in enumerate(tensors_of(arch, start.weights).items()):
        known = k < len(values)
        assert start.codes.get(name) == (100 + k if known else None)
        assert torch.allclose(part, torch.tensor((k + 1) * laws[k].delta if known else 0.0))


def test_layers_need_grids(photo: Pixels) -> None:
    assert architecture(EncodeOptions(scalable=True), Target("bytes", 300), photo.count) == "grid"
    with pytest.raises(ValueError, match="--scalable is for latent grids"):
        encode_pixels(photo, Target("bytes", 500), EncodeOptions(arch="siren", scalable=True))
    with pytest.raises(ValueError, match="--scalable is for --method l0"):
        encode_pixels(photo, Target("lambda", 1e-3), replace(OPTIONS, method="penalized"))


def test_a_layer_is_seen_on_top_of_those_below(photo: Pixels) -> None:
    arch = LayeredArch.over(GridArch(0, 2, 3, 2, (4,), (5,)), 2, 4, scale=1)
    seen, generator = Scene.of(photo, plain), torch.Generator().manual_seed(0)
    flat = torch.randn(arch.params, generator=generator) * 0.2
    below, own = (torch.randn(arch.latents(64, 48), generator=generator).round() for _ in range(2))
    scene = LayerScene(seen.samples, plain, seen.yardstick, arch, below, 700.0)
    sums = 4 * below + own
    expected = 700 + float(plain.refining_bits(arch, 2, 64, 48, flat, sums, 4 * below))
    assert float(scene.bits(arch, flat, own)) == pytest.approx(expected, rel=1e-5)
    laws = (torch.from_numpy(law) for law in scene.laws(arch, flat, own))  # of the refinement itself
    assert 700 + float(reference.laplace_bits(own, *laws).sum()) == pytest.approx(expected, rel=1e-4)
    assert torch.equal(scene.drawn(own), sums / 4)
    tensors = tensors_of(arch, flat)
    parts = [
        part + tensors[f"T{name}"] + tensors[f"X{name}"] if f"X{name}" in tensors else part
        for name, part in tensors.items()
    ]
    drawn = torch.cat([part.reshape(-1) for part in parts])
    torch.testing.assert_close(scene.drawing(flat), drawn)
    error = float(plain.mse(arch, drawn, sums / 4, scene.samples))
    assert float(scene.mse(arch, flat, own)) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("dear", [False, True])
def test_a_base_whose_bits_are_dear_goes_without_the_finest_grid(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch, dear: bool
) -> None:
    monkeypatch.setattr(GridSession, "coarse", lambda self, cap: dear and cap is not None and cap < CAP)
    stream = unpack(encode_pixels(photo, Target("bytes", CAP), OPTIONS).data)
    assert isinstance(stream.arch, LayeredArch)
    assert stream.latents is not None
    finest = [bool(grid.any()) for grid in stream.latents[stream.arch.grids - 1 :: stream.arch.grids]]
    assert finest[0] != dear
    assert finest[-1]
