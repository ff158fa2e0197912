"""How all benchmarks measure: side by side, in turn, medians of wall and processor time."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import import_module

__all__ = ["Row", "Taken", "copy_rate", "interleaved", "measured", "peak"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds, medians of several runs."""

    wall: float
    cpu: float  #: of all threads together; what a busy machine leaves comparable
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table; absent numbers are None."""

    subject: str
    what: str
    sizes: str
    ours: Taken
    peer_is: str = ""
    peer: Taken | None = None
    limit_is: str = ""
    limit: float | None = None  #: s of processor time, what the machine could do at best
    peak: float | None = None  #: MB
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer's processor time is ours."""
        return self.peer.cpu / self.ours.cpu if self.peer else None

    @property
    def share(self) -> float | None:
        """Of the machine's limit that is reached."""
        return self.limit / self.ours.cpu if self.limit else None

    def cells(self) -> Iterator[tuple[str, str]]:
        """Columns of the CSV and what stands in them."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Taken) or each.name == "peer":
                for part in ("wall", "cpu", "runs"):
                    yield f"{each.name}_{part}", _number(getattr(value, part, None))
            else:
                yield each.name, value if isinstance(value, str) else _number(value)
        yield "ratio", _number(self.ratio)
        yield "share", _number(self.share)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def interleaved(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, Taken]:
    """Every way once to warm up, then all in turn, so that a busy machine is as busy for each."""
    result: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(runs):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            result[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Taken(
            wall=statistics.median(wall for wall, _ in taken),
            cpu=statistics.median(cpu for _, cpu in taken),
            runs=runs,
        )
        for name, taken in result.items()
    }


def copy_rate() -> float:
    """Bytes a second that one core copies, measured on 256 MB."""
    import numpy as np

    inputs = np.ones(2**25)
    onto = np.empty_like(inputs)
    return inputs.nbytes / interleaved({"copy": lambda: np.copyto(onto, inputs)}, 5)["copy"].cpu


def peak() -> float:
    """MB, the most this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(subject: str, runs: int) -> list[dict[str, str]]:
    """The lines of one subject."""
    module = import_module(f"benchmarks.{subject}")
    return [dict(row.cells()) for row in module.rows(runs)]
