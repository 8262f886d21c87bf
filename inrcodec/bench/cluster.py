"""Work handed to a Dask cluster: what a dying worker held is done by another, and nothing is lost."""

from __future__ import annotations

import contextlib
import queue
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from inrcodec.errors import InrError

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Payload = TypeVar("Payload")
Result = TypeVar("Result")

ATTEMPTS = 3
"""Times that an item is handed in. Each time the scheduler itself allows several workers to die of it (its setting
``distributed.scheduler.allowed-failures``) before it gives up."""

TICK_SECONDS = 0.5
CONNECT_SECONDS = 20


class ClusterError(InrError):
    """The cluster cannot be reached, or was lost."""


class WorkerDied(InrError):
    """An item took down every worker that tried it."""


@contextlib.contextmanager
def connect(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address like ``tcp://host:8786``.

    Raises:
        ClusterError: Dask is not installed, or nobody answers there.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ClusterError("--scheduler needs Dask: pip install 'inrcodec[cluster]'") from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no scheduler answers at {address}: {error}") from None
    with client:
        yield client


def slots_by_host(client: Client) -> dict[str, int]:
    """How many items each machine of the cluster works on at a time: the threads of all its workers."""
    slots: Counter[str] = Counter()
    for address, threads in client.nthreads().items():
        slots[host_of(address)] += threads
    return dict(slots)


def processes_by_host(client: Client) -> dict[str, int]:
    """How many workers each machine of the cluster runs."""
    return dict(Counter(map(host_of, client.nthreads())))


def host_of(address: str) -> str:
    """The machine of a worker's address."""
    return address.partition("://")[2].rpartition(":")[0]


def this_host() -> str:
    """The machine of the worker that this runs on."""
    from distributed import get_worker

    return host_of(get_worker().address)


def submit_all(
    client: Client,
    function: Callable[[Payload], Result],
    items: Sequence[Item],
    prepare: Callable[[Item], Payload],
    on_done: Callable[[Item, Result | Exception], None],
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Call a function on every item, on the workers.

    Items are handed in a few ahead of the workers, so that the scheduler never holds all their bytes.

    Args:
        client: see `connect`.
        function: must be known to the workers, or pickle by value.
        items: what there is to do.
        prepare: makes the function's argument of an item, here, when its turn comes; it may raise.
        on_done: called here, in the order things end, with the item and its result or what the function raised.
        on_tick: called now and then while waiting.

    Raises:
        ClusterError: the scheduler was lost.
    """
    ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    waiting = deque((item, 1) for item in items)
    handed_in: dict[Future[Any], tuple[Item, int]] = {}
    while waiting or handed_in:
        ahead = max(2 * sum(client.nthreads().values()), 4) if waiting else 0
        while waiting and len(handed_in) < ahead:
            item, attempt = waiting.popleft()
            try:
                payload = prepare(item)
            except Exception as error:  # noqa: BLE001 - one item must not cost the others
                on_done(item, error)
                continue
            future = client.submit(function, payload, pure=False)
            handed_in[future] = item, attempt
            future.add_done_callback(ended.put)
        if not handed_in:
            continue
        try:
            future = ended.get(timeout=TICK_SECONDS)
        except queue.Empty:
            on_tick()
            continue
        item, attempt = handed_in.pop(future)
        result = _result(future)
        if isinstance(result, WorkerDied) and attempt < ATTEMPTS:
            waiting.appendleft((item, attempt + 1))
        else:
            on_done(item, result)


def _result(future: Future[Any]) -> Any:
    """What the function gave or raised.

    Raises:
        ClusterError: nobody will ever know.
    """
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise ClusterError("the scheduler was lost")
    error = future.exception()
    return WorkerDied("it took down every worker that tried it") if isinstance(error, KilledWorker) else error
