from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.net.resample import Resampled, Side, reach, resampled, source_of

SIDES = st.integers(1, 40)
SIZES = [((37, 22), size) for size in [(18, 11), (12, 7), (9, 6), (1, 1), (36, 22), (74, 44), (50, 22), (38, 23)]]
SIZES += [((1, 50), (1, 7)), ((1, 50), (1, 125)), ((50, 1), (7, 1)), ((50, 1), (99, 2)), ((1, 1), (5, 5))]


def _picture(width: int, height: int) -> NDArray[np.float32]:
    return np.random.default_rng(width).random((3, height, width)).astype(np.float32)


def _drawn(picture: NDArray[np.float32], size: tuple[int, int], deep: int = 1000) -> Resampled:
    def part(top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
        assert 0 <= top < bottom <= picture.shape[1]
        assert 0 <= left < right <= picture.shape[2]
        return picture[:, top:bottom, left:right]

    return Resampled(part, picture.shape[:0:-1], size, slice(0, size[0]), deep)


def _coverage(coded: int, drawn: int) -> NDArray[np.float64]:
    """How much of each sample of the drawing each of the picture covers, straight from the definition."""
    matrix = np.zeros((drawn, coded))
    for i in range(drawn):
        low, high = Fraction(i * coded, drawn), Fraction((i + 1) * coded, drawn)
        for k in range(coded):
            matrix[i, k] = max(Fraction(0), min(high, Fraction(k + 1)) - max(low, Fraction(k))) / (high - low)
    return matrix


@pytest.mark.parametrize(("coded", "drawn"), [case for case in SIZES if case[0] >= case[1]])
def test_smaller_drawings_are_means_over_areas(coded: tuple[int, int], drawn: tuple[int, int]) -> None:
    picture = _picture(*coded)
    across, down = (_coverage(*sides) for sides in zip(coded, drawn, strict=True))
    expected = np.einsum("ij,cjk,lk->cil", down, picture, across, optimize=True)
    assert np.abs(_drawn(picture, drawn).rows(0, drawn[1]) - expected).max() < 1e-6


@pytest.mark.parametrize(("coded", "drawn"), SIZES)
def test_flat_pictures_stay_flat_and_strips_do_not_show(coded: tuple[int, int], drawn: tuple[int, int]) -> None:
    picture, height = _picture(*coded), drawn[1]
    whole = _drawn(picture, drawn).rows(0, height)
    assert whole.shape == (3, height, drawn[0])
    assert whole.dtype == np.float32
    for strip, deep in ((1, 1), (3, 2), (height, 5)):
        canvas = _drawn(picture, drawn, deep)
        strips = [canvas.rows(top, min(top + strip, height)) for top in range(0, height, strip)]
        assert np.abs(np.concatenate(strips, 1) - whole).max() < 1e-6
    flat = np.full_like(picture, 0.3)
    assert np.abs(_drawn(flat, drawn).rows(0, height) - 0.3).max() < 1e-6


def test_larger_drawings_show_the_same_picture() -> None:
    y, x = np.mgrid[:30, :40].astype(np.float32)
    smooth = np.stack([np.sin(x / 4 + y / 6), np.cos(x / 5 - y / 4), x / 40])
    for factor in (2, 3):
        drawn = _drawn(smooth, (40 * factor, 30 * factor)).rows(0, 30 * factor)
        v, u = ((np.mgrid[: 30 * factor, : 40 * factor] + 0.5) / factor) - 0.5
        expected = np.stack([np.sin(u / 4 + v / 6), np.cos(u / 5 - v / 4), u / 40])
        inner = slice(4 * factor, -4 * factor)
        assert np.abs(drawn - expected)[:, inner, inner].max() < 0.01


@given(SIDES, SIDES, st.data())
@settings(max_examples=100)
def test_what_is_needed_is_enough_and_no_more(coded: int, drawn: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, drawn - 1))
    stop = data.draw(st.integers(start + 1, drawn))
    side, picture = Side(coded, drawn), _picture(coded, 2)
    first, last = side.needs(start, stop)
    assert 0 <= first < last <= coded
    whole = side.drawing(picture, 0, 0, drawn, 2)[:, :, start:stop]
    part = side.drawing(picture[:, :, first:last], first, start, stop, 2)
    assert np.abs(part - whole).max() < 1e-6
    assert last - first <= (stop - start) * coded / drawn + 8


@pytest.mark.parametrize(
    ("drawn", "window", "source"),
    [
        ((50, 40), (0, 0, 50, 40), (0, 0, 100, 80)),
        ((50, 40), (10, 20, 5, 1), (20, 40, 10, 2)),
        ((33, 26), (1, 1, 1, 1), (3, 3, 4, 4)),
        ((200, 160), (0, 0, 200, 160), (0, 0, 100, 80)),
        ((200, 160), (100, 80, 2, 2), (47, 37, 7, 7)),
        ((100, 80), (1, 2, 3, 4), (1, 2, 3, 4)),
    ],
)
def test_a_window_is_made_of_a_part(
    drawn: tuple[int, int], window: tuple[int, int, int, int], source: tuple[int, int, int, int]
) -> None:
    assert source_of((100, 80), drawn, window) == source


@pytest.mark.parametrize("axis", [1, 2])
def test_samples_in_between(axis: int) -> None:
    rng = np.random.default_rng(0)
    stack = rng.normal(size=(2, 12, 12)).astype(np.float32)
    assert np.allclose(resampled(stack, 0, 12, np.arange(12.0), axis), stack, atol=1e-6)
    line = np.broadcast_to(np.arange(12, dtype=np.float32), (1, 12, 12))
    line = line if axis == 2 else line.transpose(0, 2, 1)
    at = np.linspace(2, 9, 31)
    found = resampled(line, 0, 12, at, axis)
    assert np.allclose(found.max(3 - axis).ravel(), at, atol=0.02), "it is near straight lines"


@given(st.floats(-1, 12), st.floats(-1, 12))
def test_a_part_is_enough_to_resample(one: float, other: float) -> None:
    stack = np.random.default_rng(0).normal(size=(1, 12, 3)).astype(np.float32)
    at = np.linspace(min(one, other), max(one, other), 7)
    first, last = reach(at, 12)
    assert 0 <= first < last <= 12
    assert np.array_equal(resampled(stack[:, first:last], first, 12, at, 1), resampled(stack, 0, 12, at, 1))
