from __future__ import annotations

import click
import pytest

from inrcodec.cli.values import alpha, duration, layers, metadata, override, size, tile, window


@pytest.mark.parametrize(
    ("text", "value"),
    [("12000", 12000), ("12k", 12000), ("12K", 12000), ("1.5k", 1500), ("12kB", 12000), ("12KiB", 12288),
     (".5M", 500000), ("1 MiB", 1 << 20), ("7b", 7)],
)  # fmt: skip
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "k", "12q", "-5", "0", "0.1", "1e3", "12 k k", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("0.5s", 0.5), ("1M", 60)],
)
def test_times(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "1d", "1h30", "m", "1 h", "inf"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter):
        duration(text)


def test_tiles() -> None:
    assert (tile("auto"), tile("off"), tile("512")) == (None, 0, 512)
    for text in ("", "on", "0", "32", "-512", "512x512"):
        with pytest.raises(click.BadParameter):
            tile(text)


def test_layers() -> None:
    assert layers("4x64") == "4x64"
    for text in ("4", "x64", "4x", "0x64", "4x0", "4x64x2", "-4x64", "4X64"):
        with pytest.raises(click.BadParameter):
            layers(text)


def test_alpha() -> None:
    assert alpha("keep") == "keep"
    assert alpha("drop") == "drop"
    assert alpha("#00ff7f") == "#00ff7f"
    for text in ("white", "", "#fff", "kept"):
        with pytest.raises(click.BadParameter, match="none of keep, drop"):
            alpha(text)


def test_metadata() -> None:
    from inrcodec.image.metadata import parse_metadata

    for text in ("none", "all", "icc", "exif,xmp", "xmp, icc"):
        assert metadata(text) == text
        parse_metadata(text)
    for text in ("", "iptc", "icc,", "all,icc"):
        with pytest.raises(click.BadParameter, match="some of icc,exif,xmp"):
            metadata(text)


def test_windows() -> None:
    assert window("1,2,30,40") == (1, 2, 30, 40)
    for text in ("1,2,3", "1,2,3,0", "-1,2,3,4", "1, 2, 3, 4", "a,b,c,d"):
        with pytest.raises(click.BadParameter):
            window(text)


def test_overrides() -> None:
    assert override("lr=1e-3") == ("lr", "1e-3")
    assert override(" name = a=b ") == ("name", "a=b")
    for text in ("lr", "=1", "lr=", ""):
        with pytest.raises(click.BadParameter):
            override(text)
