from __future__ import annotations

import numpy as np
import pytest

from inrcodec.image.alpha import flatten, parse_alpha
from inrcodec.image.samples import Samples


def _samples(levels: list[int], opacity: list[int], depth: int = 8) -> Samples:
    dtype = np.uint8 if depth == 8 else np.uint16
    array = np.array(levels, dtype).reshape(1, len(opacity), -1)
    return Samples(array, depth, np.array(opacity, dtype).reshape(1, -1, 1))


def test_the_choice_is_read() -> None:
    assert parse_alpha("keep") == "keep"
    assert parse_alpha("drop") is None
    assert parse_alpha("#ff8000") == (255, 128, 0)
    assert parse_alpha("#FF8000") == (255, 128, 0)


@pytest.mark.parametrize("text", ["kept", "", "white", "#fff", "#gggggg", "ffffff", "#ffffff00"])
def test_other_choices_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="alpha is"):
        parse_alpha(text)


def test_nothing_happens_without_opacity() -> None:
    samples = Samples(np.zeros((1, 1, 3), np.uint8))
    assert flatten(samples, None) == (samples, [])


def test_opaque_pictures_pass_in_silence() -> None:
    flat, notes = flatten(_samples([1, 2], [255, 255]), (255, 255, 255))
    assert flat.array.ravel().tolist() == [1, 2]
    assert flat.alpha is None
    assert notes == []


def test_dropping_keeps_the_colours_and_says_so() -> None:
    flat, notes = flatten(_samples([1, 2], [0, 255]), None)
    assert flat.array.ravel().tolist() == [1, 2]
    assert "dropped" in notes[0]


def test_keeping_changes_nothing_but_forgets_what_is_opaque() -> None:
    samples = _samples([1, 2], [0, 255])
    assert flatten(samples, "keep") == (samples, [])
    assert flatten(_samples([1, 2], [65535, 65535], 16), "keep")[0].alpha is None


def test_compositing_ends_are_exact_and_the_middle_rounds() -> None:
    flat, notes = flatten(_samples([100, 100, 100], [0, 255, 128]), (200, 200, 200))
    assert flat.array.ravel().tolist() == [200, 100, round((100 * 128 + 200 * 127) / 255)]
    assert notes == ["alpha composited over #c8c8c8"]


def test_gray_over_a_colour_becomes_colour() -> None:
    flat, _ = flatten(_samples([100], [0]), (1, 2, 3))
    assert flat.array.tolist() == [[[1, 2, 3]]]


def test_sixteen_bits_do_not_overflow() -> None:
    flat, _ = flatten(_samples([65535, 65535], [0, 65534], 16), (255, 255, 255))
    assert flat.array.ravel().tolist() == [65535, 65535]
    assert flat.array.dtype == np.uint16
