"""Whole encodes with latent grids."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inrcodec.decoder import View, decode_pixels, probe
from inrcodec.encoder import Encoded, EncodeOptions, Progress, Target, encode_pixels, encode_stack, plan
from inrcodec.errors import InrError, TargetError
from inrcodec.fit.descent import Diverged
from inrcodec.fit.grid import config
from inrcodec.fit.grid.config import GridConfig
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.scalable import ScalableSession
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.tiled import TiledSession
from inrcodec.fit.settings import grid_settings
from inrcodec.format.stream import unpack
from inrcodec.metrics import psnr
from inrcodec.net.grid import GridArch
from inrcodec.net.prior import NO_PRIOR
from inrcodec.pixels import Pixels

QUICK = EncodeOptions(effort=1, arch="grid", threads=1, overrides=(("landing", "2"),))


def _picture(height: int, width: int, channels: int = 3, depth: int = 8) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (5 + c)) + np.cos(y / (7 + c)) for c in range(channels)], -1)
    waves += np.random.default_rng(0).normal(0, 0.15, waves.shape)  # something to spend bytes on
    top = 255 if depth == 8 else 65535
    waves = waves.clip(-2, 2)
    return Pixels(((waves + 2) / 4 * top).astype(np.uint8 if depth == 8 else np.uint16), depth)


@pytest.mark.parametrize(("channels", "depth"), [(3, 8), (1, 8), (3, 16)])
def test_an_encode_keeps_its_promises(channels: int, depth: int) -> None:
    picture = _picture(48, 64, channels, depth)
    coded = encode_pixels(picture, Target("bytes", 1200), QUICK)
    assert len(coded.data) <= 1200
    assert coded.report.use is not None
    assert coded.report.use > 0.9
    assert psnr(picture.array, decode_pixels(coded.data).array) == pytest.approx(coded.report.psnr, abs=0.01)
    assert coded.report.psnr > 20
    assert probe(coded.data).arch.startswith("grid")


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (17, 23)])
def test_small_and_odd_pictures(shape: tuple[int, int]) -> None:
    picture = _picture(*shape)
    coded = encode_pixels(picture, Target("bytes", 400), QUICK)
    assert len(coded.data) <= 400
    assert decode_pixels(coded.data).array.shape == picture.array.shape


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads() -> None:
    picture = _picture(48, 64)
    first, second = (encode_pixels(picture, Target("bytes", 900), replace(QUICK, threads=n)) for n in (1, 2))
    assert first.data == second.data


def test_a_preview_is_drawn_from_the_coarse_grids() -> None:
    coded = encode_pixels(_picture(64, 64), Target("bytes", 1200), QUICK)
    assert decode_pixels(coded.data, View(scale=0.25)).array.shape == (16, 16, 3)


def test_a_cap_below_the_smallest_file_says_so() -> None:
    with pytest.raises(TargetError) as caught:
        encode_pixels(_picture(16, 16), Target("bytes", 30), QUICK)
    assert caught.value.smallest_bytes is not None
    assert caught.value.smallest_bytes > 30


def test_what_is_not_for_grids_is_refused() -> None:
    picture, target = _picture(16, 16), Target("bytes", 400)
    with pytest.raises(ValueError, match="coin"):
        encode_pixels(picture, target, replace(QUICK, method="coin"))
    with pytest.raises(ValueError, match="layers"):
        encode_pixels(picture, target, replace(QUICK, layers="3x20"))
    with pytest.raises(ValueError, match="architecture"):
        encode_pixels(picture, target, replace(QUICK, arch="cube"))


@pytest.mark.parametrize("told", [(("steps", "400"),), (("scratch", "0"), ("steps", "400"), ("landing", "1"))])
def test_an_interrupted_encode_goes_on(
    tmp_path: Path, told: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_LONG", 400)  # from here on fits that start at random try their price
    picture, target = _picture(32, 32), Target("bytes", 700)
    own = (*QUICK.overrides, *told, ("save_every", "0.0"))
    options = replace(QUICK, checkpoint=tmp_path / "fit.ckpt", overrides=own)
    whole = encode_pixels(picture, target, replace(options, checkpoint=None))

    class Interrupted(Exception):
        """The machine goes off."""

    def pull_the_plug(progress: Progress) -> None:
        if progress.phase == "fit" and progress.step > 20:
            raise Interrupted

    with pytest.raises(Interrupted):
        encode_pixels(picture, target, options, observer=pull_the_plug)
    assert options.checkpoint is not None
    assert options.checkpoint.exists()
    resumed = encode_pixels(picture, target, replace(options, resume=True))
    assert resumed.data == whole.data


def test_a_quality_is_reached() -> None:
    picture = _picture(40, 40)
    quick = replace(QUICK, overrides=(("landing", "1"), ("steps", "300")))
    coded = encode_pixels(picture, Target("psnr", 28.0), quick)
    assert psnr(picture.array, decode_pixels(coded.data).array) >= 28.0


def test_time_that_is_up_ends_an_encode_with_a_file() -> None:
    coded = encode_pixels(_picture(48, 48), Target("bytes", 900), replace(QUICK, effort=9, max_time=2.0))
    assert len(coded.data) <= 900
    assert coded.report.seconds < 15


def _two_kinds() -> tuple[Pixels, Pixels]:
    """Noise, of which bits are dear, and next to nothing."""
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Pixels(noise), Pixels((96 + noise // 64).astype(np.uint8))


def test_where_bits_are_dear_the_finest_grid_is_left_out() -> None:
    target = Target("bytes", 900)
    usual = grid_settings(QUICK, 48 * 64).steps
    for picture, finest in zip(_two_kinds(), (1, 0), strict=True):
        coded = encode_pixels(picture, target, QUICK)
        arch = unpack(coded.data).arch
        assert isinstance(arch, GridArch)
        assert arch.finest == finest
        assert coded.config.steps == (round(1.6 * usual) if finest else usual)  # what a recipe of it says
        assert len(coded.data) <= 900
    own = replace(QUICK, overrides=(*QUICK.overrides, ("steps", "30")))
    assert GridSession(_two_kinds()[0], target, own, None, None).config.steps == 30
    scalable = ScalableSession(_two_kinds()[0], target, replace(QUICK, scalable=True), None, None)
    assert scalable.config.steps == usual


def test_plans_guess_by_the_size_whether_the_finest_grid_is_left_out() -> None:
    options = EncodeOptions(arch="grid")
    small, large = (plan(768, 512, 3, Target("bpp", bpp), options) for bpp in (0.1, 0.2))
    assert small.arch.startswith("grid1-")
    assert large.arch.startswith("grid0-")
    assert small.steps == round(1.6 * large.steps)


def test_plans_of_scalable_files_count_the_fits_and_no_race() -> None:
    options = EncodeOptions(arch="grid")
    for effort in (5, 9):
        single, layered = (
            plan(768, 512, 3, Target("bpp", 0.6), replace(options, effort=effort, scalable=scalable))
            for scalable in (False, True)
        )
        assert 2.5 < layered.seconds / single.seconds < (4.1 if effort == 5 else 3.6)


RACE = replace(
    QUICK, overrides=(*QUICK.overrides, ("steps", "30"), ("scratch", "0"), ("candidates", "3"), ("race", "8"))
)


def _prior(data: bytes) -> int:
    return unpack(data).weights.prior  # type: ignore[union-attr]


def test_of_random_starts_the_one_that_is_ahead_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, target = _picture(40, 40), Target("bytes", 1500)
    standings: dict[int, float] = {}
    steps: list[int] = []
    trial, step = GridSession.trial, GridDescent.step

    def watched(
        self: GridSession, arch: object, config: GridConfig, budget: float | None, seed: int
    ) -> tuple[float, GridDescent]:
        standings[seed], descent = trial(self, arch, config, budget, seed)
        return standings[seed], descent

    def counted(self: GridDescent) -> None:
        if self.scene.width == 40:  # not the one that kernels are warmed up with
            steps.append(self.seed)
        step(self)

    monkeypatch.setattr(GridSession, "trial", watched)
    monkeypatch.setattr(GridDescent, "step", counted)
    told: list[tuple[str, int, int]] = []
    raced = encode_pixels(picture, target, RACE, observer=lambda now: told.append((now.phase, now.step, now.steps)))
    assert list(standings) == [0, 1000, 2000]
    assert len(set(standings.values())) == 3
    assert ("race", 0, 3) in told
    best = min(standings, key=lambda seed: standings[seed])
    taken = {seed: raced.report.steps if seed == best else 8 for seed in standings}
    assert {seed: steps.count(seed) for seed in standings} == taken
    alone = encode_pixels(picture, target, replace(RACE, seed=best, overrides=(*RACE.overrides, ("candidates", "1"))))
    assert len(standings) == 3
    assert raced.data == alone.data
    assert _prior(raced.data) == NO_PRIOR


def test_a_start_that_diverges_loses_the_race(monkeypatch: pytest.MonkeyPatch) -> None:
    step, worst = GridDescent.step, 2000

    def stepped(self: GridDescent) -> None:
        if self.seed < worst and self.scene.width == 24:  # not the one that kernels are warmed up with
            raise Diverged("it blew up")
        step(self)

    picture, target = _picture(24, 24), Target("bytes", 900)
    monkeypatch.setattr(GridDescent, "step", stepped)
    raced = encode_pixels(picture, target, RACE)
    last = encode_pixels(picture, target, replace(RACE, seed=2000, overrides=(*RACE.overrides, ("candidates", "1"))))
    assert raced.data == last.data
    worst = 9000
    with pytest.raises(InrError, match="diverged"):
        encode_pixels(picture, target, RACE)


def _started(multiplier: float, *told: tuple[str, str]) -> GridDescent:
    """A fit that has just begun, at a price that was tried."""
    own = ("steps", "2000"), ("scratch", "0"), ("multiplier", str(multiplier)), *told
    session = GridSession(_picture(40, 40), Target("bytes", 1500), replace(QUICK, overrides=own), None, None)
    arch, budget = session.arch(1500), 11_000.0
    descent = session.race(arch, session.config, budget)
    assert isinstance(descent, GridDescent)
    return descent


def test_a_random_start_whose_price_proves_wrong_begins_anew() -> None:
    dear, cheap = _started(7.0), _started(0.1)
    assert 0.5 < dear.problem.multiplier / cheap.problem.multiplier < 45  # of 70, in one try
    assert dear.done == 0
    bound = _started(7.0, ("price", "0.01"))
    assert bound.problem.multiplier == _started(0.1, ("price", "0.01")).problem.multiplier  # whoever sets it means it


@pytest.mark.parametrize(("found", "priced", "done"), [([1.1], 1, 200), ([2], 2, 0), ([0.5], 0.5, 0)])
def test_a_random_start_whose_price_proves_right_goes_on(
    monkeypatch: pytest.MonkeyPatch, found: list[float], priced: float, done: int
) -> None:
    told = ("candidates", "2"), ("race", "500")  # a price is judged before it moves, however long they race
    monkeypatch.setattr(GridDescent, "mispriced", lambda _: 1.0)
    usual = _started(1.4, *told).problem.multiplier
    monkeypatch.setattr(GridDescent, "mispriced", lambda _: found.pop(0))
    descent = _started(1.4, *told)
    assert (descent.done, found) == (done, [])
    assert descent.resting_prices == 200
    assert descent.problem.multiplier == pytest.approx(priced * usual)
    descent.step()
    assert (descent.problem.multiplier == pytest.approx(priced * usual)) == (done == 0)  # a little off is put right


def test_whoever_waits_hears_of_a_price_that_is_tried_and_may_stop_it() -> None:
    own = replace(QUICK, overrides=(("steps", "2000"), ("scratch", "0")))
    told: list[Progress] = []
    coded = encode_pixels(_picture(24, 24), Target("bytes", 900), own, observer=told.append, stop=lambda: len(told) > 0)
    assert {now.phase for now in told} >= {"price"}
    assert len(coded.data) <= 900
    assert coded.report.interrupted
    assert coded.report.steps < 100


def test_prices_of_random_starts_are_tried_in_company_too() -> None:
    own = ("steps", "2000"), ("scratch", "0"), ("multiplier", "7")
    session = GridSession(_picture(40, 40), Target("bytes", 1500), replace(QUICK, overrides=own), None, None)
    before = session.trainer(1500, 0).problem.multiplier
    assert session.starts(1500) == [0]
    assert session.trainer(1500, 0).problem.multiplier < before / 1.5


@pytest.mark.parametrize("scratch", [8000, 7190])  # more than the file has, and more than is left in it for the fit
def test_small_budgets_stay_with_a_prior_and_do_not_race(monkeypatch: pytest.MonkeyPatch, scratch: int) -> None:
    monkeypatch.setattr(GridSession, "trial", None)
    options = replace(RACE, overrides=(*RACE.overrides, ("scratch", str(scratch))))
    coded = encode_pixels(_picture(24, 24), Target("bytes", 900), options)
    assert _prior(coded.data) != NO_PRIOR


def test_networks_that_start_at_random_are_narrow_in_small_files_and_where_a_bit_is_dear() -> None:
    for narrow, price, width in ((1e9, 1e9, 16), (0.0, 1e-9, 16), (0.0, 1e9, 24)):
        told = ("narrow", str(narrow)), ("narrow_price", str(price))
        options = replace(RACE, overrides=(*RACE.overrides, *told))
        arch = unpack(encode_pixels(_picture(24, 24), Target("bytes", 900), options).data).arch
        assert isinstance(arch, GridArch)
        assert arch.context == arch.hidden == (width, width)
    from_a_prior = unpack(encode_pixels(_picture(24, 24), Target("bytes", 900), QUICK).data).arch
    assert from_a_prior.hidden == (24, 24)
    small, large = (plan(768, 512, 3, Target("bpp", bpp), EncodeOptions(effort=9)) for bpp in (0.1, 0.4))
    assert small.params < 0.6 * large.params


def test_narrow_networks_go_in_lock_step_with_no_wide_ones() -> None:
    target = Target("bytes", 900)

    def session(*told: tuple[str, str]) -> GridSession:
        return GridSession(_two_kinds()[1], target, replace(QUICK, overrides=told), None, None)

    narrow, wide = session(("scratch", "0")), session(("scratch", "0"), ("narrow", "0"))
    assert narrow.alike(narrow)
    assert not narrow.alike(wide)


def test_who_starts_at_random() -> None:
    long = EncodeOptions(effort=9, arch="grid")
    assert math.isfinite(grid_settings(long, 512 * 768).scratch)
    assert grid_settings(long, 512 * 768).candidates > 1
    assert math.isinf(grid_settings(replace(long, effort=5), 512 * 768).scratch)
    on_the_clock = replace(long, max_time=60.0)  # which says nothing of how far a fit will come
    assert math.isinf(grid_settings(on_the_clock, 512 * 768).scratch)
    assert grid_settings(replace(on_the_clock, overrides=(("scratch", "7"),)), 512 * 768).scratch == 7
    for kind in (ScalableSession, TiledSession):
        session = kind(_picture(32, 32), Target("bytes", 900), replace(RACE, effort=9), None, None)
        assert session.seeds(session.config, 1e6) == [0]


def test_a_stack_of_grids_is_encoded_one_by_one() -> None:
    pictures, target = [_picture(24, 24), _picture(24, 24)], Target("bytes", 500)
    alone = encode_pixels(pictures[0], target, QUICK)
    for coded in encode_stack(pictures, target, replace(QUICK, stack=2)):
        assert isinstance(coded, Encoded)
        assert coded.data == alone.data
