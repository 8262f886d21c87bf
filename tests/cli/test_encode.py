from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inrcodec.errors import TargetError

Run = Callable[..., int]
Calls = list[tuple[Any, Any, Any]]
Capture = pytest.CaptureFixture[str]


def _wanted(calls: Calls) -> tuple[str, float]:
    target = calls[-1][1]
    return target.kind, target.value


def test_writes_a_sibling_and_reports(
    run: Run, photo: Path, fake_encoder: Calls, coded_bytes: bytes, capsys: Capture
) -> None:
    assert run("encode", photo) == 0
    assert photo.with_suffix(".inr").read_bytes() == coded_bytes
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{len(coded_bytes)} bytes" in captured.err
    assert "31.25 dB, 1:05" in captured.err
    assert captured.err.count("photo.png: fit") == 11  # progress, a line every 10 %
    assert fake_encoder[0][0].array.shape == (16, 24, 3)


@pytest.mark.parametrize(
    ("words", "kind", "value"),
    [
        ((), "bpp", 0.3),
        (("--bpp", "0.15"), "bpp", 0.15),
        (("-b", "2"), "bpp", 2.0),
        (("-s", "12k"), "bytes", 12000.0),
        (("--size", "1KiB"), "bytes", 1024.0),
        (("-p", "30.5"), "psnr", 30.5),
    ],
)
def test_targets(run: Run, photo: Path, fake_encoder: Calls, words: tuple[str, ...], kind: str, value: float) -> None:
    assert run("encode", photo, *words) == 0
    assert _wanted(fake_encoder) == (kind, value)


@pytest.mark.parametrize(
    "words",
    [
        ("-b", "0.3", "-s", "12k"), ("-b", "0.3", "-p", "30"), ("-s", "1k", "--psnr", "30"), ("-b", "0"),
        ("-b", "-1"), ("-b", "nan"), ("-b", "inf"), ("-s", "0"), ("-p", "0"), ("-e", "0"), ("-e", "10"),
        ("--max-time", "soon"), ("--metadata", "iptc"), ("--alpha", "white"), ("--depth", "12"), ("--layers", "64"),
        ("--tile", "32"), ("--method", "zip"), ("--arch", "vgg"), ("--device", "tpu"), ("-j", "0"), ("--set", "steps"),
        ("--set", "no_such_setting=1"), ("--set", "steps=many"), ("--resume",), ("-f", "--skip-existing"),
        ("-o", "x.inr", "-O", "dir"), ("--json", "-o", "-"), ("--log-images",), ("--log", "d", "--stack", "2"),
        ("--log", "d", "--scheduler", "tcp://127.0.0.1:9"), ("--activation", "tanh"), ("--activation", "sine:0"),
        ("--encoding", "nerf:99"), ("--lambda", "1e-3"), ("--method", "penalized"), ("--coder", "zip"),
        ("--method", "penalized", "--lambda", "1e-3", "-b", "0.3"), ("--method", "bisect", "-p", "30"),
        ("--quant", "magic"), ("--config", "magic"), ("--config", "none.toml"), ("--from", "none.inr"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2_and_starts_nothing(
    run: Run, photo: Path, fake_encoder: Calls, capsys: Capture, words: tuple[str, ...]
) -> None:
    assert run("encode", photo, *words) == 2
    assert fake_encoder == []
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.png"]


def test_options_reach_the_encoder(run: Run, photo: Path, fake_encoder: Calls, tmp_path: Path) -> None:
    words = ("-e", "2", "--method", "coin", "--arch", "siren", "--layers", "3x20", "--seed", "7", "--device", "cpu",
             "--activation", "relu:2", "--encoding", "gauss:8:3",
             "-j", "2", "--max-time", "2m", "--set", "steps=9", "--set", "lr=1e-3", "--no-verify")  # fmt: skip
    assert run("encode", photo, *words, "--checkpoint", tmp_path / "c.ckpt", "--resume") == 0
    options = fake_encoder[0][2]
    assert (options.effort, options.method, options.arch, options.layers) == (2, "coin", "siren", "3x20")
    assert (options.seed, options.device, options.threads, options.max_time) == (7, "cpu", 2, 120.0)
    assert (options.checkpoint, options.resume, options.verify) == (tmp_path / "c.ckpt", True, False)
    assert options.overrides == (("steps", "9"), ("lr", "1e-3"))
    assert (options.activation, options.encoding) == ("relu:2", "gauss:8:3")


def test_a_recipe_says_what_the_command_line_does_not(
    run: Run, photo: Path, fake_encoder: Calls, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(
        'summary = "mine"\n[options]\nmethod = "coin"\nseed = 4\n[settings]\nsteps = 50\nlr = 1e-3\n'
        '[[targets]]\nbpp = 0.1\nlayers = "2x9"\n[[targets]]\nbpp = 1\nlayers = "3x11"\n'
    )
    words = ("--config", tmp_path / "mine.toml", "--seed", "5", "--set", "steps=60", "-b", "0.8")
    assert run("encode", photo, *words) == 0
    options = fake_encoder[0][2]
    assert (options.method, options.layers, options.seed) == ("coin", "3x11", 5)
    assert dict(options.overrides) == {"steps": "60", "lr": "0.001"}
    used = photo.with_suffix(".toml").read_text()  # all that was decisive, as a recipe
    assert 'layers = "3x11"' in used
    assert 'steps = "60"' in used
    assert 'droprate = "0.05"' in used
    assert run("encode", photo, "--config", photo.with_suffix(".toml"), "-f") == 0
    again = fake_encoder[1][2]
    assert (again.method, again.layers, again.seed) == ("coin", "3x11", 5)
    assert dict(again.overrides).items() >= {"steps": "60", "lr": "0.001"}.items()


def test_a_recipe_that_was_used_is_not_overwritten(run: Run, photo: Path, fake_encoder: Calls) -> None:
    photo.with_suffix(".toml").write_text("precious")
    assert run("encode", photo, "--config", "coin") == 1
    assert fake_encoder == []
    assert photo.with_suffix(".toml").read_text() == "precious"


def test_a_price_is_a_target(run: Run, photo: Path, fake_encoder: Calls) -> None:
    assert run("encode", photo, "--method", "penalized", "--lambda", "2e-3") == 0
    assert _wanted(fake_encoder) == ("lambda", 2e-3)


def test_a_file_to_start_from(run: Run, photo: Path, coded: Path, fake_encoder: Calls) -> None:
    assert run("encode", photo, "--method", "magnitude", "--from", coded) == 0
    assert fake_encoder[0][2].start == coded.read_bytes()


@pytest.mark.parametrize(
    ("arch", "setting"), [("grid", "latent_lr=0.02"), ("auto", "structured=true"), ("auto", "steps=5")]
)
def test_settings_of_either_architecture(run: Run, photo: Path, fake_encoder: Calls, arch: str, setting: str) -> None:
    assert run("encode", photo, "--arch", arch, "--set", setting) == 0
    assert fake_encoder[0][2].overrides == (tuple(setting.split("=")),)


def test_refuses_to_overwrite_before_the_fit(run: Run, photo: Path, fake_encoder: Calls, capsys: Capture) -> None:
    out = photo.with_suffix(".inr")
    out.write_bytes(b"precious")
    assert run("encode", photo) == 1
    assert fake_encoder == []
    assert "-f overwrites" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"
    assert run("encode", photo, "-f") == 0
    assert out.read_bytes() != b"precious"


def test_unwritable_places_are_found_before_the_fit(run: Run, photo: Path, fake_encoder: Calls, tmp_path: Path) -> None:
    assert run("encode", photo, "-o", tmp_path / "missing" / "x.inr") == 1
    assert run("encode", photo, "--stats", tmp_path / "missing" / "x.json") == 1
    assert fake_encoder == []


def test_a_file_that_appears_during_the_fit_is_not_clobbered(
    run: Run, photo: Path, fake_encoder: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inrcodec import encoder

    out, inner = photo.with_suffix(".inr"), encoder.encode_pixels

    def slow(*args: Any, **kwargs: Any) -> Any:
        out.write_bytes(b"somebody else's")
        return inner(*args, **kwargs)

    monkeypatch.setattr(encoder, "encode_pixels", slow)
    assert run("encode", photo) == 1
    assert out.read_bytes() == b"somebody else's"


def test_skip_existing_is_fine(run: Run, photo: Path, fake_encoder: Calls, capsys: Capture) -> None:
    photo.with_suffix(".inr").touch()
    assert run("encode", photo, "--skip-existing") == 0
    assert fake_encoder == []
    assert "skipped" in capsys.readouterr().err


def test_input_as_output_is_refused(run: Run, photo: Path, fake_encoder: Calls) -> None:
    assert run("encode", photo, "-o", photo, "-f") == 2
    assert fake_encoder == []


def test_batch_goes_on_after_a_bad_file_and_sums_up(
    run: Run, photo: Path, fake_encoder: Calls, capsys: Capture, tmp_path: Path
) -> None:
    bad, last = tmp_path / "bad.png", tmp_path / "last.png"
    bad.write_bytes(b"no picture")
    last.write_bytes(photo.read_bytes())
    assert run("encode", photo, bad, tmp_path / "missing.png", last, "-O", tmp_path / "new" / "folder", "-q") == 1
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["last.inr", "photo.inr"]
    assert len(fake_encoder) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2  # -q leaves the errors
    assert "bad.png" in lines[0]
    run("encode", photo, bad, "-O", tmp_path / "other")
    assert capsys.readouterr().err.splitlines()[-1] == "1 of 2 fine, 1 failed"


def test_json_is_one_object_per_input(
    run: Run, photo: Path, fake_encoder: Calls, capsys: Capture, tmp_path: Path
) -> None:
    stats = tmp_path / "stats.json"
    assert run("encode", photo, tmp_path / "missing.png", "--json", "--stats", stats, "-O", tmp_path / "out") == 1
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert good["input"] == str(photo)
    assert good["psnr"] == 31.25
    assert good["notes"] == []
    assert bad["code"] == 1
    assert json.loads(stats.read_text()) == good


def test_remarks_on_the_picture_are_said(run: Run, tmp_path: Path, fake_encoder: Calls, capsys: Capture) -> None:
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 128))
    image.save(tmp_path / "see.png")
    assert run("encode", tmp_path / "see.png") == 0
    assert "dropped" not in capsys.readouterr().err
    assert fake_encoder[0][0].samples[0, 0].tolist() == [10, 20, 30, 128]
    run("encode", tmp_path / "see.png", "-f", "--alpha", "#ffffff", "--depth", "16")
    assert fake_encoder[1][0].depth == 16
    assert fake_encoder[1][0].alpha is None
    assert fake_encoder[1][0].array[0, 0, 0] > 100 * 257
    capsys.readouterr()
    run("encode", tmp_path / "see.png", "-f", "--alpha", "drop")
    assert "see.png: alpha channel dropped" in capsys.readouterr().err
    assert fake_encoder[2][0].alpha is None
    assert fake_encoder[2][0].array[0, 0].tolist() == [10, 20, 30]


def test_unreachable_target_is_3_and_names_the_smallest(
    run: Run, photo: Path, fake_encoder: Calls, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from inrcodec import encoder

    def fail(*_: Any, **__: Any) -> None:
        raise TargetError("too small", smallest_bytes=77)

    monkeypatch.setattr(encoder, "encode_pixels", fail)
    assert run("encode", photo) == 3
    assert "77 bytes" in capsys.readouterr().err
    assert not photo.with_suffix(".inr").exists()


def test_stdin_to_stdout(
    run: Run, photo: Path, fake_encoder: Calls, coded_bytes: bytes, capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(photo.read_bytes())))
    assert run("encode", "-") == 0
    assert capsysbinary.readouterr().out == coded_bytes
    assert run("encode", photo, "-o", "-") == 0
    assert capsysbinary.readouterr().out == coded_bytes


def test_verbose_tells_more(run: Run, photo: Path, fake_encoder: Calls, capsys: Capture) -> None:
    run("encode", photo, "-v")
    assert "100 of 123 weights kept" in capsys.readouterr().err


def test_dry_run_does_nothing_but_tell(run: Run, photo: Path, fake_encoder: Calls, capsys: Capture) -> None:
    photo.with_suffix(".inr").touch()
    assert run("encode", photo, "-b", "8", "--dry-run") == 0
    text = capsys.readouterr().out
    assert "24 x 16" in text
    assert "at most 384 bytes" in text
    assert run("encode", photo, "-b", "8", "--dry-run", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["cap_bytes"] == 384
    assert record["steps"] > 0
    assert fake_encoder == []
    assert photo.with_suffix(".inr").read_bytes() == b""


def test_gray_stays_gray(run: Run, tmp_path: Path, fake_encoder: Calls) -> None:
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "gray.png")
    run("encode", tmp_path / "gray.png")
    assert fake_encoder[0][0].array.shape == (3, 4, 1)
