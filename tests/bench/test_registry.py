from __future__ import annotations

import hashlib

import pytest

from inrcodec.bench.datasets import path
from inrcodec.bench.registry import DataError, dataset, registry


def test_kodak_has_its_twenty_four_pictures() -> None:
    kodak = dataset("kodak")
    assert [item.name for item in kodak.items] == [f"kodim{number:02d}.png" for number in range(1, 25)]
    assert len({item.sha256 for item in kodak.items}) == 24
    assert sum(item.bytes for item in kodak.items) == 15394305
    assert kodak.home.startswith("https://")
    assert "unrestricted" in kodak.licence


def test_every_file_has_several_addresses() -> None:
    for known in registry().values():
        for item in known.items:
            urls = known.urls(item)
            assert len(urls) >= 2
            assert all(url.startswith("https://") and "{" not in url for url in urls)
    assert dataset("kodak").urls(dataset("kodak").items[6])[-1].endswith("/PhotoCD_PCD0992/7.png")


def test_the_originals_are_those_that_others_measure_on() -> None:
    """One SHA-1 over all files in order is the constant of NeuralCompression."""
    try:
        folder = path("kodak")
    except DataError as error:
        pytest.skip(str(error))
    data = b"".join((folder / item.name).read_bytes() for item in dataset("kodak").items)
    assert hashlib.sha1(data).hexdigest() == "076e2a5fd4515b5fda677f15fe63dd112d266bc5"


def test_a_data_set_there_is_not() -> None:
    with pytest.raises(DataError, match="no data set 'clic'; there are kodak"):
        dataset("clic")
