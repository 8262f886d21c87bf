from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inrcodec.errors import InrError
from inrcodec.fit.canvas import Canvas
from inrcodec.fit.checkpoint import Journal, identity
from inrcodec.fit.config import SirenConfig
from inrcodec.fit.fitted import FittedNet
from inrcodec.fit.train import Trainer, train
from inrcodec.net.arch import Arch
from inrcodec.pixels import Pixels


def journal_of(path: Path, owner: str, *, resume: bool) -> Journal:
    """A journal of fits of networks alone that is written whenever it can be."""
    return Journal(path, owner, 0.0, resume=resume, restore=FittedNet.from_state)


def test_a_journal_brings_back_finished_and_unfinished_fits(
    tmp_path: Path, canvas: Canvas, arch: Arch, config: SirenConfig
) -> None:
    path = tmp_path / "fit.ckpt"
    journal = journal_of(path, "me", resume=False)
    short = replace(config, steps=30)
    fitted = train(Trainer(canvas, arch, short, 2000.0))
    journal.finish("one", fitted)
    trainer = Trainer(canvas, arch, config, 2000.0)
    for _ in range(10):
        trainer.step()
    journal.keep("two", trainer, {"seed": 7})

    again = journal_of(path, "me", resume=True)
    done = again.finished("one")
    assert done is not None
    assert all(np.array_equal(a, b) for a, b in zip(done.tensors, fitted.tensors, strict=True))
    assert again.finished("two") is None
    assert again.started("two") == {"seed": 7}
    other = Trainer(canvas, arch, config, 2000.0)
    assert not again.restore("three", other)
    assert again.restore("two", other)
    assert other.done == 10


def test_a_checkpoint_of_another_encode_is_refused(
    tmp_path: Path, canvas: Canvas, arch: Arch, config: SirenConfig
) -> None:
    path = tmp_path / "fit.ckpt"
    journal_of(path, "me", resume=False).finish("one", train(Trainer(canvas, arch, replace(config, steps=5), 2000.0)))
    with pytest.raises(InrError, match="another encode"):
        journal_of(path, "you", resume=True)
    assert journal_of(path, "you", resume=False).finished("one") is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04N."])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fit.ckpt"
    path.write_bytes(content)
    with pytest.raises(InrError, match="not a checkpoint"):
        journal_of(path, "me", resume=True)


def test_a_missing_checkpoint_means_a_fresh_start(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "none.ckpt", "me", resume=True)
    assert journal.finished("one") is None
    assert journal.started("one") is None


def test_identity_changes_with_pixels_and_settings(picture: Pixels) -> None:
    changed = picture.array.copy()
    changed[0, 0, 0] ^= 1
    names = {identity(picture, 1), identity(picture, 2), identity(Pixels(changed), 1)}
    assert len(names) == 3
    assert identity(picture, 1) == identity(picture, 1)
