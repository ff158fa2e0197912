"""A network over a map of any size, tile by tile."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.errors import PredictionError
from seaice.network.card import Card
from seaice.network.memory import memory_kept
from seaice.stack.tiles import Tile, Tiling, stitch

__all__ = ["Machine", "Progress", "run_tiled", "silent"]

TOGETHER = 2  # tiles on processors: two threads, each with its own, hardly wait for each other
SMALL = 10**6  # cells of a tile, of which two fit into memory together
Cut = Callable[[slice, slice], Tensor]
Progress = Callable[[int, int], None]


def silent(done: int, tiles: int) -> None:
    """Progress nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What networks run on, and how.

    In float32 results of devices, processors and numbers of threads differ by the order of sums
    only: docs/product.md states by how much. bfloat16 is faster where the device multiplies it,
    takes less memory, and is rougher.
    """

    device: torch.device
    precision: Literal["float32", "bfloat16"] = "float32"
    tile: float = 2_400_000.0  #: m, side of a tile on the ground; smaller ones take less memory

    def tiling(self, card: Card) -> Tiling:
        """How maps are cut for a network.

        Tiles of about `tile` with a feather of half the margin; for a network that was made for
        one size of window, tiles of that size, whose outer eighths are thrown away and whose next
        eighths are blended.
        """
        unit = card.multiple_of
        if card.window is not None:
            eighth = card.window // 8
            return Tiling(
                side=card.window, margin=eighth, feather=eighth, multiple_of=unit, last="whole"
            )
        feather = card.margin // 2
        least = 2 * card.margin + feather + unit
        side = max(round(self.tile / card.cell), least)
        return Tiling(
            side=-(-side // unit) * unit, margin=card.margin, feather=feather, multiple_of=unit
        )


def run_tiled(
    network: nn.Module,
    card: Card,
    cut: Cut,
    wanted: NDArray[np.bool_],
    machine: Machine,
    progress: Progress,
) -> NDArray[np.float32]:
    """What a network predicts of a map.

    The same in every run on the same machine with the same number of threads.

    Parameters
    ----------
    network : already on the machine's device, in eval; its weights are laid channels last, which
        changes no number and is how convolutions run fastest
    cut : gives the input of (rows, columns), (..., rows, columns) without a batch, on any device
    wanted : (y, x), cells of the input that matter; tiles without any are not computed, others
        only as far as these cells need
    progress : called with the tiles done and their number

    Returns
    -------
    (output, scale * y, scale * x) float32; finite in wanted cells, NaN or of no worth in others

    Raises
    ------
    PredictionError
        If the network gives a value that is not finite for a wanted cell.
    """
    rows, columns = wanted.shape
    out = np.full((len(card.outputs), rows * card.scale, columns * card.scale), np.nan, np.float32)
    tiles = list(_needed(machine.tiling(card), card, wanted))
    if isinstance(network, nn.Module):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with memory_kept() as tidy, _whole_float32():
        progress(0, len(tiles))
        for done, told in enumerate(_each(tiles, partial(_run, network, cut, machine), machine)):
            stitch(out, tiles[done], told, card.scale)
            tidy()
            progress(done + 1, len(tiles))
    _check_finite(out, wanted, card)
    return out


def _check_finite(out: NDArray[np.float32], wanted: NDArray[np.bool_], card: Card) -> None:
    """Refuse predictions that are not finite: without a value, such a cell would become a gap."""
    rows, columns = wanted.shape
    for name, values in zip(card.outputs, out, strict=True):
        cells = values.reshape(rows, card.scale, columns, card.scale)
        wrong = int((wanted & ~np.isfinite(cells).all(axis=(1, 3))).sum())
        if wrong:
            raise PredictionError(
                f"{card.architecture} gave no finite {name} in {wrong} of {int(wanted.sum())} "
                "observed cells",
                "a finite value in each",
                "use other weights, or the same with --precision float32: these are damaged, or "
                "their training failed",
            )


def _each(
    tiles: Sequence[Tile], run: Callable[[Tile], NDArray[np.float32]], machine: Machine
) -> Iterator[NDArray[np.float32]]:
    """What is told of each tile, one after another; small ones on processors are made together.

    Each of these has its share of PyTorch's threads.
    """
    threads = torch.get_num_threads()
    several = machine.device.type == "cpu" and all(_cells(tile) <= SMALL for tile in tiles)
    together = min(TOGETHER, threads, len(tiles)) if several else 1
    if together < 2:
        yield from map(run, tiles)
        return
    coming: deque[Future[NDArray[np.float32]]] = deque()
    share = (threads // together,)
    try:
        with ThreadPoolExecutor(together, "tile", torch.set_num_threads, share) as workers:
            for tile in tiles:
                if len(coming) == together:
                    yield coming.popleft().result()
                coming.append(workers.submit(run, tile))
            while coming:
                yield coming.popleft().result()
    finally:
        torch.set_num_threads(threads)  # what starts later takes the number that was set last


def _cells(tile: Tile) -> int:
    return (tile.rows.stop - tile.rows.start) * (tile.columns.stop - tile.columns.start)


def _needed(tiling: Tiling, card: Card, wanted: NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles with wanted cells, without what these do not need."""
    rows, columns = wanted.shape
    for tile in tiling.over((rows, columns)):
        if wanted[tile.rows.kept, tile.columns.kept].any():
            yield tiling.trimmed(tile, wanted) if _looks_around(card) else tile


def _looks_around(card: Card) -> bool:
    """Whether a cell is told from what lies within a margin, however large the tile is.

    Not where tiles are windows of one size, nor where features are averaged over the whole tile.
    """
    return card.window is None and card.hyper.get("context", 0) is not None


@torch.inference_mode()
def _run(network: nn.Module, cut: Cut, machine: Machine, tile: Tile) -> NDArray[np.float32]:
    mixed = machine.precision == "bfloat16"
    batch = cut(tile.rows.cells, tile.columns.cells).to(machine.device)[None]
    if batch.ndim == 4:  # a map that convolutions read first, and would round; frames are compared
        kind = torch.bfloat16 if mixed else batch.dtype
        batch = batch.to(kind, memory_format=torch.channels_last)
    with torch.autocast(machine.device.type, torch.bfloat16, enabled=mixed):
        told: Tensor = network(batch)
    found: NDArray[np.float32] = told[0].float().cpu().numpy()
    return found


@contextmanager
def _whole_float32() -> Iterator[None]:
    """Keep CUDA from rounding float32 to TF32 (10 bits of 23), which it does in convolutions."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
