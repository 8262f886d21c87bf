from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.errors import BitstreamError
from inrcodec.fit.inputs import Inputs
from inrcodec.net.encoding import ENCODINGS, PLAIN, Encoding, normals, parse_encoding

COORDS = np.random.default_rng(0).uniform(-1, 1, (40, 2)).astype(np.float32)


def test_nerf_keeps_the_coordinates_and_adds_octaves() -> None:
    features = Encoding("nerf", 3, 200).features(COORDS)
    u, v = COORDS.astype(np.float64).T
    angles = [math.pi * 2**k * axis for axis in (u, v) for k in range(3)]
    expected = np.stack([u, v, *map(np.sin, angles), *map(np.cos, angles)], 1)
    assert features.shape == (40, 14)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=3e-7)


def test_positional_spaces_its_frequencies_evenly_up_to_the_scale() -> None:
    features = Encoding("positional", 4, 1000).features(COORDS)
    u, v = COORDS.astype(np.float64).T
    angles = [2 * math.pi * 10 ** (k / 4) * axis for axis in (u, v) for k in range(4)]
    np.testing.assert_allclose(features, np.stack([*map(np.sin, angles), *map(np.cos, angles)], 1), atol=3e-7)


def test_gauss_is_a_random_matrix_that_its_seed_stands_for() -> None:
    encoding = Encoding("gauss", 64, 300, 5)
    assert encoding.features(COORDS).shape == (40, encoding.inputs) == (40, 128)
    assert np.array_equal(encoding.angular(), Encoding("gauss", 64, 300, 5).angular())
    assert not np.allclose(encoding.angular(), Encoding("gauss", 64, 300, 6).angular())
    assert encoding.angular().std() == pytest.approx(6 * math.pi, rel=0.1)


def test_the_random_numbers_are_all_but_normal() -> None:
    numbers = normals(200_000, 3)
    assert abs(numbers.mean()) < 0.01
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(numbers) < 1).mean() == pytest.approx(0.6827, abs=0.005)
    assert (numbers**4).mean() == pytest.approx(2.9, abs=0.06)  # a sum of twelve has slightly less in its tails
    assert np.abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01


def test_the_generator_is_splitmix64() -> None:
    low, state, words = 2**64 - 1, 1234567, []
    for _ in range(6):
        state = state + 0x9E3779B97F4A7C15 & low
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & low
        z = (z ^ z >> 27) * 0x94D049BB133111EB & low
        words.append(z ^ z >> 31)
    assert words[0] == 6457827717110365317  # the first output of the published code for this seed
    sums = [sum(word >> bits & 65535 for word in words[k : k + 3] for bits in (0, 16, 32, 48)) for k in (0, 3)]
    assert normals(2, 1234567).tolist() == [(total - 393210) / 65536 for total in sums]


@pytest.mark.parametrize(
    "text", ["none", "nerf:6:1.4", "positional:9:12", "gauss:20:2.5:7", "nerf:21:2", "nerf:64:1.24"]
)
def test_torch_gives_the_same_features(text: str) -> None:
    encoding = parse_encoding(text)
    ours = Inputs(encoding)(torch.from_numpy(COORDS)).numpy()
    np.testing.assert_allclose(ours, encoding.features(COORDS), atol=1e-6)
    assert ours.shape == (40, encoding.inputs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", PLAIN),
        ("NeRF", Encoding("nerf", 16, 140)),
        ("nerf:7", Encoding("nerf", 7, 140)),
        ("positional:7:2.5", Encoding("positional", 7, 250)),
        ("gauss:64:2:77", Encoding("gauss", 64, 200, 77)),
    ],
)
def test_texts(text: str, expected: Encoding) -> None:
    assert parse_encoding(text) == expected
    assert parse_encoding(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "looks like nerf"),
        ("magic", "looks like nerf"),
        ("none:3", "looks like nerf"),
        ("nerf:", "looks like nerf"),
        ("nerf:3:x", "looks like nerf"),
        ("nerf:3:1:0:0", "looks like nerf"),
        ("nerf:0", "1 to 64 frequencies"),
        ("nerf:65", "1 to 64 frequencies"),
        ("nerf:6:0", "a scale of 0.01"),
        ("nerf:64:2", "nerf:64:2 has a frequency over 1048576"),
        ("nerf:22:2", "frequency over"),
        ("positional:6:101", "a scale of 0.01"),
        ("positional:6:2:1", "seed 1"),
        ("gauss:6:2:4294967296", "seed 4294967296"),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_encoding(text)


@pytest.mark.parametrize("numbers", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_no_encoding_has_no_numbers(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(BitstreamError):
        Encoding("none", *numbers)


@given(
    st.sampled_from(ENCODINGS[1:]), st.integers(1, 64), st.integers(1, 10_000), st.lists(st.floats(-1, 1), max_size=6)
)
def test_features_are_numbers_between_minus_one_and_one(kind: str, count: int, scale: int, axis: list[float]) -> None:
    coords = np.array([axis, axis[::-1]], np.float32).T.reshape(-1, 2)
    encoding = Encoding(kind, count, min(scale, 124) if kind == "nerf" else scale)
    features = encoding.features(coords)
    assert features.shape == (len(axis), encoding.inputs)
    assert np.isfinite(features).all()
    assert np.abs(features).max(initial=0) <= 1 + 1e-6
