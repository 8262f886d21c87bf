from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import ablation
from benchmarks.ablation import VARIANTS, encode, main, markdown, surcharge
from inrcodec.coding.estimate import fit_law
from inrcodec.coding.symbols import Symbols
from inrcodec.format.stream import unpack
from inrcodec.net.arch import Arch
from inrcodec.net.grid import GridArch
from inrcodec.pixels import Pixels


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    y, x = np.mgrid[:24, :32]
    waves = 127 + 100 * np.sin(x / 3 + y / 5)
    return Pixels(np.stack([waves, waves[::-1], waves[:, ::-1]], -1).astype(np.uint8))


@pytest.mark.parametrize("name", ["no gates", "never a grid of full size", "linear", "half the steps"])
def test_a_variant_is_what_it_says_and_fits_the_cap(name: str, pixels: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "half the steps", ablation.Variant(steps=0.1))
    coded = encode(name, pixels, 900, 1, 1)
    stream = unpack(coded.data)
    assert len(coded.data) <= 900
    assert isinstance(stream.arch, GridArch)
    assert isinstance(stream.weights, Symbols)
    assert stream.arch.finest == (name == "never a grid of full size")
    assert stream.arch.hidden == (() if name == "linear" else (24, 24))
    assert (stream.weights.prior == 0) == (name == "linear")
    assert (coded.report.steps < 100) == (name == "half the steps")


def test_what_a_fixed_length_costs() -> None:
    arch = Arch((4,))
    values = tuple(np.zeros(spec.shape, np.int32) for spec in arch.tensors())
    values[0].flat[0] = -3  # seven values, three bits for each of eight
    laws = tuple(fit_law(value, 100) for value in values)
    symbols = Symbols(arch, laws, values)
    assert surcharge(symbols) == pytest.approx(24 - sum(symbols.tensor_bits()))


def test_the_table_compares_with_the_base_on_the_same_pictures(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    lines = [
        "\t".join(ablation.COLUMNS),
        *(
            "\t".join((name, picture, "0.3", "9", psnr, *["1"] * 5))
            for name, picture, psnr in (
                ("default", "a", "30"),
                ("default", "b", "40"),
                ("no gates", "b", "39.5"),
                ("from scratch", "a", "29"),
                ("ReLU", "a", "28.75"),
            )
        ),
    ]
    path.write_text("# command\n" + "\n".join(lines) + "\n")
    assert markdown(path).splitlines()[2:] == [
        "| default |  | 35.00 dB |",
        "| no gates | default | -0.50 dB |",
        "| from scratch |  | 29.00 dB |",
        "| ReLU | from scratch | -0.25 dB |",
    ]


def test_every_base_is_a_variant() -> None:
    assert all(variant.base in VARIANTS for variant in VARIANTS.values())


def test_rows_that_are_there_are_not_measured_again(
    tmp_path: Path, pixels: Pixels, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.fromarray(pixels.array).save(tmp_path / "p.png")
    monkeypatch.setitem(VARIANTS, "default", ablation.Variant(steps=0.1))
    command = [str(tmp_path / "p.png"), "--bpp", "8", "--effort", "1", "--variants", "default"]
    main([*command, "--out", str(tmp_path / "rows.tsv")])
    first = capsys.readouterr()
    assert "default\tp\t8\t" in first.err
    main([*command, "--out", str(tmp_path / "rows.tsv")])
    again = capsys.readouterr()
    assert again.err == ""
    assert again.out == first.out
