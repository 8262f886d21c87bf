from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.cli import main as module
from inrcodec.cli.main import inrcodec, main

Run = Callable[..., int]
Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


def test_help_lists_every_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        assert run(word) == 0
        text = capsys.readouterr().out
        for name in ("encode", "decode", "info", "verify", "compare", "completion"):
            assert f"\n  {name} " in text
        assert "writes photo.inr" in text
        assert "\\b" not in text


@pytest.mark.parametrize("name", sorted(inrcodec.commands))
def test_help_of_every_command(run: Run, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(name, "-h") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Usage: inrcodec {name}")
    assert captured.err == ""


def test_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("inrcodec ")


@pytest.mark.parametrize(
    "words", [("nonsense",), ("--nonsense",), ("decode",), ("encode",), ("decode", "a", "--nonsense")]
)
def test_wrong_usage_is_2(run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: inrcodec" in captured.err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (EOFError(), 130), (RuntimeError("x"), 1)])
def test_what_escapes_a_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(inrcodec.commands["compare"], "callback", fail)
    assert run("compare", "a", "b") == code
    assert "Traceback" not in capsys.readouterr().err
    if code == 1:
        run("-v", "compare", "a", "b")
        assert "Traceback" in capsys.readouterr().err


def test_entry_point_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run", lambda: 3)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 3


def test_quiet_and_verbose_before_and_after_the_command(
    run: Run, coded: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number, words in enumerate([("-q", "decode", coded), ("decode", coded, "-q")]):
        assert run(*words, "-o", tmp_path / f"{number}.png") == 0
        assert capsys.readouterr().err == ""
    run("info", coded)
    short = capsys.readouterr().out
    run("info", "-v", coded)
    after = capsys.readouterr().out
    run("-v", "info", coded)
    assert capsys.readouterr().out == after
    assert after.startswith(short)
    assert len(after) > len(short)


def test_as_a_module(shell: Shell) -> None:
    done = shell("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(b"inrcodec ")
    done = shell("decode", "missing.inr")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == "error: missing.inr: No such file or directory\n"


def test_completion(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bash", "zsh", "fish"):
        assert run("completion", name) == 0
        assert "_INRCODEC_COMPLETE" in capsys.readouterr().out
    assert run("completion", "csh") == 2


def test_completion_script_finds_the_options(environment: dict[str, str], program: list[str]) -> None:
    asked = {
        **environment,
        "_INRCODEC_COMPLETE": "bash_complete",
        "COMP_WORDS": "inrcodec decode --sc",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(program, capture_output=True, env=asked, timeout=60, check=False)
    assert done.stdout.decode().split() == ["plain,--scale"]
