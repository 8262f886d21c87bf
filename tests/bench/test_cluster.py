from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inrcodec.bench.cluster import ClusterError, WorkerDied, connect, host_of, slots_by_host, submit_all
from inrcodec.bench.remote import remote
from inrcodec.bench.results import read, text_of
from inrcodec.bench.runner import begin, measure_all
from tests.bench.conftest import Calls, MakeJobs, Program

pytestmark = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra 'cluster'")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process of its own with a nanny that starts it again."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as started:
        yield started


def test_everything_comes_back_with_its_item(cluster: Any) -> None:
    def double(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return 2 * number

    def prepare(number: int) -> int:
        if number == 4:
            raise OSError("gone")
        return number

    got: dict[int, Any] = {}
    with connect(cluster.scheduler_address) as client:
        assert slots_by_host(client) == {"127.0.0.1": 2}
        submit_all(client, double, range(6), prepare, got.__setitem__)
    assert {number: result for number, result in got.items() if number not in (3, 4)} == {0: 0, 1: 2, 2: 4, 5: 10}
    assert repr(got[3]) == "ValueError('three')"
    assert repr(got[4]) == "OSError('gone')"


def test_nothing_is_lost_when_a_worker_is_killed(
    tmp_path: Path, cluster: Any, program: Program, calls: Calls, make_jobs: MakeJobs
) -> None:
    path = tmp_path / "r.tsv"
    jobs = make_jobs("a b c", "slow0.3 fast")
    begin(path, {"effort": "5", "codecs": "slow0.3 fast"}, resume=False, overwrite=False)
    with connect(cluster.scheduler_address) as client:
        victim, *_ = client.run(os.getpid).values()
    killed: list[int] = []

    def observe(_: object) -> None:
        if not killed and calls():
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    results = measure_all(jobs, path, remote(cluster.scheduler_address, program), observe, 2)
    assert killed
    assert [(row.picture, row.codec, row.error) for row in results.rows] == [
        (picture, codec, "") for picture in "abc" for codec in ("slow0.3", "fast")
    ]
    assert text_of(read(path)) == text_of(results)
    assert (tmp_path / "r.files" / "c_fast_0.3bpp").read_bytes() == b"fast"


def test_pictures_travel_with_their_jobs(tmp_path: Path, cluster: Any, program: Program, make_jobs: MakeJobs) -> None:
    path = tmp_path / "r.tsv"
    jobs = make_jobs("a b", "fast")
    begin(path, {"effort": "5", "codecs": "fast"}, resume=False, overwrite=False)
    jobs[1].picture.unlink()
    results = measure_all(jobs, path, remote(cluster.scheduler_address, program), lambda _: None, 2)
    assert results.rows[0].psnr == pytest.approx(21.3)  # the stand-in measures the length of the picture
    assert "No such file" in results.rows[1].error


def test_an_item_that_kills_every_worker_is_given_up(cluster: Any) -> None:
    import dask

    def die(_: int) -> None:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    got = []
    cluster.scheduler.allowed_failures = 0
    with connect(cluster.scheduler_address) as client, dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        submit_all(client, die, [1], lambda item: item, lambda _, result: got.append(result))
    assert isinstance(got[0], WorkerDied)
    cluster.scheduler.allowed_failures = 3


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inrcodec.bench.cluster.CONNECT_SECONDS", 0.3)
    start = time.monotonic()
    with (
        pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"),
        connect("tcp://127.0.0.1:9"),
    ):
        pass
    with pytest.raises(ClusterError, match="no scheduler"), connect("nonsense://x"):
        pass
    assert time.monotonic() - start < 10


def test_without_dask_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'inrcodec\[cluster\]'"), connect("tcp://127.0.0.1:9"):
        pass


def test_the_machine_of_an_address() -> None:
    assert host_of("tcp://10.0.0.1:4321") == "10.0.0.1"
    assert host_of("tls://[::1]:80") == "[::1]"
