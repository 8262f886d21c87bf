from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from inrcodec.bench.codec import CodecError, Picture, codec
from inrcodec.bench.codecs import compressai_jpeg


class _Jpeg:
    """CompressAI's JPEG as far as it is used: loads, saves, throws the file away and reports its rate."""

    error = 0.0

    def __init__(self, args: object) -> None:
        assert args is None

    def _load_img(self, path: str) -> Any:
        raise AssertionError(path)

    def _run_impl(self, path: str, quality: int) -> tuple[dict[str, float], Image.Image]:
        image = self._load_img(path)
        stream = io.BytesIO()
        image.save(stream, format="jpeg", quality=int(quality))
        bpp = stream.getbuffer().nbytes * 8 / (image.size[0] * image.size[1])
        return {"bpp": bpp + self.error}, Image.open(stream)


def test_it_writes_the_bytes_of_plain_jpeg(colours: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressai_jpeg, "_jpeg", lambda: _Jpeg)
    theirs, plain = codec("jpeg-compressai"), codec("jpeg")
    assert theirs.within(colours, 2500) == plain.within(colours, 2500)
    assert [point.data for point in theirs.sweep(colours)] == [point.data for point in plain.sweep(colours)]
    data = next(theirs.sweep(colours)).data
    assert (theirs.decode(data) == plain.decode(data)).all()


def test_a_size_that_is_not_the_files_is_refused(colours: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressai_jpeg, "_jpeg", lambda: _Jpeg)
    monkeypatch.setattr(_Jpeg, "error", 0.1)
    with pytest.raises(CodecError, match="another size"):
        codec("jpeg-compressai").within(colours, 2500)


def test_where_it_is_missing_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressai_jpeg, "find_spec", lambda name: None)
    assert "needs compressai (the extra inrcodec[compressai]" in codec("jpeg-compressai").available()


def test_where_it_does_not_fit_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nand more")

    monkeypatch.setattr(compressai_jpeg, "find_spec", lambda name: object())
    monkeypatch.setattr(compressai_jpeg, "_jpeg", fail)
    message = codec("jpeg-compressai").available()
    assert message.endswith("cannot be imported: operator torchvision::nms does not exist")


def test_the_real_one_writes_them_too(colours: Picture) -> None:
    theirs = codec("jpeg-compressai")
    if missing := theirs.available():
        pytest.skip(missing)
    assert theirs.within(colours, 2500) == codec("jpeg").within(colours, 2500)
    assert theirs.versions().startswith("compressai ")
