from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrcodec.coding.law import Law
from inrcodec.errors import BitstreamError, Truncated, UnsupportedVersion
from inrcodec.format.sections import LAW_BYTES, read_laws, read_siren, write_laws, write_siren
from inrcodec.net.activations import ACTIVATE
from inrcodec.net.arch import Arch
from inrcodec.net.encoding import MAX_FREQUENCIES, MAX_HUNDREDTHS, MAX_SEED, PLAIN, Encoding

ARCHS = st.builds(
    Arch,
    st.lists(st.integers(1, 4096) | st.sampled_from([3, 4]), min_size=1, max_size=64).map(tuple),
    st.sampled_from([1, 3]),
    st.integers(1, 255),
    st.integers(1, 255),
    st.sampled_from(list(ACTIVATE)),
    st.just(PLAIN)
    | st.builds(Encoding, st.just("nerf"), st.integers(1, MAX_FREQUENCIES), st.integers(1, 124))
    | st.builds(Encoding, st.just("positional"), st.integers(1, MAX_FREQUENCIES), st.integers(1, MAX_HUNDREDTHS))
    | st.builds(Encoding, st.just("gauss"), st.just(64), st.integers(1, MAX_HUNDREDTHS), st.integers(0, MAX_SEED)),
)
LAWS = st.lists(
    st.builds(
        Law,
        st.integers(0, 255),
        st.integers(0, 143),
        st.integers(1, 255),
        st.integers(0, 255),
        st.integers(0, 255),
    )
).map(tuple)


@given(ARCHS)
def test_a_network_is_read_back(arch: Arch) -> None:
    body = write_siren(arch)
    assert read_siren(body, arch.outputs) == arch
    assert len(body) <= 5 + 8 + 3 * 64


def test_the_bytes_of_a_network() -> None:
    assert write_siren(Arch((8, 8, 8, 300), 3, 25, 30)) == bytes([0, 0, 25, 30, 2, 3, 8, 1, 0xAC, 0x02])
    encoded = Arch((8,), 3, 1, 2, "gauss", Encoding("gauss", 64, 200, 5))
    assert write_siren(encoded) == bytes([3, 3, 64, 0xC8, 1, 5, 1, 2, 1, 1, 8])


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ([4, 0, 30, 30, 1, 1, 8], UnsupportedVersion, "activation 4"),
        ([0, 4, 30, 30, 1, 1, 8], UnsupportedVersion, "encoding 4"),
        ([0, 1, 0, 100, 0, 30, 30, 1, 1, 8], BitstreamError, "1 to 64 frequencies"),
        ([0, 2, 65, 100, 0, 30, 30, 1, 1, 8], BitstreamError, "not 65 and 1"),
        ([0, 3, 1, 0, 0, 30, 30, 1, 1, 8], BitstreamError, "a scale of 0.01 to 100"),
        ([0, 1, 1, 0x91, 0x4E, 0, 30, 30, 1, 1, 8], BitstreamError, "not 1 and 100.01"),
        ([0, 2, 1, 1, 1, 30, 30, 1, 1, 8], BitstreamError, "seed 1"),
        ([0, 3, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 30, 30, 1, 1, 8], BitstreamError, "seed 4294967296"),
        ([0, 1, 22, 0xC8, 1, 0, 30, 30, 1, 1, 8], BitstreamError, "frequency over"),
        ([0, 3, 1, 1], Truncated, "inside the seed"),
        ([0, 0, 0, 30, 1, 1, 8], BitstreamError, "w0 runs from 1"),
        ([0, 0, 30, 0, 1, 1, 8], BitstreamError, "w0 runs from 1"),
        ([0, 0, 30, 30, 0], BitstreamError, "1 to 64 hidden layers"),
        ([0, 0, 30, 30, 1, 0, 8], BitstreamError, "run of 0 layers"),
        ([0, 0, 30, 30, 1, 65, 8], BitstreamError, "run of 65 layers"),
        ([0, 0, 30, 30, 2, 64, 8, 1, 9], BitstreamError, "run of 1 layers of 9"),
        ([0, 0, 30, 30, 1, 1, 0], BitstreamError, "of 0 neurons"),
        ([0, 0, 30, 30, 1, 1, 0x81, 0x20], BitstreamError, "of 4097 neurons"),
        ([0, 0, 30, 30, 1, 1, 0x88, 0x00], BitstreamError, "proper varint"),
        ([0, 0, 30, 30, 2, 1, 8, 1, 8], BitstreamError, "neighbouring runs of equal width"),
        ([0, 0, 30, 30, 1, 1, 8, 0], BitstreamError, "1 bytes too many in the network description"),
        ([], Truncated, "the network description ends at byte 0"),
        ([0, 0, 30, 30, 1], Truncated, "inside the run length"),
    ],
)
def test_other_networks_are_refused(body: list[int], error: type[BitstreamError], words: str) -> None:
    with pytest.raises(BitstreamError, match=words) as caught:
        read_siren(bytes(body), 3)
    assert type(caught.value) is error


@given(st.binary(max_size=40))
def test_any_network_that_is_read_has_one_spelling(body: bytes) -> None:
    for candidate in (body, bytes(2) + body):
        try:
            arch = read_siren(candidate, 3)
        except BitstreamError:
            continue
        assert write_siren(arch) == candidate


@given(LAWS)
def test_laws_are_read_back(laws: tuple[Law, ...]) -> None:
    body = write_laws(laws)
    assert len(body) == LAW_BYTES * len(laws)
    assert read_laws(body, len(laws)) == laws


def test_the_bytes_of_a_law() -> None:
    assert write_laws((Law(1, 2, 3, 4, 5), Law(6, 0, 255))).hex() == "0102030405" + "0600ffffff"


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\1", lambda b: b[5:], lambda b: b + b[:5]])
def test_laws_of_another_length_are_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(BitstreamError, match="3 tensors take 15 bytes of laws"):
        read_laws(change(write_laws((Law(1, 1),) * 3)), 3)


@pytest.mark.parametrize("law", [[0, 144, 1, 0, 0], [0, 255, 1, 0, 0], [0, 1, 0, 0, 0]])
def test_laws_out_of_range_are_refused(law: list[int]) -> None:
    with pytest.raises(BitstreamError, match="out of range"):
        read_laws(bytes([0, 1, 1, 0, 0, *law]), 2)
