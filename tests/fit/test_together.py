from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inrcodec.decoder import decode_pixels
from inrcodec.encoder import Encoded, EncodeOptions, Progress, Target, encode_pixels, encode_stack
from inrcodec.errors import InrError, TargetError
from inrcodec.fit import session, siren, teller, together
from inrcodec.fit.descent import Descent, Diverged, advance
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.grid.descent import GridDescent
from inrcodec.fit.grid.session import GridSession
from inrcodec.fit.grid.stack import GridStack
from inrcodec.fit.stack import Stack
from inrcodec.fit.together import Together, room
from inrcodec.fit.train import Trainer
from inrcodec.format.stream import unpack
from inrcodec.metrics import psnr
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels
from tests.fit.conftest import waves

QUICK = EncodeOptions(
    arch="siren",
    effort=1,
    threads=1,
    stack=3,
    overrides=(("steps", "150"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3")),
)
CAP = Target("bytes", 400)


@pytest.fixture
def pictures() -> list[Pixels]:
    """Three of one shape, with one of another among them."""
    first = waves().array
    return [Pixels(first), waves(20, 12, 1), Pixels(255 - first[::-1]), Pixels(first[:, ::-1].copy())]


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all stacks that are made."""
    sizes: list[int] = []

    class Counted(Stack):
        def __init__(self, members: list[Trainer]) -> None:
            sizes.append(len(members))
            super().__init__(members)

    monkeypatch.setattr(together, "Stack", Counted)
    return sizes


def _files(results: Sequence[Encoded | InrError]) -> list[bytes]:
    assert all(isinstance(result, Encoded) for result in results), results
    return [result.data for result in results if isinstance(result, Encoded)]


@pytest.mark.parametrize("method", ["l0", "coin"])
def test_pictures_of_one_shape_go_together_and_all_fit_their_cap(
    pictures: list[Pixels], stacked: list[int], method: str
) -> None:
    results = encode_stack(pictures, CAP, replace(QUICK, method=method))
    assert stacked[0] == 3
    assert len(stacked) <= 1 + siren.SECONDS
    for picture, result in zip(pictures, results, strict=True):
        assert isinstance(result, Encoded)
        assert len(result.data) == result.report.bytes <= 400
        assert result.report.use is not None
        assert result.report.use > 0.95
        assert result.report.steps >= 150
        decoded = decode_pixels(result.data)
        assert psnr(picture.array, decoded.array) == pytest.approx(result.report.psnr, abs=0.01)
        assert result.report.psnr > 15


def test_files_are_as_good_as_alone(pictures: list[Pixels]) -> None:
    same = [pictures[k] for k in (0, 2, 3)]
    exact = replace(QUICK, engine="numba", overrides=(*QUICK.overrides, ("optimizer", "adam")))
    alone = [encode_pixels(picture, CAP, exact).report.psnr for picture in same]
    for one, result in zip(alone, encode_stack(same, CAP, exact), strict=True):
        assert isinstance(result, Encoded)
        assert result.report.psnr == pytest.approx(one, abs=1.5)


def test_a_stack_is_never_larger_than_it_may_be(pictures: list[Pixels], stacked: list[int]) -> None:
    same = [pictures[0]] * 5
    work = Together(same, CAP, replace(QUICK, stack=2))
    assert [work.company(k) for k in range(5)] == [(0, 1), (0, 1), (2, 3), (2, 3), (4,)]
    assert room(replace(QUICK, stack=None, device="cpu")) == 1
    encode_stack(same[:2], CAP, replace(QUICK, stack=1))
    assert stacked == []


@pytest.mark.parametrize(
    ("target", "overrides"), [(Target("psnr", 17), ()), (CAP, (("candidates", "2"), ("race", "5")))]
)
def test_what_needs_a_search_of_its_own_stays_alone(
    pictures: list[Pixels], stacked: list[int], target: Target, overrides: tuple[tuple[str, str], ...]
) -> None:
    quick = replace(QUICK, overrides=(*QUICK.overrides, ("steps", "40"), *overrides))
    assert len(encode_stack([pictures[0], pictures[2]], target, quick)) == 2
    assert stacked == []


@pytest.mark.parametrize(
    ("method", "settings", "together"),
    [
        ("coin", "rates=uniform schedule=plateau early=30", True),  # as recipes of papers have it
        ("l0", "quant=nearest+adaround adaround_steps=5 l1=1e-6 schedule=plateau early=30", True),
        ("l0", "rates=uniform l1=1e-6", True),
        ("l0", "schedule=plateau", False),  # phases would begin at times of their own
        ("l0", "quant=nearest structured=true", False),
        ("magnitude", "", False),
    ],
)
def test_settings_that_leave_fits_in_step_go_together(
    pictures: list[Pixels], stacked: list[int], method: str, settings: str, together: bool
) -> None:
    told = tuple((name, value) for name, value in (word.split("=") for word in settings.split()))
    options = replace(QUICK, method=method, overrides=(*QUICK.overrides, ("steps", "40"), *told))
    same = [pictures[0], pictures[2]]
    assert Together(same, CAP, options).company(0) == ((0, 1) if together else (0,))
    if together:
        results = encode_stack(same, CAP, options)
        assert stacked[0] == 2
        assert all(len(data) <= 400 for data in _files(results))


def test_a_cap_that_is_too_small_is_every_picture_s_own_error(pictures: list[Pixels]) -> None:
    results = encode_stack(pictures, Target("bytes", 20), QUICK)
    assert [type(result) for result in results] == [TargetError] * 4


def test_a_picture_whose_fit_diverges_is_fitted_alone_and_more_gently(
    pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unlucky(Stack):
        def fitted(self) -> list[FittedNet | None]:
            self.failed.add(1)
            return super().fitted()

    rates: list[float] = []

    class Watched(Trainer):
        def __init__(self, *args: object, **rest: object) -> None:
            super().__init__(*args, **rest)  # type: ignore[arg-type]
            rates.append(self.config.lr)

    monkeypatch.setattr(together, "Stack", Unlucky)
    monkeypatch.setattr(siren, "Trainer", Watched)
    results = encode_stack([pictures[0], pictures[2], pictures[3]], CAP, QUICK)
    assert len(_files(results)) == 3
    assert rates[:3] == [1e-3] * 3
    assert 1e-3 in rates


def test_a_second_finish_that_diverges_leaves_the_first_fit_and_is_not_tried_again(
    pictures: list[Pixels], stacked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explosive(fit: Descent, **rest: Any) -> None:
        if fit.done > 0:
            raise Diverged("boom")
        advance(fit, **rest)

    alone: list[Trainer] = []
    monkeypatch.setattr(together, "advance", explosive)
    for module, name in ((session, "advance"), (siren, "train")):
        monkeypatch.setattr(module, name, lambda trainer, **_: alone.append(trainer))
    low = replace(QUICK, overrides=(*QUICK.overrides, ("aim", "0.9")))
    results = encode_stack([pictures[0], pictures[2], pictures[3]], CAP, low)
    assert stacked == [3, 3]
    assert alone == []
    assert all(len(data) <= 400 for data in _files(results))
    assert all(isinstance(result, Encoded) and result.report.psnr > 15 for result in results)


GRIDS = replace(
    QUICK, arch="grid", engine="torch", overrides=(("steps", "30"), ("landing", "1"), ("optimizer", "muon"))
)


@pytest.fixture
def small() -> list[Pixels]:
    """Two of one shape, with one of another among them."""
    first = waves(20, 14).array
    return [Pixels(first), waves(9, 8), Pixels(255 - first[::-1])]


@pytest.fixture
def stacked_grids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all stacks of grids that are made."""
    sizes: list[int] = []

    class Counted(GridStack):
        def __init__(self, members: Sequence[GridDescent]) -> None:
            sizes.append(len(members))
            super().__init__(members)

    monkeypatch.setattr(together, "GridStack", Counted)
    return sizes


def test_seeds_of_latent_grids_race_together_too(small: list[Pixels], stacked_grids: list[int]) -> None:
    options = replace(
        GRIDS, overrides=(*GRIDS.overrides, ("scratch", "0"), ("candidates", "3"), ("race", "12")), stack=2
    )
    pictures = [small[0], small[2]]
    results = encode_stack(pictures, CAP, options)
    assert stacked_grids == [2, 2, 2, 2]  # three heats and the fit
    for picture, result in zip(pictures, results, strict=True):
        alone = GridSession(picture, CAP, options, None, None)
        arch, budget = alone._sized(400)
        seed = alone.race(arch, alone.config, budget).seed
        assert isinstance(result, Encoded)
        best = replace(options, stack=1, seed=seed, overrides=(*options.overrides, ("candidates", "1")))
        assert result.report.psnr == pytest.approx(encode_pixels(picture, CAP, best).report.psnr, abs=0.2)


def test_pictures_that_want_other_grids_do_not_go_together(stacked_grids: list[int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    calm = (96 + noise // 64).astype(np.uint8)
    pictures = [Pixels(noise), Pixels(calm), Pixels(noise[::-1].copy()), Pixels(calm[::-1].copy())]
    results = encode_stack(pictures, CAP, replace(GRIDS, stack=4))
    assert stacked_grids == [2, 2]
    archs = [unpack(data).arch for data in _files(results)]
    assert [arch.finest for arch in archs if isinstance(arch, GridArch)] == [1, 0, 1, 0]


def test_latent_grids_go_together_too(
    small: list[Pixels], stacked_grids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[int] = []

    class Watched(GridDescent):
        def step(self) -> None:
            alone.append(self.scene.width)
            super().step()

    monkeypatch.setattr(GridSession, "kind", Watched)
    results = encode_stack(small, CAP, GRIDS)
    assert stacked_grids == [2]
    assert set(alone) == {9}  # the other shape; those of a stack are not fitted once more
    for picture, result in zip(small, results, strict=True):
        assert isinstance(result, Encoded)
        assert len(result.data) == result.report.bytes <= 400
        assert result.report.use is not None
        assert result.report.use > 0.75
        assert result.report.steps >= 30
        assert psnr(picture.array, decode_pixels(result.data).array) == pytest.approx(result.report.psnr, abs=0.01)
        assert result.report.psnr > 13


def test_networks_alone_and_grids_side_by_side(
    pictures: list[Pixels], stacked: list[int], stacked_grids: list[int]
) -> None:
    tiny = waves(6, 5)
    work = Together([pictures[0], tiny, pictures[2], tiny], Target("bpp", 8), replace(GRIDS, arch="auto", overrides=()))
    assert [work.company(k) for k in range(4)] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert len({kind.__name__ for kind in work.kinds}) == 2
    assert stacked == stacked_grids == []


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (Target("psnr", 20), GRIDS),
        (Target("lambda", 1e-3), replace(GRIDS, method="penalized")),
        (CAP, replace(GRIDS, method="bisect")),
        (CAP, replace(GRIDS, engine="numba")),
        (CAP, replace(GRIDS, engine="compile")),
        (CAP, replace(GRIDS, scalable=True)),
    ],
)
def test_grids_that_gain_nothing_or_need_a_search_stay_alone(
    small: list[Pixels], target: Target, options: EncodeOptions
) -> None:
    work = Together([small[0], small[2]], target, options)
    assert [work.company(k) for k in range(2)] == [(0,), (1,)]


def test_grids_whose_fit_diverges_are_fitted_alone_and_more_gently(
    small: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unlucky(GridStack):
        def step(self) -> None:
            if self.done == 12:
                self.members[1].latents.data.fill_(np.nan)
            super().step()

    rates: list[float] = []

    class Watched(GridDescent):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            rates.append(self.config.lr)

    monkeypatch.setattr(together, "GridStack", Unlucky)
    monkeypatch.setattr(GridSession, "kind", Watched)
    assert len(_files(encode_stack([small[0], small[2]], CAP, GRIDS))) == 2
    assert rates == [1e-2, 1e-2, 5e-3]


def test_a_stack_of_grids_that_is_stopped_gives_every_picture_a_file(small: list[Pixels]) -> None:
    calls = iter(range(10**9))
    for result in encode_stack([small[0], small[2]], CAP, GRIDS, stop=lambda: next(calls) >= 12):
        assert isinstance(result, Encoded)
        assert result.report.interrupted
        assert len(result.data) <= 400


def test_a_group_that_is_too_large_for_the_device_is_halved(
    small: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def full(sessions: Sequence[session.AnySession]) -> None:
        tried.append(len(sessions))
        if len(sessions) > 2:
            raise torch.cuda.OutOfMemoryError("no room")

    monkeypatch.setattr(together, "_fit", full)
    monkeypatch.setattr(session.Session, "run", lambda self: self.pixels)
    work = Together([small[0]] * 8, CAP, replace(GRIDS, stack=8))
    for k in range(8):
        work.encode(k)
    assert tried == [8, 4, 2, 2, 2, 2]
    assert not work.waiting


def test_stopping_gives_every_picture_a_file_under_the_cap(pictures: list[Pixels]) -> None:
    calls = iter(range(10**9))
    results = encode_stack(pictures, CAP, QUICK, stop=lambda: next(calls) >= 60)
    for result in results:
        assert isinstance(result, Encoded)
        assert result.report.interrupted
        assert len(result.data) <= 400


def test_time_is_pooled(pictures: list[Pixels]) -> None:
    endless = replace(QUICK, max_time=0.7, overrides=(("steps", "1000000"),))
    results = encode_stack([pictures[0], pictures[2], pictures[3]], CAP, endless)
    seconds = [result.report.seconds for result in results if isinstance(result, Encoded)]
    assert len(seconds) == 3
    assert max(seconds) < 2.5
    assert sum(seconds) > 1.5


def test_the_observer_hears_of_the_fit_once_and_of_every_landing(
    pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "TELL_SECONDS", 0.0)
    told: list[Progress] = []
    encode_stack([pictures[0], pictures[2]], CAP, QUICK, observer=told.append)
    phases = [one.phase for one in told]
    assert phases.count("land") == phases.count("check") == 2
    assert set(phases) == {"fit", "quantise", "round", "land", "check"}
    fits = [one for one in told if one.phase == "fit"]
    assert [one.step for one in fits] == list(range(1, len(fits) + 1))
    assert np.isfinite([one.psnr for one in fits]).all()


def test_a_device_that_is_too_small_leaves_each_picture_alone(
    pictures: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise torch.cuda.OutOfMemoryError("no room")

    monkeypatch.setattr(together, "_fit", full)
    assert len(_files(encode_stack([pictures[0], pictures[2]], CAP, QUICK))) == 2


def test_one_checkpoint_does_not_do_for_several(pictures: list[Pixels], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        encode_stack(pictures, CAP, replace(QUICK, checkpoint=tmp_path / "a.ckpt"))
    with pytest.raises(ValueError, match="at least one"):
        EncodeOptions(stack=0)
