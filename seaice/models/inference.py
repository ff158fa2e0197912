"""Inference over maps of any size: devices, tiles, and the super-resolution of a five-day stack."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from llvmlite.binding import get_host_cpu_features
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.cf import attrs
from seaice.errors import PredictionError, SettingsError
from seaice.grid.blocks import repeat_to_fine_grid
from seaice.grid.grid import coordinates, grid_of
from seaice.instrument import HIGH_CHANNELS
from seaice.models.card import Card
from seaice.models.export import backend_of
from seaice.models.inputs import assemble_sr_input, to_kelvin
from seaice.models.layers.dropout import DropKey, monte_carlo_mean
from seaice.models.memory import malloc_tuning
from seaice.stack import Tile, Tiling, stitch

__all__ = [
    "Machine",
    "TileProgress",
    "choose_device",
    "choose_precision",
    "execution_record",
    "no_progress",
    "refine",
    "run_tiled",
]

#: CPU features with bfloat16 products, as LLVM names them: AVX-512 BF16 and AMX
BFLOAT16_INSTRUCTIONS = ("avx512bf16", "amx-bf16")


def choose_device(requested: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device of a setting; "auto" is CUDA where PyTorch sees a CUDA device.

    Raises
    ------
    SettingsError
        If CUDA is requested and not available.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    present = torch.cuda.is_available()
    if requested == "cuda" and not present:
        raise SettingsError(
            "device 'cuda', but PyTorch sees no CUDA device",
            "a machine with one, or another device",
            "use device 'auto' or 'cpu', or install a PyTorch built for your driver",
        )
    return torch.device("cuda" if present and requested != "cpu" else "cpu")


def choose_precision(
    requested: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    """The precision of a setting; "auto" is bfloat16 on CPUs with bfloat16 products, else float32.

    Elsewhere bfloat16 is slower. The differences between maps of both are in docs/performance.md.

    >>> choose_precision("auto", torch.device("cuda"))
    'float32'
    """
    if requested != "auto":
        return requested
    able = get_host_cpu_features()
    quick = device.type == "cpu" and any(able.get(name) for name in BFLOAT16_INSTRUCTIONS)
    return "bfloat16" if quick else "float32"


CPU_TILE_WORKERS = 2  #: tiles computed at a time on CPUs, each by its share of the threads
MAX_PARALLEL_TILE_CELLS = 10**6  #: cells; two larger tiles at a time need too much memory
ReadTile = Callable[[slice, slice], Tensor]
TileProgress = Callable[[int, int], None]


def no_progress(done: int, tiles: int) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Device, precision and tile size of inference.

    In float32, results on different devices, processors and numbers of threads differ only by the
    order of sums: docs/product.md states by how much. bfloat16 needs less memory, is faster on
    devices with bfloat16 products, and is less accurate.
    """

    device: torch.device
    precision: Literal["float32", "bfloat16"] = "float32"
    tile: float = 2_400_000.0  #: m, side of a tile on the ground; smaller ones take less memory
    #: predictions are the mean over so many random draws of DropKey; 0: DropKey is off
    dropkey_draws: int = 0

    def tiling(self, card: Card) -> Tiling:
        """The tiling of a map for a network.

        Tiles have sides of about `tile` and are blended over half the margin. Networks of one
        window size get tiles of that size; their outer eighth is discarded and the next eighth is
        blended.
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
    read_tile: ReadTile,
    needed: NDArray[np.bool_],
    machine: Machine,
    progress: TileProgress,
) -> NDArray[np.float32]:
    """The prediction of a network for a map, computed tile by tile.

    Repeated runs on the same machine with the same number of threads give identical results.

    Parameters
    ----------
    network : on the machine's device, in eval mode; its weights are converted to channels-last
        layout, which changes no number and is fastest
    read_tile : (rows, columns) -> the input there, (..., rows, columns) without batch, any device
    needed : (y, x), cells of the input whose prediction is needed; tiles without such cells are
        skipped, others are trimmed to them
    progress : called with the number of tiles done and of all tiles

    Returns
    -------
    (output, scale * y, scale * x) float32; finite in needed cells, undefined in others

    Raises
    ------
    PredictionError
        If a prediction is not finite in a needed cell.
    SettingsError
        If the machine has `dropkey_draws` and the network no DropKey layer with a rate above 0.
    """
    if machine.dropkey_draws:
        _check_dropkey(network, card)
    rows, columns = needed.shape
    out = np.full((len(card.outputs), rows * card.scale, columns * card.scale), np.nan, np.float32)
    tiles = list(_needed_tiles(machine.tiling(card), card, needed))
    if isinstance(network, nn.Module):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with malloc_tuning() as tidy, _tf32_disabled():
        progress(0, len(tiles))
        for done, prediction in enumerate(
            _tile_predictions(tiles, partial(_predict_tile, network, read_tile, machine), machine)
        ):
            stitch(out, tiles[done], prediction, card.scale)
            tidy()
            progress(done + 1, len(tiles))
    _check_finite(out, needed, card)
    return out


def _check_dropkey(network: nn.Module, card: Card) -> None:
    layers = [layer for layer in network.modules() if isinstance(layer, DropKey)]
    if not any(layer.rate for layer in layers):
        raise SettingsError(
            f"dropkey_draws for {card.architecture} whose DropKey rate is 0",
            "a network that was trained with DropKey",
            "leave dropkey_draws out, or train one: --hyper dropkey=0.1",
        )


def _check_finite(out: NDArray[np.float32], needed: NDArray[np.bool_], card: Card) -> None:
    """Refuse predictions that are not finite: such a cell would be filled like a gap."""
    rows, columns = needed.shape
    for name, values in zip(card.outputs, out, strict=True):
        cells = values.reshape(rows, card.scale, columns, card.scale)
        wrong = int((needed & ~np.isfinite(cells).all(axis=(1, 3))).sum())
        if wrong:
            raise PredictionError(
                f"{card.architecture} gave no finite {name} in {wrong} of {int(needed.sum())} "
                "observed cells",
                "a finite value in each",
                "use other weights, or the same with --precision float32: these are damaged, or "
                "their training failed",
            )


def _tile_predictions(
    tiles: Sequence[Tile], run: Callable[[Tile], NDArray[np.float32]], machine: Machine
) -> Iterator[NDArray[np.float32]]:
    """The prediction of each tile in order; on CPUs small tiles are computed in parallel.

    PyTorch's threads are divided among the parallel tiles.
    """
    threads = torch.get_num_threads()
    several = (
        machine.device.type == "cpu"
        and not machine.dropkey_draws  # they change the mode of layers and the random state
        and all(_cells(tile) <= MAX_PARALLEL_TILE_CELLS for tile in tiles)
    )
    workers_count = min(CPU_TILE_WORKERS, threads, len(tiles)) if several else 1
    if workers_count < 2:
        yield from map(run, tiles)
        return
    pending: deque[Future[NDArray[np.float32]]] = deque()
    threads_each = (threads // workers_count,)
    try:
        with ThreadPoolExecutor(
            workers_count, "tile", torch.set_num_threads, threads_each
        ) as workers:
            for tile in tiles:
                if len(pending) == workers_count:
                    yield pending.popleft().result()
                pending.append(workers.submit(run, tile))
            while pending:
                yield pending.popleft().result()
    finally:
        torch.set_num_threads(threads)  # new threads use the number that was set last


def _cells(tile: Tile) -> int:
    return (tile.rows.stop - tile.rows.start) * (tile.columns.stop - tile.columns.start)


def _needed_tiles(tiling: Tiling, card: Card, needed: NDArray[np.bool_]) -> Iterator[Tile]:
    """Tiles with needed cells, trimmed to what these cells depend on."""
    rows, columns = needed.shape
    for tile in tiling.over((rows, columns)):
        if needed[tile.rows.kept, tile.columns.kept].any():
            yield tiling.trimmed(tile, needed) if _is_local(card) else tile


def _is_local(card: Card) -> bool:
    """Whether a prediction depends on the cells within a margin only, for tiles of any size.

    False for networks of one window size and for those that average over the whole tile.
    """
    return card.window is None and card.config.get("context", 0) is not None


@torch.inference_mode()
def _predict_tile(
    network: nn.Module, read_tile: ReadTile, machine: Machine, tile: Tile
) -> NDArray[np.float32]:
    mixed = machine.precision == "bfloat16"
    batch = read_tile(tile.rows.cells, tile.columns.cells).to(machine.device)[None]
    if batch.ndim == 4:  # SIC input, which convolutions would round anyway; frames stay float32
        dtype = torch.bfloat16 if mixed else batch.dtype
        batch = batch.to(dtype, memory_format=torch.channels_last)
    with torch.autocast(machine.device.type, torch.bfloat16, enabled=mixed):
        draws = machine.dropkey_draws
        prediction = monte_carlo_mean(network, batch, draws, seed=0) if draws else network(batch)
    values: NDArray[np.float32] = prediction[0].float().cpu().numpy()
    return values


@contextmanager
def _tf32_disabled() -> Iterator[None]:
    """Disable TF32 (10 of 23 bits) on CUDA, where convolutions use it by default."""
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
    stack : as `seaice.stack.five_frames` makes it
    network, card : as `seaice.models.weights.load_model` gives them, or
        `without_weights` and `seaice.models.inputs.new_sr_card`
    weights : hash of the weights, for the attributes
    progress : called with the tiles done and their number
    where : (y, x), cells of the stack to refine, for example `near_sea` of the land masks; None:
        all

    Returns
    -------
    Dataset, dims y, x of the refined grid
        `tb89h`, `tb89v`, `pd` (float32, K); NaN where the target frame lacks H or V, and
        outside `where`. attrs: the stack's, `sr_name`, `sr_weights`,
        `sr_precision`, `sr_form`, `sr_backend`.

    Raises
    ------
    WeightsError
        If the card has channels that a stack does not have.
    """
    tb = np.stack([stack[name].values for name in HIGH_CHANNELS], axis=1)  # frame 2 y x
    quarters = np.stack([stack[f"{name}_quarter"].values for name in HIGH_CHANNELS], axis=1)
    needed = np.isfinite(tb[len(tb) // 2]).all(axis=0)
    if where is not None:
        needed &= where

    def read_tile(rows: slice, columns: slice) -> Tensor:
        here = torch.from_numpy(tb[:, :, rows, columns])
        return assemble_sr_input(here, torch.from_numpy(quarters[..., rows, columns]), card)

    network.to(machine.device)
    refined = run_tiled(network, card, read_tile, needed, machine, progress)
    h, v = to_kelvin(torch.from_numpy(refined), card).numpy()
    del refined
    missing_cells = ~repeat_to_fine_grid(needed, card.scale)
    h[missing_cells] = v[missing_cells] = np.nan
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
