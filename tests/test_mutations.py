"""Golden files cut, flipped and mutated: the picture or one InrError, soon, and nothing said."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz.mutation import framed, mutated, parts_of, repaired
from fuzz.outcome import outcome
from inrcodec.decoder import anatomy, decode_pixels, probe
from inrcodec.errors import BitstreamError, Truncated
from inrcodec.format.container import CRC_BYTES, read

GOLDEN = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "golden").glob("*.inr"))}
READERS: tuple[Callable[[bytes], object], ...] = (decode_pixels, probe, anatomy)


def _survive(count: int, seed: int) -> Counter[str]:
    """Mutations of mutations of golden files, and what became of them."""
    rng, files, found = random.Random(seed), list(GOLDEN.values()), Counter[str]()
    pool = list(files)
    for _ in range(count):
        data = mutated(rng.choice(pool), rng, files)
        result = outcome(data)
        found.update(result.values())
        if result["decode"] == "fine" and len(data) < 3000:  # what still decodes is worth mutating again
            pool[rng.randrange(len(files), len(pool) + 1) :] = [data]
            pool = pool[:400]
    return found


@pytest.mark.parametrize("seed", range(2))
def test_mutations_with_a_right_checksum_are_survived(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    found = _survive(150, seed)
    assert found["fine"] > 30
    assert found["BitstreamError"] > 30
    assert found["ChecksumMismatch"] < 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_thousand_of_them_are(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert _survive(5_000, 1000 + seed)["fine"] > 1000
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_is_refused(name: str) -> None:
    data = GOLDEN[name]
    for length in range(len(data)):
        for reader in READERS:
            with pytest.raises(Truncated):
                reader(data[:length])


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN)
def test_every_flipped_bit_is_refused(name: str) -> None:
    for damaged in _flipped(GOLDEN[name]):
        for reader in READERS:
            with pytest.raises(BitstreamError):
                reader(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN)
def test_every_flipped_bit_with_a_right_checksum_is_survived(name: str) -> None:
    for damaged in _flipped(GOLDEN[name]):
        outcome(repaired(damaged))


def _flipped(data: bytes) -> Iterator[bytes]:
    """The file with each of its bits flipped in turn."""
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_mutator_knows_the_frame(name: str) -> None:
    data = GOLDEN[name]
    parts = parts_of(data)
    assert parts is not None
    assert framed(parts) == data
    assert [body for _, body in parts[1]] == list(read(data).sections.values())
    at = read(data).header_bytes - CRC_BYTES
    assert repaired(data[:at] + bytes(CRC_BYTES) + data[at + CRC_BYTES :]) == data


def test_errors_say_where() -> None:
    """Whatever is wrong behind the checksum, the message names the section and its bytes, or the byte."""
    rng, silent = random.Random(8), Counter[str]()
    for _ in range(400):
        data = mutated(rng.choice(list(GOLDEN.values())), rng)
        try:
            anatomy(data)
        except BitstreamError as error:
            text = str(error)
            if not ("byte" in text or "limit" in text or "magic" in text or "sections do not make" in text):
                silent[text] += 1
    assert not silent
