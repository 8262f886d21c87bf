from __future__ import annotations

from dataclasses import replace

import numpy as np

from inrcodec.fit.canvas import Canvas
from inrcodec.fit.fitted import FittedNet

Trained = tuple[Canvas, FittedNet, float]


def test_fitted_nets_survive_their_state(trained: Trained) -> None:
    fitted = trained[1]
    again = FittedNet.from_state(fitted.state())
    assert all(np.array_equal(a, b) for a, b in zip(fitted.tensors, again.tensors, strict=True))
    assert (again.arch, again.step_codes, again.steps) == (fitted.arch, fitted.step_codes, fitted.steps)
    assert again.digest == fitted.digest


def test_other_weights_have_another_name(trained: Trained) -> None:
    fitted = trained[1]
    other = replace(fitted, tensors=(fitted.tensors[0] + 1, *fitted.tensors[1:]))
    assert other.digest != fitted.digest
