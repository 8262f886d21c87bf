"""What file(1) says of our files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from inrcodec.decoder import probe
from inrcodec.format.container import MAGIC, VERSION, Header, Tag, write
from inrcodec.plugin import MIME

ROOT = Path(__file__).parents[2]
RULES = ROOT / "packaging" / "inrcodec.magic"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.inr"))

Say = Callable[..., str]


@pytest.fixture
def say() -> Say:
    """The words of file(1) on some files, a line each."""
    program = shutil.which("file")
    if program is None:
        pytest.skip("file(1) is not installed")

    def call(*words: object) -> str:
        command = [program, "--brief", "-m", str(RULES), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
        return done.stdout.rstrip("\n")

    return call


def _line(header: Header, file_bytes: int) -> str:
    kind = ("gray" if header.channels == 1 else "RGB") + (" and alpha" if header.alpha else "")
    width, height = (side if side < max(128, file_bytes) else "?" for side in (header.width, header.height))
    return f"inrcodec picture, version {VERSION}, {width} x {height}, {kind}, {header.depth} bits a sample"


def test_the_rules_begin_with_our_magic() -> None:
    (rule,) = [line for line in RULES.read_text().splitlines() if line.startswith("0\t")]
    assert rule.split("\t")[2].encode().decode("unicode_escape").encode("latin-1") == MAGIC


def test_golden_files(say: Say) -> None:
    expected = []
    for path in GOLDEN:
        about = probe(path.read_bytes())
        header = Header(about.width, about.height, about.channels, about.depth, about.alpha is not None)
        expected.append(_line(header, about.bytes))
    assert sum("?" in line for line in expected) == 1  # a line of 300 pixels in 76 bytes
    assert say(*GOLDEN).splitlines() == expected


SIDES = (1, 127, 128, 300, 16383, 16384, 65535)


def test_sizes_of_one_two_and_three_bytes(say: Say, tmp_path: Path) -> None:
    sizes = [(width, height) for width in SIDES for height in SIDES]
    headers = [Header(*size, 1 if k % 2 else 3, 16 if k % 3 else 8, bool(k % 5)) for k, size in enumerate(sizes)]
    for k, header in enumerate(headers):
        (tmp_path / f"{k}.inr").write_bytes(write(header, {Tag.SIREN: bytes(70_000)}))
    assert say(*(tmp_path / f"{k}.inr" for k in range(len(sizes)))).splitlines() == [
        _line(header, 70_000) for header in headers
    ]


def test_sides_that_are_no_place_in_the_file(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "a.inr"
    for size, words in (((1000, 50), "? x 50"), ((50, 1000), "50 x ?"), ((20_000, 30_000), "? x ?")):
        path.write_bytes(write(Header(*size), {Tag.SIREN: bytes(60)}))
        assert say(path) == f"inrcodec picture, version 1, {words}, RGB, 8 bits a sample"


def test_the_type_and_the_ending(say: Say) -> None:
    assert say("--mime-type", GOLDEN[0]) == MIME
    assert say("--extension", GOLDEN[0]) == "inr"


def test_other_versions_and_other_files(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "a.inr"
    path.write_bytes(MAGIC + bytes([2]) + bytes(60))
    assert say(path) == "inrcodec picture, version 2"
    for start in (b"#INRIMAGE-4#{\n", b"\x89PNG\r\n\x1a\n", MAGIC[:7]):
        path.write_bytes(start + bytes(60))
        assert "inrcodec" not in say(path)
