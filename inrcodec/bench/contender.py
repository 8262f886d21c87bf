"""The codecs of a comparison, by the names that results know them by and by what makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inrcodec.bench.results import Results


@dataclass(frozen=True)
class Contender:
    """A codec of the comparison.

    Attributes:
        name: as the results carry it.
        spec: what `inrcodec.bench.codec.codec` makes it from.
    """

    name: str
    spec: str

    @property
    def ours(self) -> bool:
        """Whether it is a variant of this program, which is made for targets and has nothing to sweep."""
        return _head(self.spec).rpartition("=")[2] == "inr"


def parse(line: str) -> tuple[Contender, ...]:
    """The codecs of a line that `line_of` wrote; a spec may begin with its name: ``small=inr:layers=4x32``."""
    return tuple(Contender(_head(spec).rpartition("=")[0] or spec, spec) for spec in line.split())


def line_of(contenders: Sequence[Contender]) -> str:
    """Their specs, as the head of a results file holds them."""
    return " ".join(contender.spec for contender in contenders)


def contenders_of(results: Results) -> tuple[Contender, ...]:
    """The codecs that have rows, in the order the head of the file names them."""
    named = {contender.name: contender for contender in parse(results.head.get("codecs", ""))}
    there = set(results.codecs)
    known = [contender for name, contender in named.items() if name in there]
    return (*known, *(Contender(name, name) for name in results.codecs if name not in named))


def _head(spec: str) -> str:
    """What stands before the options."""
    return spec.partition(":")[0]
