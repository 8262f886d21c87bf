from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from inrcodec.cli.interrupt import graceful_stop


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_first_sets_the_flag_and_second_interrupts(capfd: pytest.CaptureFixture[str]) -> None:
    with graceful_stop() as stop:
        stop.arm()
        assert not stop()
        _press()
        assert stop()
        assert "will be written" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            _press()


def test_with_nothing_to_keep_the_first_interrupts() -> None:
    with graceful_stop() as stop:
        stop.arm()
        stop.disarm()
        with pytest.raises(KeyboardInterrupt):
            _press()
        assert not stop()


def test_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with graceful_stop() as stop:
        assert signal.getsignal(signal.SIGINT) == stop.handle
    assert signal.getsignal(signal.SIGINT) == before
    with contextlib.suppress(RuntimeError), graceful_stop():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) == before


def test_other_threads_do_without() -> None:
    flags = []

    def work() -> None:
        with graceful_stop() as stop:
            flags.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert flags == [False]
