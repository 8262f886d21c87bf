"""Settings of a fit as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class FitConfig:
    """The numbers of any fit. The defaults are meant to need no tuning per picture or target.

    Attributes:
        steps: optimiser steps, the hard-rounding finish included.
        batch: pixels a step, drawn without replacement epoch by epoch.
        lr: peak learning rate of a net of 7 layers of 64 (cosine to 0; wider or deeper ones learn slower).
        optimizer: ``muon`` (orthogonal momentum, Jordan et al. 2024), ``soap`` (Shampoo's eigenbasis, Vyas et al. 2024)
            or ``adam``.
        betas: decay of the optimiser's first and second moments.
        refresh: steps between updates of SOAP's eigenbasis.
        warmup: steps of linear learning-rate warm-up.
        gates: ``median`` (deterministic), ``sample`` or ``none``; of a network alone also ``magnitude``: none, but the
            smallest weights are pruned on the way.
        gate_lr: learning rate of the gates' log-alpha.
        droprate: initial probability of a closed gate.
        step_lr: learning rate of the log quantisation steps.
        press: fraction of the steps after which bits have a price: gates may close, rounding is soft, steps learn.
        temperature: soft-round temperature at the start and the end of the soft phase.
        sigma: noise in steps at the start and the end of the soft phase.
        finish: fraction of the steps at the end spent with hard rounding.
        settle: learning rate of the weights while rounding is soft and while it is hard, as multiples: weights that
            move on as before wander across the rounding's thresholds, the longer the worse (0.1 to 0.4 dB).
        multiplier: start of the Lagrange multiplier, the expected -dlnMSE/dlnbits.
        dual: ``nupi`` or ``ascent``.
        dual_lr: integral gain of the multiplier per unit of violation and step.
        dual_gain: proportional gain of nuPI, in steps of ``dual_lr``.
        dual_restarts: reset the multiplier to 0 whenever the constraint holds (L0onie).
        measure: steps between measurements of the strict rate (and refits of the laws).
        aim: budget the fit aims at, as a multiple of the real one; the landing fills the rest.
        candidates: seeds started; the best after ``race`` steps goes on.
        race: steps of the race.
        landing: rounds of rate-distortion search after the fit, at most.
        save_every: seconds between two writes of the checkpoint.
        price: of a bit a pixel in mean squared error of samples in [0, 1] (Cool-chic's lambda) where it is fixed; 0
            where a budget sets it.
    """

    steps: int = 7000
    batch: int = 8192
    lr: float = 1e-3
    warmup: int = 100
    optimizer: str = "muon"
    betas: tuple[float, float] = (0.95, 0.99)
    refresh: int = 10
    gates: str = "median"
    gate_lr: float = 5e-3
    droprate: float = 0.05
    step_lr: float = 1e-3
    temperature: tuple[float, float] = (0.35, 0.08)
    sigma: tuple[float, float] = (0.22, 0.15)
    press: float = 0.92
    finish: float = 0.05
    settle: tuple[float, float] = (0.3, 0.1)
    multiplier: float = 0.65
    dual: str = "nupi"
    dual_lr: float = 0.01
    dual_gain: float = 10.0
    dual_restarts: bool = False
    measure: int = 10
    aim: float = 0.997
    candidates: int = 1
    race: int = 300
    landing: int = 12
    save_every: float = 5.0
    price: float = 0.0

    def __post_init__(self) -> None:
        """Refuse settings no fit can run with.

        Raises:
            ValueError: naming the field.
        """
        for name, allowed in _CHOICES.items():
            if getattr(self, name, allowed[0]) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        self._check_positive("steps", "batch", "lr", "gate_lr", "step_lr", "measure", "aim", "candidates", "race")
        self._check_not_negative("price")
        for name in ("droprate", "press", "finish"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} lies between 0 and 1, not {getattr(self, name)}")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")

    def _check_not_negative(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")

    def override(self, pairs: Iterable[tuple[str, str]]) -> Self:
        """Replace fields named on a command line.

        Args:
            pairs: ``(name, text)``; a pair of floats is written ``0.35,0.08``.

        Raises:
            ValueError: no such field, or text of the wrong kind.
        """
        kinds = {f.name: type(getattr(self, f.name)) for f in fields(self)}
        values: dict[str, object] = {}
        for name, text in pairs:
            if name not in kinds:
                raise ValueError(f"no setting {name!r}; there are {', '.join(kinds)}")
            try:
                values[name] = _parse(text, kinds[name])
            except ValueError:
                raise ValueError(f"{name} takes a {kinds[name].__name__}, not {text!r}") from None
        return replace(self, **values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class SirenConfig(FitConfig):
    """Settings of the fit of a network alone: what the field's methods differ in.

    Attributes:
        excess: weights of an automatic network, as a multiple of those that fit the budget; pruning takes the rest.
        structured: gates of whole neurons, which are then not in the file at all.
        budgets: ``global``, or one of every tensor (``layer``), in proportion to its weights.
        path: how the budget shrinks while bits have a price: ``fixed`` (at once), ``linear`` or ``geometric``.
        path_start: what it begins at, as a multiple.
        sparsify: fraction of the steps after which open gates have a price though nothing is rounded yet; 1 for none
            before ``press``. 0 is gates from the start, 0.5 a dense warm-up.
        gate_span: how far a gate's log-alpha can go in that time; its learning rate follows, and does not fall, as
            gates must be able to close until the budget is met (Gallego-Posada et al. 2022, appendix).
        gate_force: what a unit of violation adds to the multiplier in that time.
        prune: fraction of the steps after which magnitude pruning takes place; the rest is fine-tuning.
        keep: part of the weights it keeps; 0 keeps what the budget pays for.
        scope: magnitudes are compared within a tensor (``layer``) or all together (``global``).
        ends: the first and the last layer are spared (``dense``) or not (``pruned``).
        rates: of learning, by the place of a matrix in the net (``scaled``), or the same for all (``uniform``).
        l1: weight of the sum of all magnitudes, added to the mean squared error of samples in [0, 1].
        schedule: of the learning rate: ``cosine``, ``plateau`` (halved after ``patience`` steps without a gain of
            1e-4 of the error) or ``constant``.
        patience: of ``plateau``, in steps.
        early: steps without such a gain after which the float phase ends; 0 for never.
        quant: ``trained`` through, under the budget; or stages after a dense fit, joined by ``+``: ``nearest``, to
            levels over a range that is searched for, then ``adaround``, ``qat`` (Struempler et al. 2022, section 3.3).
        bits: of a weight, where those stages quantise it.
        adaround_steps: steps a layer.
        adaround_lr: learning rate of its choices.
        adaround_reg: weight of the term that makes them definite.
        qat_steps: steps of quantisation-aware training.
        qat_lr: its learning rate, in quantisation steps.
        downscale: the fit sees the picture this much smaller along both sides.
    """

    excess: float = 1.0
    structured: bool = False
    budgets: str = "global"
    path: str = "fixed"
    path_start: float = 2.0
    sparsify: float = 1.0
    gate_span: float = 20.0
    gate_force: float = 30.0
    prune: float = 0.5
    keep: float = 0.0
    scope: str = "layer"
    ends: str = "dense"
    rates: str = "scaled"
    l1: float = 0.0
    schedule: str = "cosine"
    patience: int = 500
    early: int = 0
    quant: str = "trained"
    bits: int = 8
    adaround_steps: int = 1000
    adaround_lr: float = 1e-2
    adaround_reg: float = 0.01
    qat_steps: int = 300
    qat_lr: float = 0.02
    downscale: int = 1

    def __post_init__(self) -> None:
        """Refuse settings no fit can run with.

        Raises:
            ValueError: naming the field.
        """
        super().__post_init__()
        stages = self.quant.split("+")
        if self.quant != "trained" and not set(stages) <= {"nearest", "adaround", "qat"}:
            raise ValueError(f"quant is trained, or nearest, adaround, qat joined by +, not {self.quant!r}")
        if not 2 <= self.bits <= 12:
            raise ValueError(f"bits run from 2 to 12, not {self.bits}")
        self._check_positive("excess", "path_start", "gate_span", "gate_force", "patience", "downscale")
        self._check_positive("adaround_steps", "adaround_lr", "qat_steps", "qat_lr")
        for name in ("sparsify", "prune", "keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies between 0 and 1, not {getattr(self, name)}")
        self._check_not_negative("l1", "early", "adaround_reg")


SIREN_ONLY = frozenset(f.name for f in fields(SirenConfig)) - {f.name for f in fields(FitConfig)}
"""Settings that only a network alone has."""

_CHOICES = {
    "gates": ("median", "sample", "none", "magnitude"),
    "dual": ("nupi", "ascent"),
    "optimizer": ("soap", "adam", "muon"),
    "budgets": ("global", "layer"),
    "path": ("fixed", "linear", "geometric"),
    "scope": ("layer", "global"),
    "ends": ("dense", "pruned"),
    "rates": ("scaled", "uniform"),
    "schedule": ("cosine", "plateau", "constant"),
}


def _parse(text: str, kind: type) -> object:
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.lower() in ("true", "1", "yes")
    if kind is tuple:
        first, second = text.split(",")
        return float(first), float(second)
    return kind(text)
