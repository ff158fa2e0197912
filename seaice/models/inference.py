"""Inference over maps of any size: devices, tiles, and the super-resolution of a five-day stack."""

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from llvmlite.binding import get_host_cpu_features
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.errors import PredictionError, SettingsError
from seaice.grid.dataset import coordinates, grid_of
from seaice.grid.refined import on_refined
from seaice.instrument import HIGH_CHANNELS
from seaice.models.card import Card
from seaice.models.export import backend_of
from seaice.models.inputs import assemble_sr_input, to_kelvin
from seaice.stack.tiles import Tile, Tiling, stitch
from seaice.vocabulary import attrs

__all__ = [
    "Machine",
    "TileProgress",
    "choose_device",
    "choose_precision",
    "execution_record",
    "malloc_tuning",
    "no_progress",
    "refine",
    "release_memory",
    "run_tiled",
]

#: instructions that multiply bfloat16, as LLVM names them: AVX-512 BF16, and tiles of AMX
BFLOAT16_INSTRUCTIONS = ("avx512bf16", "amx-bf16")


def choose_device(wish: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device for a wish; "auto" takes CUDA where there is one.

    Raises
    ------
    SettingsError
        If CUDA is wished for and absent.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    present = torch.cuda.is_available()
    if wish == "cuda" and not present:
        raise SettingsError(
            "device 'cuda', but PyTorch sees no CUDA device",
            "a machine with one, or another device",
            "use device 'auto' or 'cpu', or install a PyTorch built for your driver",
        )
    return torch.device("cuda" if present and wish != "cpu" else "cpu")


def choose_precision(
    wish: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """The precision for a wish; "auto" is bfloat16 on processors that multiply it, else float32.

    Elsewhere bfloat16 would be slower. How far maps of the two lie apart is measured in
    docs/performance.md.

    >>> choose_precision("auto", torch.device("cuda"))
    'float32'
    """
    if wish != "auto":
        return wish
    able = get_host_cpu_features()
    quick = device.type == "cpu" and any(able.get(name) for name in BFLOAT16_INSTRUCTIONS)
    return "bfloat16" if quick else "float32"


#: of glibc's malloc.h: the parameter, its value within, its value by default
TRIM_THRESHOLD = -1, 2**31 - 1, 2**17
MMAP_MAX = -4, 0, 2**16


MAX_RETAINED = 10**9  #: bytes that may be kept; blocks of many sizes leave gaps that nothing fills


@contextmanager
def malloc_tuning() -> Iterator[Callable[[], None]]:
    """Within, freed memory stays with the process; afterwards it is given back.

    What it yields is to be called now and then: it gives memory back where much has gathered.

    glibc hands every large block back at once, and the kernel clears each page of the next one:
    for maps that is as much work as the convolutions. Where there is another C library, nothing
    changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield lambda: None
        return
    begin = _resident_bytes()
    for parameter, within, _ in (TRIM_THRESHOLD, MMAP_MAX):
        library.mallopt(parameter, within)
    try:
        yield lambda: release_memory() if _resident_bytes() > begin + MAX_RETAINED else None
    finally:
        for parameter, _, default in (TRIM_THRESHOLD, MMAP_MAX):
            library.mallopt(parameter, default)
        release_memory()


def release_memory() -> None:
    """Hand freed memory back to the system; after many small maps glibc holds on to most of it."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _resident_bytes() -> int:
    """Bytes that the process holds; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if told.exists() else 0


CPU_TILE_WORKERS = (
    2  # tiles on processors: two threads, each with its own, hardly wait for each other
)
MAX_PARALLEL_TILE_CELLS = 10**6  # cells of a tile, of which two fit into memory together
ReadTile = Callable[[slice, slice], Tensor]
TileProgress = Callable[[int, int], None]


def no_progress(done: int, tiles: int) -> None:
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
    cut: ReadTile,
    wanted: NDArray[np.bool_],
    machine: Machine,
    progress: TileProgress,
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
    tiles = list(_needed_tiles(machine.tiling(card), card, wanted))
    if isinstance(network, nn.Module):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with malloc_tuning() as tidy, _tf32_disabled():
        progress(0, len(tiles))
        for done, told in enumerate(
            _tile_predictions(tiles, partial(_predict_tile, network, cut, machine), machine)
        ):
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


def _tile_predictions(
    tiles: Sequence[Tile], run: Callable[[Tile], NDArray[np.float32]], machine: Machine
) -> Iterator[NDArray[np.float32]]:
    """What is told of each tile, one after another; small ones on processors are made together.

    Each of these has its share of PyTorch's threads.
    """
    threads = torch.get_num_threads()
    several = machine.device.type == "cpu" and all(
        _cells(tile) <= MAX_PARALLEL_TILE_CELLS for tile in tiles
    )
    together = min(CPU_TILE_WORKERS, threads, len(tiles)) if several else 1
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


def _needed_tiles(tiling: Tiling, card: Card, wanted: NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles with wanted cells, without what these do not need."""
    rows, columns = wanted.shape
    for tile in tiling.over((rows, columns)):
        if wanted[tile.rows.kept, tile.columns.kept].any():
            yield tiling.trimmed(tile, wanted) if _is_local(card) else tile


def _is_local(card: Card) -> bool:
    """Whether a cell is told from what lies within a margin, however large the tile is.

    Not where tiles are windows of one size, nor where features are averaged over the whole tile.
    """
    return card.window is None and card.config.get("context", 0) is not None


@torch.inference_mode()
def _predict_tile(
    network: nn.Module, cut: ReadTile, machine: Machine, tile: Tile
) -> NDArray[np.float32]:
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
def _tf32_disabled() -> Iterator[None]:
    """Keep CUDA from rounding float32 to TF32 (10 bits of 23), which it does in convolutions."""
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


def execution_record(machine: Machine) -> dict[str, Any]:
    """Device, threads, processor capability, precision and PyTorch of a run, for provenance.

    Returns
    -------
    dict
        `device` ("cpu" or "cuda"), `name` of the accelerator (None on processors), `threads` of
        PyTorch, `capability` (the widest instructions that PyTorch uses of this processor, such as
        "AVX2"), `precision`, `torch` (version with its build)

    >>> sorted(execution_record(Machine(device=torch.device("cpu"))))
    ['capability', 'device', 'name', 'precision', 'threads', 'torch']
    """
    cuda = machine.device.type == "cuda"
    return {
        "device": machine.device.type,
        "name": torch.cuda.get_device_name(machine.device) if cuda else None,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "precision": machine.precision,
        "torch": str(torch.__version__),
    }


def refine(
    stack: xr.Dataset,
    network: nn.Module,
    card: Card,
    machine: Machine,
    weights: str,
    progress: TileProgress,
    where: NDArray[np.bool_] | None = None,
) -> xr.Dataset:
    """The target day of a stack on the refined grid.

    Parameters
    ----------
    stack : as `seaice.stack.frames.five_frames` makes it
    network, card : as `seaice.models.weights.load_model` gives them, or
        `without_weights` and `seaice.models.inputs.new_sr_card`
    weights : what the weights are known by, for the attributes
    progress : called with the tiles done and their number
    where : (y, x), cells of the stack that are refined, as `near_sea` of the land masks tells;
        left out: all

    Returns
    -------
    Dataset, dims y, x of the refined grid
        `tb89h`, `tb89v`, `pd` (float32, K); NaN where the target frame lacks H or V, and
        elsewhere than `where`. attrs: the stack's, `sr_name`, `sr_weights`,
        `sr_precision`, `sr_form`, `sr_backend`.

    Raises
    ------
    WeightsError
        If the network wants other channels than a stack has.
    """
    tb = np.stack([stack[name].values for name in HIGH_CHANNELS], axis=1)  # frame 2 y x
    quarters = np.stack([stack[f"{name}_quarter"].values for name in HIGH_CHANNELS], axis=1)
    wanted = np.isfinite(tb[len(tb) // 2]).all(axis=0)
    if where is not None:
        wanted &= where

    def cut(rows: slice, columns: slice) -> Tensor:
        here = torch.from_numpy(tb[:, :, rows, columns])
        return assemble_sr_input(here, torch.from_numpy(quarters[..., rows, columns]), card)

    network.to(machine.device)
    told = run_tiled(network, card, cut, wanted, machine, progress)
    h, v = to_kelvin(torch.from_numpy(told), card).numpy()
    del told
    absent = ~on_refined(wanted, card.scale)
    h[absent] = v[absent] = np.nan
    maps = {"tb89h": h, "tb89v": v, "pd": v - h}
    return xr.Dataset(
        {name: (("y", "x"), values, attrs(name)) for name, values in maps.items()},
        coords=coordinates(grid_of(stack).refine(card.scale)),
        attrs=stack.attrs
        | {
            "sr_name": card.architecture,
            "sr_weights": weights,
            "sr_precision": machine.precision,
            "sr_form": card.form,
            "sr_backend": backend_of(network, machine.device),
        },
    )
