"""Recipes: the published settings of the systems that this codec grew out of, one file each.

A recipe is TOML: a ``summary``, its ``source``, ``[options]`` of an encode, ``[settings]`` of its fit, ``[[targets]]``
that add options for a number of bits per pixel. What a user asks for besides goes before it.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIONS = ("arch", "method", "layers", "activation", "encoding", "coder", "effort", "seed")
"""What ``[options]`` and ``[[targets]]`` can say."""


@dataclass(frozen=True)
class Recipe:
    """Settings under a name.

    Attributes:
        name: what it goes by.
        summary: one line.
        source: where they are from.
        options: of :class:`inrcodec.encoder.EncodeOptions`.
        settings: ``(name, text)`` of the fit.
        targets: bits per pixel, and the options they add.
    """

    name: str
    summary: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    targets: tuple[tuple[float, dict[str, Any]], ...] = ()

    def at(self, bpp: float | None) -> dict[str, Any]:
        """Options for a target: those of the nearest one in the recipe, if any.

        Args:
            bpp: bits per pixel; None for a target that is not a size.
        """
        if bpp is None or not self.targets:
            return dict(self.options)
        _, nearest = min(self.targets, key=lambda target: abs(math.log(target[0] / bpp)))
        return {**self.options, **nearest}


def names() -> tuple[str, ...]:
    """The recipes there are."""
    return tuple(sorted(Path(file.name).stem for file in files(__name__).iterdir() if file.name.endswith(".toml")))


def load(name: str) -> Recipe:
    """A recipe by its name, or from a file that ends in ``.toml``.

    Raises:
        OSError: the file cannot be read.
        ValueError: there is none of that name, or it does not say what recipes say.
    """
    if name.endswith(".toml"):
        return parse(Path(name).stem, Path(name).read_text(encoding="utf-8"))
    if name not in names():
        raise ValueError(f"no recipe {name!r}; there are {', '.join(names())}, or a file that ends in .toml")
    return parse(name, (files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Recipe:
    """A recipe from TOML.

    Raises:
        ValueError: it is no TOML, or does not say what recipes say.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"recipe {name}: {error}") from None
    unknown = set(table) - {"summary", "source", "options", "settings", "targets"}
    if unknown:
        raise ValueError(f"recipe {name}: it says {', '.join(sorted(unknown))}, which no recipe does")
    targets = []
    for target in table.get("targets", []):
        if not isinstance(target.get("bpp"), (int, float)) or not target["bpp"] > 0:
            raise ValueError(f"recipe {name}: a target has a bpp above 0")
        targets.append((float(target["bpp"]), _options(name, {k: v for k, v in target.items() if k != "bpp"})))
    settings = tuple((key, as_text(value)) for key, value in table.get("settings", {}).items())
    options = _options(name, table.get("options", {}))
    return Recipe(name, str(table.get("summary", "")), str(table.get("source", "")), options, settings, tuple(targets))


def write(recipe: Recipe) -> str:
    """The inverse of :func:`parse`, for recipes without targets."""
    lines = [f"summary = {_quoted(recipe.summary)}", f"source = {_quoted(recipe.source)}", "", "[options]"]
    options = recipe.options.items()
    lines += [f"{name} = {value if isinstance(value, int) else _quoted(value)}" for name, value in options]
    lines += ["", "[settings]", *(f"{name} = {_quoted(text)}" for name, text in recipe.settings)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False)


def _options(name: str, table: dict[str, Any]) -> dict[str, Any]:
    for key in table:
        if key not in OPTIONS:
            raise ValueError(f"recipe {name}: no option {key!r}; there are {', '.join(OPTIONS)}")
    return table


def as_text(value: object) -> str:
    """A setting as ``--set`` takes it."""
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
