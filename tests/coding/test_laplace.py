from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inrcodec.coding import laplace
from inrcodec.coding.laplace import COLUMNS, LOW, MORE, REACH, TAIL, WIDE, LawReader, codes, costs, decays, table
from inrcodec.coding.rangecoder import Reader, Writer
from inrcodec.errors import BitstreamError
from inrcodec.fit.grid import reference
from inrcodec.net.context import FRACTIONS, MAX_LATENT, PER_OCTAVE, SCALES, UNIT_SCALE

Int = NDArray[np.int32]


def _scale(index: int) -> float:
    return float(2.0 ** ((index - UNIT_SCALE) / PER_OCTAVE))


def _bits(latents: NDArray[np.float64], position: float, index: int) -> NDArray[np.float64]:
    """Of the float law."""
    log_scale = torch.full((len(latents),), np.log(_scale(index)), dtype=torch.float64)
    bits: NDArray[np.float64] = reference.laplace_bits(
        torch.tensor(latents), torch.full_like(log_scale, position), log_scale
    ).numpy()
    return bits


def _sent(latents: Int, centred: Int, scale: Int) -> NDArray[np.float64]:
    """Bits that each latent sends."""
    rows, indices, which, _ = codes(latents, centred, scale)
    bits: NDArray[np.float64] = np.bincount(which, costs()[rows, indices], len(latents)).astype(np.float64)
    return bits


def test_the_decays_are_those_of_their_scales() -> None:
    expected = np.exp(-1 / (FRACTIONS * 2.0 ** ((np.arange(SCALES) - UNIT_SCALE) / PER_OCTAVE)))
    assert np.allclose(decays(), expected, rtol=1e-11, atol=0)


def test_the_bits_of_the_table_never_change() -> None:
    """Files out there are coded under them: when this test fails, the format has changed."""
    assert table().shape == (LOW + 7, COLUMNS)
    digest = hashlib.sha256(table().astype(">f8").tobytes()).hexdigest()
    assert digest == "301e507500df5de227a213d157ca7d5e5f3486fa166c35ce6457d6d998647bd9"


def test_every_row_is_a_distribution() -> None:
    assert (table() >= 0).all()
    assert np.abs(table().sum(1) - 1).max() < 1e-12
    with pytest.raises(ValueError, match="read-only"):
        table()[0, 0] = 1


@pytest.mark.parametrize("index", [20, 60, 90, UNIT_SCALE, 130, WIDE - 1])
@pytest.mark.parametrize("fraction", [0, 17, 32, 63])
def test_rows_of_narrow_scales_are_the_laplace_law(index: int, fraction: int) -> None:
    position = (fraction - FRACTIONS // 2) / FRACTIONS
    masses = 2 ** -_bits(np.arange(1.0 - REACH, REACH), position, index)
    assert np.allclose(table()[index * FRACTIONS + fraction][1:-1], masses, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("index", range(50, SCALES, 5))
def test_latents_cost_what_the_laplace_law_says(index: int) -> None:
    """Less than 0.1 % more in the mean, escapes and bins included, from entropies of 10^-5 bits up."""
    scale, far = _scale(index), min(MAX_LATENT, int(np.ceil(40 * _scale(index))) + 2)
    latents = np.arange(-far, far + 1, dtype=np.int32)
    for fraction in (0, 11, 32, 63):
        bits = _bits(latents.astype(np.float64), (fraction - FRACTIONS // 2) / FRACTIONS, index)
        full = np.full(len(latents), index, np.int32)
        sent = _sent(latents, np.full(len(latents), fraction, np.int32), full)
        shares = 2**-bits
        assert scale > 300 or abs(shares.sum() - 1) < 1e-4
        assert (shares @ (sent - bits)) < 1e-3 * (shares @ bits) + 1e-5


def test_the_coder_charges_what_costs_says() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, TAIL, 4000)
    indices = np.array([rng.choice(COLUMNS, p=table()[row] / table()[row].sum()) for row in rows], np.int32)
    writer = Writer()
    writer.rows(indices, table()[rows])
    assert 8 * len(writer.finish()) == pytest.approx(costs()[rows, indices].sum(), rel=1e-3)


LATENTS = st.lists(
    st.tuples(
        st.one_of(st.integers(-5, 5), st.integers(-MAX_LATENT, MAX_LATENT)),
        st.one_of(st.integers(-99, 99), st.integers(-MAX_LATENT * FRACTIONS, MAX_LATENT * FRACTIONS)),
        st.integers(0, SCALES - 1),
    ),
    min_size=1,
    max_size=20,
)


@given(LATENTS)
def test_every_latent_can_be_coded_under_every_law(wanted: list[tuple[int, int, int]]) -> None:
    latents, position, scale = np.array(wanted, np.int32).T
    centred = position + FRACTIONS // 2
    rows, indices, which, rounds = codes(latents, centred, scale)
    assert (np.diff(rounds) >= 0).all()
    assert all((np.diff(which[rounds == k]) > 0).all() for k in np.unique(rounds))
    writer = Writer()
    for k in np.unique(rounds):
        writer.rows(indices[rounds == k], table()[rows[rounds == k]])
    reader = Reader(writer.finish(), strict=True)
    assert LawReader(reader, len(latents)).read(centred, scale).tolist() == latents.tolist()
    reader.finish()


class _Stub:
    """A reader of made-up indices."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)

    def rows(self, probabilities: NDArray[np.float64]) -> Int:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return np.full(len(probabilities), answer, np.int32)


def _read(stub: _Stub, scale: int) -> int:
    reader = LawReader(stub, 1)  # type: ignore[arg-type]
    return int(reader.read(np.array([FRACTIONS // 2], np.int32), np.array([scale], np.int32))[0])


def test_tails_go_either_way_and_on() -> None:
    assert _read(_Stub(0, 5), UNIT_SCALE) == -REACH - 5
    assert _read(_Stub(64, MORE, 3), UNIT_SCALE) == REACH + MORE + 3
    assert _read(_Stub(33, 1), WIDE) == 1 * 2 + 1 - 1


def test_a_tail_without_end_is_refused() -> None:
    with pytest.raises(BitstreamError, match="out of bounds"):
        _read(_Stub(64, MORE), UNIT_SCALE)


def test_a_tail_beyond_all_latents_is_refused() -> None:
    assert _read(_Stub(64, 31, 0), SCALES - 1) == (REACH + 31) * 64 - 32
    with pytest.raises(BitstreamError, match="over 4095"):
        _read(_Stub(64, MORE, MORE, 40, 0), SCALES - 1)


def test_a_place_outside_its_bin_is_refused() -> None:
    with pytest.raises(BitstreamError, match="outside its bin"):
        _read(_Stub(33, 2), WIDE)


def test_no_transcendental_function_touches_the_table() -> None:
    """From the integers to the probabilities it is ``+ - *`` alone."""
    tree = ast.parse(Path(laplace.__file__).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    allowed = {"np.array", "np.concatenate", "np.arange", "np.int32", "np.maximum", "np.ones", "np.zeros", "np.where"}
    allowed |= {"np.multiply", "np.broadcast_shapes", "range", "int", "len", "decays", "width_exponents", "_power"}
    for name in ("decays", "width_exponents", "_power", "table"):
        calls = {ast.unparse(node.func) for node in ast.walk(functions[name]) if isinstance(node, ast.Call)}
        methods = {call for call in calls if call.split(".")[-1] in ("append", "max", "bit_length", "copy", "reshape")}
        assert calls - methods <= allowed, name
        assert "float32" not in ast.unparse(functions[name])
