"""What desktops learn about our files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from inrcodec.format.container import INRIMAGE, MAGIC
from inrcodec.plugin import ENDING, MIME

TYPES = Path(__file__).parents[2] / "packaging" / "inrcodec.xml"
SPACE = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}


def test_one_type_with_our_magic_and_our_ending() -> None:
    (kind,) = ET.parse(TYPES).getroot().findall("m:mime-type", SPACE)
    (match,) = kind.findall("m:magic/m:match", SPACE)
    (glob,) = kind.findall("m:glob", SPACE)
    assert kind.get("type") == MIME
    assert (match.get("type"), match.get("offset")) == ("string", "0")
    assert match.get("value", "").encode().decode("unicode_escape").encode("latin-1") == MAGIC
    assert not INRIMAGE.startswith(MAGIC)
    assert glob.get("pattern") == f"*{ENDING}"
    assert kind.findtext("m:comment", namespaces=SPACE)


def test_the_database_takes_it(tmp_path: Path) -> None:
    program = shutil.which("update-mime-database")
    if program is None:
        pytest.skip("shared-mime-info is not installed")
    database = tmp_path / "mime"
    (database / "packages").mkdir(parents=True)
    shutil.copy(TYPES, database / "packages")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    command = [program, str(database)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert done.stderr == ""
    assert f"40:{MIME}:*{ENDING}" in (database / "globs2").read_text().splitlines()
    assert b"[60:image/x-inr]\n>0=\0\x08" + MAGIC in (database / "magic").read_bytes()
