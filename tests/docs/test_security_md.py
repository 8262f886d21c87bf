"""SECURITY.md: its limits are those of the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from inrcodec import __version__, limits
from inrcodec.limits import Limits

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \| (?:2\^(\d+)|([\d,]+)) \|", re.MULTILINE)


def _stated() -> dict[str, int]:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("## Limits")[1].split("\n## ")[0]
    rows = ROW.findall(text)
    assert len(rows) == text.count("\n| `"), "a row that this test cannot read"
    return {name: 1 << int(power) if power else int(plain.replace(",", "")) for name, power, plain in rows}


def test_every_limit_is_stated_with_its_value() -> None:
    fields = {field.name: getattr(Limits(), field.name) for field in dataclasses.fields(Limits)}
    format_limits = {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}
    assert _stated() == fields | format_limits


def test_the_changelog_knows_the_version() -> None:
    assert __version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
