from __future__ import annotations

import pytest

from inrcodec.bench.codec import DEFAULT, NAMES, codec, split
from inrcodec.bench.codecs.inr import Inr


@pytest.mark.parametrize("name", NAMES)
def test_every_codec_is_there_by_its_name(name: str) -> None:
    assert codec(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_codec_that_cannot_run_here_says_so_in_one_line(name: str) -> None:
    missing = codec(name).available()
    assert "\n" not in missing
    assert not missing or missing.startswith(f"{name}: ")


def test_the_usual_codecs_are_among_all() -> None:
    assert set(DEFAULT) < set(NAMES)


def test_a_variant_goes_by_its_text_or_by_a_name_of_its_own() -> None:
    assert codec("inr:effort=1").name == "inr:effort=1"
    assert codec("mine=inr:effort=1").name == "mine"
    assert codec("old=webp").name == "old"


def test_effort_and_threads_are_for_ours_where_it_names_none() -> None:
    chosen = codec("inr", effort=3, threads=2)
    assert isinstance(chosen, Inr)
    assert (chosen.options.effort, chosen.options.threads) == (3, 2)
    named = codec("inr:effort=1", effort=3)
    assert isinstance(named, Inr)
    assert named.options.effort == 1


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("jpg", "no codec 'jpg'; there are inr, jpeg, "),
        ("", "no codec ''"),
        ("mine=nothing", "no codec 'nothing'"),
        ("webp:method=6", "webp takes no options"),
        ("a b=webp", "one word"),
        ("=webp", "one word"),
    ],
)
def test_what_is_no_codec(spec: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        codec(spec)


def test_commas_inside_a_codec_do_not_separate() -> None:
    assert split("inr,jpeg-opt") == ["inr", "jpeg-opt"]
    assert split("inr:effort=1,layers=4x32,webp") == ["inr:effort=1,layers=4x32", "webp"]
    assert split("a=inr:set.sigma=0.2,0.1, b=inr:method=coin,avif,") == [
        "a=inr:set.sigma=0.2,0.1", "b=inr:method=coin", "avif",
    ]  # fmt: skip
    assert split("inr,nonsense") == ["inr", "nonsense"]
    assert split("") == []
