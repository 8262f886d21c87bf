from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inrcodec.encoder import EncodeOptions, Target
from inrcodec.fit.methods import kind_of, method
from inrcodec.fit.settings import grid_settings, resolved, siren_settings
from inrcodec.format.container import Header
from inrcodec.recipes import load, names, parse, write

KODAK = Header(768, 512)


def _options(name: str, bpp: float | None) -> EncodeOptions:
    recipe = load(name)
    return replace(EncodeOptions(overrides=recipe.settings), **recipe.at(bpp))


@pytest.mark.parametrize("name", names())
def test_every_recipe_is_one_that_encodes_can_follow(name: str) -> None:
    recipe = load(name)
    assert recipe.summary
    assert recipe.source
    for bpp in (None, *(bpp for bpp, _ in recipe.targets)):
        options = _options(name, bpp)
        assert siren_settings(options).steps > 0
        assert kind_of(options).hidden
        assert method(options.method).size(KODAK, 15_000, options).params > 0


def test_the_seeds_are_there() -> None:
    assert {"coin", "l0onie", "l0onie-magnitude", "constrained-l0", "struempler-basic"} <= set(names())


@pytest.mark.parametrize(
    ("bpp", "layers"), [(0.07, "5x20"), (0.1, "5x20"), (0.16, "5x30"), (0.31, "10x28"), (9.0, "13x49")]
)
def test_targets_take_the_nearest_row(bpp: float, layers: str) -> None:
    assert load("coin").at(bpp)["layers"] == layers
    assert "layers" not in load("coin").at(None)


def test_published_sizes() -> None:
    """COIN's networks at 16 bits a weight, Struempler's at 8, are as large as they say."""
    for name, bits, sizes in (
        ("coin", 16, {0.08: 0.0736, 0.16: 0.1604, 0.31: 0.3074, 0.62: 0.6109, 1.22: 1.209}),
        ("struempler-basic", 8, {0.1: 0.110, 0.19: 0.212, 0.3: 0.345, 0.95: 1.190}),
    ):
        for bpp, published in sizes.items():
            options = _options(name, bpp)
            arch = method(options.method).size(KODAK, 80_000, options)
            assert bits * arch.params / KODAK.pixels == pytest.approx(published, rel=0.015)


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[options]\nlayers = "2x9"\n[settings]\nsteps = 40\nbetas = [0.8, 0.9]\n')
    recipe = load(str(tmp_path / "mine.toml"))
    assert (recipe.name, recipe.options) == ("mine", {"layers": "2x9"})
    assert recipe.settings == (("steps", "40"), ("betas", "0.8,0.9"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x =", "recipe bad: "),
        ("colour = 1", "it says colour"),
        ("[options]\nbpp = 1", "no option 'bpp'"),
        ("[[targets]]\nlayers = '2x2'", "a target has a bpp"),
        ("[[targets]]\nbpp = -1", "a target has a bpp"),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse("bad", text)


def test_unknown_names_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recipe 'magic'; there are coin, "):
        load("magic")
    with pytest.raises(FileNotFoundError):
        load(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("name", ["coin", "struempler-basic"])
def test_what_was_used_is_a_recipe_that_says_it_all(name: str) -> None:
    target, options = Target("bpp", 0.15), _options(name, 0.15)
    used = resolved(load(name), target, options, siren_settings(options))
    again = parse(name, write(used))
    assert again == used
    back = replace(EncodeOptions(overrides=again.settings), **again.at(0.15))
    assert siren_settings(back) == siren_settings(options)
    assert (back.layers, back.encoding) == (options.layers, options.encoding)


def test_settings_of_grids_are_told_too() -> None:
    options = EncodeOptions()
    used = resolved(parse("mine", ""), Target("bpp", 0.3), options, grid_settings(options, KODAK.pixels))
    assert "latent_lr" in dict(used.settings)
    assert parse("mine", write(used)) == used
