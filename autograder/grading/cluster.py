"""A Dask cluster as a pool: the workers of a scheduler, wherever they are.

Each of its workers is one process with one thread, and has beside it a worker of ours, warm, which
grades as this machine's would. It gets submissions one by one, as bytes in a task's arguments, and
nothing that is secret but their own seeds; the package with its suites, a sandbox and the course's
data must be there. Whatever goes wrong with a worker is not believed to be a submission's fault: it
is tried on others, and then left to whoever asked.
"""

import asyncio
import logging
import os
import pickle
import platform
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, TypeVar

from distributed import Client, Future, WorkerPlugin, as_completed
from distributed.scheduler import KilledWorker

from autograder.errors import AutograderError
from autograder.grading import dependence, grader
from autograder.grading.grader import Submission, Terms
from autograder.grading.parallel import PoolLost
from autograder.grading.worker import Budget, BudgetSpent, Worker

Answer = TypeVar("Answer")

#: Where the course's data lies on a worker, if not where it lies for the grader.
COURSE_DATA = "AUTOGRADER_COURSE_DATA"
#: How often a submission is tried again, on other workers.
TRIES = 2
#: Submissions under way for each worker: one that it has, and the next.
WINDOW = 2
#: Seconds without any worker, or without the scheduler, after which the rest is given up.
_PATIENCE = 60.0
#: Seconds between two looks whether an answer is there, and between two at the cluster.
_PAUSE, _ASK = 0.02, 2.0
#: Seconds in which a scheduler answers, and has a worker.
_CONNECT = 20.0

_LOG = logging.getLogger("autograder.grading.cluster")
_SECURE = ("tls://", "wss://")


class ClusterError(AutograderError):
    """The cluster cannot be used; every line of the text says one thing to do."""


class WorkerUnfit(AutograderError):
    """A worker has not what a submission is to be graded with; another one may."""


def connected(address: str, allow_insecure: bool) -> Client:
    """A client of the scheduler at an address.

    Raises:
        ClusterError: it is not secure and need be, or nobody answers there.
    """
    if not address.startswith(_SECURE) and not allow_insecure:
        raise ClusterError(
            f"The scheduler's address {address} is without TLS: whoever reaches it could read and"
            " forge grades. Start it with certificates and write tls://HOST:PORT, or allow it by"
            " name: --allow-insecure"
        )
    try:
        return Client(address, timeout=_CONNECT, set_as_default=False)
    except Exception as error:
        raise ClusterError(
            f"No scheduler can be reached at {address} ({error}). For tls:// set"
            " DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY."
        ) from None


# ----------------------------------------------------------------------------- on a cluster's side


@dataclass(frozen=True)
class Having:
    """What results follow from on a machine, but for the submission; compared before all else."""

    python: str
    package: str
    suites: tuple[str, ...]
    data: tuple[str, ...]

    @classmethod
    def here(cls, assignments: Sequence[str], terms: Terms) -> "Having":
        """What this process has."""
        return cls(
            python=platform.python_version(),
            package=dependence.of_package(),
            suites=tuple(map(dependence.of_suites, assignments)),
            data=tuple(dependence.of_data(each, terms.course_data) for each in assignments),
        )

    def differs(self, other: "Having") -> str:
        """In what another machine differs; empty where it does not."""
        names = [name for name in vars(self) if getattr(self, name) != getattr(other, name)]
        return ", ".join(names)


@dataclass(frozen=True)
class Order:
    """What a cluster's worker is to be ready for."""

    assignments: tuple[str, ...]
    terms: Terms
    budget: Budget

    def there(self) -> "Order":
        """The same with this machine's folder of data."""
        folder = os.environ.get(COURSE_DATA) or self.terms.course_data
        data = Path(folder) if folder and Path(folder).is_dir() else None
        return replace(self, terms=replace(self.terms, course_data=data))

    def having(self) -> Having:
        """What this machine has of what is needed."""
        return Having.here(self.assignments, self.there().terms)


class _Warm:
    """The worker of ours beside a worker of Dask's, ready for one order; started by need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._order: Order | None = None
        self._suites: dict[str, dict[str, int]] = {}

    def ready(self, order: Order) -> dict[str, dict[str, int]]:
        """Make it ready; return the points of each suite."""
        with self._lock:
            return self._ready(order)

    def call(self, work: Callable[..., Answer], submission: Submission, order: Order) -> Answer:
        """Have it do something with a submission."""
        with self._lock:
            self._ready(order)
            assert self._worker is not None
            return self._worker.call(work, submission, order.there().terms, log=_LOG)

    def _ready(self, order: Order) -> dict[str, dict[str, int]]:
        if order != self._order:
            if self._worker is not None:
                self._worker.close()
            self._order, self._worker = None, Worker(start)
            self._worker.budget = order.budget
            there = order.there()
            self._suites = grader.prepare_worker(self._worker, there.assignments, there.terms, _LOG)
            self._order = order
        return self._suites

    def close(self) -> None:
        """End it."""
        with self._lock:
            if self._worker is not None:
                self._worker.close()
            self._worker = self._order = None


_WARM = _Warm()


class _Started:
    """A process that `subprocess` started, as `multiprocessing` would have it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def exitcode(self) -> int | None:
        return self._process.poll()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def join(self, timeout: float | None = None) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)

    def kill(self) -> None:
        self._process.kill()


def start(theirs: Connection) -> _Started:
    """Start a worker anew: Dask's processes may have no children by `multiprocessing`."""
    code = f"from autograder.grading.worker import serve; serve({theirs.fileno()})"
    command = [sys.executable, "-c", code]
    return _Started(subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]))


class Warm(WorkerPlugin):
    """Starts a worker of ours beside each of Dask's, also beside those that come later."""

    name = "autograder"

    def __init__(self, order: Order) -> None:
        self._order = order

    async def setup(self, worker: Any) -> None:
        """Start it, while Dask's own loop goes on."""
        await asyncio.to_thread(_WARM.ready, self._order)

    async def teardown(self, worker: Any) -> None:
        """End it."""
        await asyncio.to_thread(_WARM.close)


def _have(order: Order) -> Having:
    return order.having()


def _points(order: Order) -> dict[str, dict[str, int]]:
    return _WARM.ready(order)


def _do(work: Callable[..., Any], packed: bytes, order: Order, needed: Having) -> bytes:
    """Do a task; what a submission brings about is an answer, all else is raised."""
    submission: Submission = pickle.loads(packed)
    if lacking := needed.differs(order.having()):
        raise WorkerUnfit(f"{platform.node()} has other {lacking}")
    try:
        return pickle.dumps(_WARM.call(work, submission, order))
    except BudgetSpent as error:
        return pickle.dumps(error)


# ----------------------------------------------------------------------------- on the grader's side


@dataclass
class _Task:
    """A submission under way: its place, its bytes, and the workers that failed at it."""

    place: int
    packed: bytes
    tries: int = 0
    failed: set[str] = field(default_factory=set)


class Cluster(Generic[Answer]):
    """The workers of a Dask scheduler; see `autograder.grading.parallel.AnyPool`.

    Args:
        work: what is done with a submission: a function of a module, called in a worker of ours.
        assignments: all that will be graded.
        terms: for all submissions alike.
        budget: what a submission may use of a worker.
        client: of the scheduler; it is closed with the pool.

    Raises:
        ClusterError: there are no workers, or they are not what they must be.
    """

    def __init__(
        self,
        work: Callable[..., Answer],
        assignments: Sequence[str],
        terms: Terms,
        budget: Budget,
        client: Client,
    ) -> None:
        self._work, self._client = work, client
        self._order = Order(tuple(assignments), terms, budget)
        self._needed = Having.here(assignments, terms)
        try:
            self._compare()
            client.register_plugin(Warm(self._order))
        except BaseException as error:
            client.close()
            if not isinstance(error, Exception) or isinstance(error, AutograderError):
                raise
            raise ClusterError(
                f"The cluster cannot be made ready ({type(error).__name__}: {error}): see whether"
                " its scheduler and workers run, and call the same command again"
            ) from None

    def _compare(self) -> None:
        """Make sure that every worker would come to the same as this machine."""
        self._client.wait_for_workers(1, timeout=_CONNECT)
        problems = [
            f"The worker {address} has {each['nthreads']} threads; start it with --nthreads 1"
            for address, each in self._workers().items()
            if each["nthreads"] != 1
        ]
        found = self._client.run(_have, self._order, on_error="return")
        for address, having in found.items():
            if isinstance(having, BaseException):
                problems.append(
                    f"The worker {address} cannot grade ({having}); install the package there"
                )
            elif lacking := self._needed.differs(having):
                problems.append(
                    f"The worker {address} has other {lacking} than this machine; install the"
                    f" same package there, and let {COURSE_DATA} be the folder of the same data"
                )
        if problems:
            raise ClusterError("\n".join(problems))

    def _workers(self) -> dict[str, Any]:
        """What is known of each worker, by address; nothing while the scheduler is not there."""
        try:
            found: dict[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception:
            return {}
        return found

    @property
    def suites(self) -> dict[str, dict[str, int]]:
        """The points of each suite, by assignment and grade cell.

        Raises:
            ClusterError: no worker can be made ready.
        """
        why: Exception | None = None
        for _ in range(1 + TRIES):
            future = self._client.submit(_points, self._order, pure=False)
            try:
                self._next(as_completed([future], loop=self._client.loop))
                found: dict[str, dict[str, int]] = future.result()
                return found
            except (KilledWorker, BudgetSpent) as error:  # another worker may do
                why = error
            except (PoolLost, CancelledError, OSError) as error:
                raise ClusterError(f"The cluster is lost ({error}): start it again") from None
        raise ClusterError(f"No worker of the cluster can be made ready: {why}")

    def outcomes(
        self, submissions: Iterable[Submission]
    ) -> Iterator[tuple[int, Answer | Exception]]:
        """What came of each submission; see `autograder.grading.parallel.AnyPool`.

        Raises:
            PoolLost: scheduler or workers are gone, and do not come back.
        """
        coming = enumerate(submissions)
        under_way: dict[Any, _Task] = {}
        done = as_completed(loop=self._client.loop)
        while True:
            room = WINDOW * max(1, len(self._workers()))
            while len(under_way) < room and (each := next(coming, None)):
                self._submit(_Task(each[0], pickle.dumps(each[1])), under_way, done)
            if not under_way:
                return
            future = self._next(done)
            task = under_way.pop(future.key)
            try:
                yield task.place, pickle.loads(future.result())
                continue
            except Exception as error:
                why = error
            task.tries += 1
            if isinstance(why, KilledWorker):
                task.failed.add(why.last_worker.address)
            if task.tries <= TRIES:
                self._submit(task, under_way, done)
            else:
                _LOG.warning("A submission is set aside after %d tries: %s", task.tries, why)
                yield task.place, why

    def _submit(self, task: _Task, under_way: dict[Any, _Task], done: as_completed) -> None:
        others = [name for name in self._workers() if name not in task.failed]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that bytes are many: they are a submission's
            future: Future[bytes] = self._client.submit(
                _do,
                *(self._work, task.packed, self._order, self._needed),
                key=f"submission-{uuid.uuid4().hex}",
                workers=others if task.failed and others else None,
                allow_other_workers=bool(task.failed and others),
                pure=False,
            )
        under_way[future.key] = task
        done.add(future)

    def _next(self, done: as_completed) -> Future[bytes]:
        """The next future that is done.

        Raises:
            PoolLost: there will be none.
        """
        seen = asked = time.monotonic()
        while not done.has_ready():
            if self._client.status == "closed":
                raise PoolLost("the connection to the scheduler is lost")
            time.sleep(_PAUSE)
            if (now := time.monotonic()) > asked + _ASK:
                asked = now
                seen = now if self._client.status == "running" and self._workers() else seen
                if now > seen + _PATIENCE:
                    raise PoolLost("the cluster has no workers any more")
        return next(done)

    def close(self) -> None:
        """Leave the cluster; what it has of this run is given up."""
        self._client.close()
