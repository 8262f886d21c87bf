from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.metrics import MIN_SIDE, ms_ssim, picture_psnr, psnr
from inrcodec.pixels import Pixels


def _pair(height: int, width: int, channels: int, spread: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * 1000 + width)
    ramp = np.add.outer(np.arange(height), np.arange(width))[:, :, None] % 256
    a = np.clip(ramp + rng.integers(-30, 31, (height, width, channels)), 0, 255)
    b = np.clip(a + rng.integers(-spread, spread + 1, a.shape), 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


def test_psnr_by_hand() -> None:
    a, b = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 5, np.uint8)
    assert psnr(a, b) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr(a.astype(np.uint16), b.astype(np.uint16)) == pytest.approx(20 * math.log10(65535 / 5))


def test_psnr_of_equal_and_of_opposite_pictures() -> None:
    black, white = np.zeros((3, 3, 3), np.uint16), np.full((3, 3, 3), 65535, np.uint16)
    assert psnr(black, black) == math.inf
    assert psnr(black, white) == 0.0


@given(st.binary(min_size=1, max_size=64))
def test_psnr_is_the_formula_and_symmetric(data: bytes) -> None:
    a = np.frombuffer(data, np.uint8)
    b = np.roll(a, 1)
    mse = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    expected = math.inf if mse == 0 else 10 * math.log10(255**2 / mse)
    assert psnr(a, b) == pytest.approx(expected)
    assert psnr(a, b) == psnr(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16)),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)),
    ],
)
def test_pictures_of_different_kinds_are_refused(a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"pictures differ|expected uint8"):
        psnr(a, b)


@pytest.mark.parametrize("size", [(161, 161, 1), (176, 192, 3), (181, 203, 3), (163, 170, 1)])
def test_ms_ssim_agrees_with_the_reference(size: tuple[int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("pytorch_msssim")
    a, b = _pair(*size)
    x, y = (torch.from_numpy(p.astype(np.float64)).permute(2, 0, 1)[None] for p in (a, b))
    assert ms_ssim(a, b) == pytest.approx(float(reference.ms_ssim(x, y, data_range=255)), abs=1e-6)


def test_ms_ssim_falls_with_the_noise_and_is_one_for_equal_pictures() -> None:
    values = [ms_ssim(*_pair(170, 180, 1, spread)) for spread in (0, 5, 40, 120)]
    assert values[0] == pytest.approx(1.0)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9


def test_ms_ssim_does_not_depend_on_the_depth() -> None:
    a, b = _pair(165, 170, 1)
    wide = [p.astype(np.uint16) * 257 for p in (a, b)]
    assert ms_ssim(*wide) == pytest.approx(ms_ssim(a, b))


def test_ms_ssim_is_not_defined_for_small_pictures() -> None:
    assert MIN_SIDE == 161
    a, b = _pair(MIN_SIDE - 1, 300, 1)
    assert math.isnan(ms_ssim(a, b))
    with pytest.raises(ValueError, match="height, width"):
        ms_ssim(a[:, :, 0], b[:, :, 0])


def test_ms_ssim_of_opposites_is_a_number() -> None:
    black, white = np.zeros((161, 161, 1), np.uint8), np.full((161, 161, 1), 255, np.uint8)
    assert 0.0 <= ms_ssim(black, white) < 0.8


def test_psnr_of_what_can_be_seen() -> None:
    a, b = np.zeros((2, 3, 1), np.uint8), np.full((2, 3, 1), 10, np.uint8)
    alpha = np.array([[255, 0, 1], [0, 0, 0]], np.uint8)
    b[0, 2] = 0
    assert picture_psnr(Pixels(a, 8, alpha), b) == pytest.approx(psnr(a[0, :2], b[0, 1:]))
    assert picture_psnr(Pixels(a, 8, np.full((2, 3), 1, np.uint8)), b) == picture_psnr(Pixels(a), b) == psnr(a, b)
    assert picture_psnr(Pixels(a, 8, np.zeros((2, 3), np.uint8)), b) == math.inf
    with pytest.raises(ValueError, match="differ"):
        picture_psnr(Pixels(a, 8, alpha), b[:1])
