from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inrcodec.encoder import Encoded, EncodeOptions, Log, Target, encode_pixels
from inrcodec.fit import monitor
from inrcodec.image import load_image
from inrcodec.pixels import Pixels

SIREN = EncodeOptions(
    effort=1, arch="siren", threads=1, overrides=(("steps", "150"), ("landing", "3"), ("batch", "512"), ("lr", "1e-3"))
)
GRID = EncodeOptions(effort=1, arch="grid", threads=1, overrides=(("steps", "60"), ("landing", "1")))
BOTH = pytest.mark.parametrize("options", [SIREN, GRID], ids=["siren", "grid"])


def _logged(picture: Pixels, options: EncodeOptions, folder: Path, *, images: bool = False) -> Encoded:
    return encode_pixels(picture, Target("bytes", 900), replace(options, log=Log(folder, images)))


def _table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@BOTH
def test_the_table_tells_how_the_fit_went(picture: Pixels, options: EncodeOptions, tmp_path: Path) -> None:
    coded = _logged(picture, options, tmp_path)
    rows = _table(tmp_path, "fit")
    first = [row for row in rows if row["fit"] == "1"]
    steps = [int(row["step"]) for row in first]
    assert steps == sorted(set(steps))
    assert steps[-1] >= int(options.overrides[0][1])
    assert list(dict.fromkeys(row["phase"] for row in first)) == ["fit", "quantise", "round"]
    assert float(first[-1]["psnr_db"]) > float(first[0]["psnr_db"])
    assert float(first[-1]["bpp"]) == pytest.approx(8 * len(coded.data) / picture.count, rel=0.35)
    assert float(first[-1]["soft_bpp"]) == pytest.approx(float(first[-1]["bpp"]), rel=0.2)
    assert len({row["multiplier"] for row in first}) > 1
    assert all(row["lagrangian"] for row in first)


@BOTH
def test_layers_add_up(picture: Pixels, options: EncodeOptions, tmp_path: Path) -> None:
    _logged(picture, replace(options, overrides=(*options.overrides, ("droprate", "0.6"))), tmp_path)
    whole = {(row["fit"], row["step"]): float(row["kept"]) for row in _table(tmp_path, "fit")}
    parts: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in _table(tmp_path, "layers"):
        parts.setdefault((row["fit"], row["step"]), []).append((int(row["kept"]), int(row["weights"])))
    assert parts.keys() == whole.keys()
    for key, layers in parts.items():
        assert sum(k for k, _ in layers) / sum(w for _, w in layers) == pytest.approx(whole[key], rel=1e-4)
    assert min(whole.values()) < 1


def test_gates_are_counted_until_they_are_purged(picture: Pixels, tmp_path: Path) -> None:
    coded = _logged(picture, SIREN, tmp_path)
    gates = _table(tmp_path, "gates")
    assert {sum(int(n) for name, n in row.items() if name.startswith("to_")) for row in gates} == {coded.report.params}
    rounded = {row["step"] for row in _table(tmp_path, "fit") if row["phase"] == "round"}
    assert gates
    assert not rounded & {row["step"] for row in gates}


@BOTH
def test_pictures_over_time_get_better(picture: Pixels, options: EncodeOptions, tmp_path: Path) -> None:
    _logged(picture, options, tmp_path, images=True)
    drawn = [load_image(str(path)).pixels for path in sorted((tmp_path / "images").glob("fit1-*.png"))]
    assert len(drawn) >= 10
    errors = [float(np.square(d.array.astype(float) - picture.array).mean()) for d in (drawn[0], drawn[-1])]
    assert errors[1] < 0.7 * errors[0]


def test_without_being_asked_there_are_none(picture: Pixels, tmp_path: Path) -> None:
    _logged(picture, SIREN, tmp_path)
    assert not (tmp_path / "images").exists()


@BOTH
def test_watching_changes_nothing(picture: Pixels, options: EncodeOptions, tmp_path: Path) -> None:
    watched = _logged(picture, options, tmp_path, images=True)
    assert encode_pixels(picture, Target("bytes", 900), options).data == watched.data


def test_settings_are_spelled_out(picture: Pixels, tmp_path: Path) -> None:
    _logged(picture, SIREN, tmp_path)
    asked = json.loads((tmp_path / "config.json").read_text())
    assert asked["target"] == {"kind": "bytes", "value": 900}
    assert asked["config"]["steps"] == 150
    assert asked["config"]["dual"] == "nupi"
    assert asked["options"]["seed"] == 0


def test_tensorboard_reads_the_events(picture: Pixels, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _logged(picture, SIREN, tmp_path, images=True)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = events.Tags()
    rows = [row for row in _table(tmp_path, "fit") if row["fit"] == "1"]
    scalars = events.Scalars("fit1/psnr_db")
    assert [one.step for one in scalars] == [int(row["step"]) for row in rows]
    assert [one.value for one in scalars] == pytest.approx([float(row["psnr_db"]) for row in rows], rel=1e-4)
    assert "fit1/gates" in tags["histograms"]
    assert "fit1/picture" in tags["images"]


def test_tables_do_without_tensorboard(picture: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "events_possible", lambda: False)
    _logged(picture, SIREN, tmp_path)
    assert _table(tmp_path, "fit")
    assert not list(tmp_path.glob("events*"))


def test_a_log_is_not_overwritten_unasked(picture: Pixels, tmp_path: Path) -> None:
    _logged(picture, SIREN, tmp_path)
    before = (tmp_path / "fit.csv").read_bytes()
    with pytest.raises(FileExistsError):
        _logged(picture, SIREN, tmp_path)
    assert (tmp_path / "fit.csv").read_bytes() == before
    encode_pixels(picture, Target("bytes", 900), replace(SIREN, log=Log(tmp_path, overwrite=True)))
    assert [row["fit"] for row in _table(tmp_path, "fit")].count("1") < 2 * before.count(b"\n")


@BOTH
def test_a_fit_that_goes_on_goes_on_in_its_log(picture: Pixels, options: EncodeOptions, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state"
    hasty = replace(options, overrides=(*options.overrides, ("save_every", "1e-9")), checkpoint=checkpoint)
    calls = iter(range(10**6))
    encode_pixels(
        picture, Target("bytes", 900), replace(hasty, log=Log(tmp_path / "log")), stop=lambda: next(calls) > 30
    )
    before = len(_table(tmp_path / "log", "fit"))
    encode_pixels(picture, Target("bytes", 900), replace(hasty, resume=True, log=Log(tmp_path / "log")))
    rows = _table(tmp_path / "log", "fit")
    steps = [int(row["step"]) for row in rows if row["fit"] == "1"]
    assert len(rows) > before
    assert steps == sorted(steps)
    assert steps[-1] >= int(options.overrides[0][1])
