"""Truth-known worlds in, half-widths that hold out: of the formulas and of the default network.

python -m pipelines.research.calibration --worlds 48 --scenes FOLDER

The worlds are those of the split `doubt`, whose rules are drawn anew for each; they are simulated
first where they are missing (some minutes), and kept. With `--scenes`, real scenes with ice charts
count as much as all worlds together for the network: simulated errors alone make its intervals too
narrow at sea.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from seaice.config import NetworkSettings, Settings
from seaice.errors import SeaIceError
from seaice.evaluate.scenes import ChartedScene, iter_scenes
from seaice.files import atomic_file
from seaice.models.inference import Machine, no_progress, refine
from seaice.models.weights import read_card
from seaice.retrieval.calibration import ONE_SIGMA, TWO_SIGMA, Factors, calibration, quantiles
from seaice.retrieval.classical.daily import FORMULAS, ClassicalOptions, Day
from seaice.retrieval.classical.uncertainty import (
    AS_STATED,
    HELD,
    ICE,
    ZERO,
    UncertaintyPredictors,
    axes_of_ice,
    axes_of_zero,
)
from seaice.retrieval.concentrate import concentrate
from seaice.simulate.samples import SPLITS, draw, write_samples
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.methods import Networks, World, world_of
from seaice.workflow.evaluation.real_scenes import scene_inputs
from seaice.workflow.plan import Method, method

__all__ = ["ROWS", "fields", "half_widths", "network_factors", "scene_cells"]

Array = NDArray[np.floating]
Cells = Mapping[str, Sequence[Array]]  #: by method, (row, cell) of each world
ROWS = ("sic", "total", "smearing", "spread", "land", "truth")  #: of a formula's cells
NETWORK = "network"
KEPT = 8  #: of so many cells one is kept
SHARES = {"68": ONE_SIGMA, "95": TWO_SIGMA}


def fields(world: World, networks: Networks, teller: Method, notes: Path) -> dict[str, list[Array]]:
    """What methods told of a world and how they doubted, beside the truth: (row, cell) each.

    Formulas both with plain interpolation and with the default super-resolution, for they meet
    both; the network with the latter, which it was taught with.

    Parameters
    ----------
    teller : the network; its doubt is taken as it was learnt
    """
    land = np.isnan(world.sic)
    output: dict[str, list[Array]] = defaultdict(list)
    for name in ("bicubic", Settings().sr.name):
        network, card = networks.of(method("sr", NetworkSettings(name=name), notes), "sr")
        refined = refine(world.stack, network, card, networks.machine, "", no_progress)
        near = Day.of(refined, world.daily_map, land).beside(ClassicalOptions())
        for formula, run in FORMULAS.items():
            result = run(refined, world.daily_map, land, None, AS_STATED)
            uncertainties = (result[f"sic_{part}uncertainty"].values for part in ("", "smearing_"))
            output[formula].append(_cells([result["sic"].values, *uncertainties, *near, world.sic]))
    cells = _uncalibrated_cells(refined, world.daily_map, land, world.sic, networks, teller)
    output[NETWORK].append(cells)
    return output


def scene_cells(scene: ChartedScene, networks: Networks, sic: Method, notes: Path) -> Array:
    """Retrieved concentration, its uncalibrated uncertainty and the chart's, (3, cell)."""
    stack, coarse = scene_inputs(scene)
    network, card = networks.of(method("sr", Settings().sr, notes), "sr")
    refined = refine(stack, network, card, networks.machine, "", no_progress)
    chart = np.where(scene.land, np.nan, scene.chart_on_fine(scene.chart))
    return _uncalibrated_cells(refined, coarse, scene.land, chart, networks, sic)


def _uncalibrated_cells(
    refined: xr.Dataset,
    coarse: xr.Dataset,
    land: NDArray[np.bool_],
    truth: Array,
    networks: Networks,
    sic: Method,
) -> Array:
    """Concentration, uncertainty as the network predicts it, and truth, (3, cell)."""
    model, card = networks.of(sic, "sic")
    uncalibrated = model, replace(card, calibration=(), calibration_95=())
    result = concentrate(refined, coarse, land, uncalibrated, networks.machine, no_progress)
    return _cells([result["sic"].values, result["sic_uncertainty"].values, truth])


def _cells(maps: Sequence[Array]) -> Array:
    """Those that tell something and whose truth is known, as rows; one of `KEPT`."""
    known = np.isfinite(maps[0]) & np.isfinite(maps[1]) & np.isfinite(maps[-1])
    return np.stack([each[known][::KEPT] for each in maps])


def half_widths(worlds: Sequence[Cells]) -> dict[str, dict[str, dict[str, list[object]]]]:
    """Tables of every formula, for `seaice.retrieval.classical.uncertainty.IntervalTables`."""
    result = {}
    for formula in FORMULAS:
        told = np.concatenate([part for world in worlds for part in world[formula]], axis=1)
        sic, _, smearing, spread, land, truth = told
        near, error = UncertaintyPredictors(spread=spread, land=land), np.abs(sic - truth)
        ice, zero = sic > 0, sic == 0
        result[formula] = {
            "ice": _tables(axes_of_ice(sic, near, ice), ICE, error[ice]),
            "zero": _tables(axes_of_zero(smearing, near, zero), ZERO, error[zero]),
        }
    return result


def _tables(axes: list[Array], bounds: tuple[Array, ...], error: Array) -> dict[str, list[object]]:
    result = ((name, quantiles(axes, bounds, error, fraction)) for name, fraction in SHARES.items())
    return {name: np.minimum(table, 1).round(4).tolist() for name, table in result}


def network_factors(
    worlds: Sequence[Cells], scenes: Sequence[Array] = ()
) -> tuple[Factors, Factors]:
    """Factors of the network's uncertainty for half-widths of 68 and 95 % of errors.

    Parameters
    ----------
    worlds : cells of simulated worlds, as `fields` returns them
    scenes : (3, cell) of each real scene, as `scene_cells` returns them; together they weigh as
        much as the worlds
    """
    cells = np.concatenate([part for world in worlds for part in world[NETWORK]], axis=1)
    if scenes:
        real = np.concatenate(list(scenes), axis=1)
        cells = np.concatenate([cells, np.resize(real.T, (cells.shape[1], 3)).T], axis=1)
    sic, uncertainty, truth = cells
    return calibration(sic, uncertainty, truth, ONE_SIGMA), calibration(
        sic, uncertainty, truth, TWO_SIGMA
    )


def main() -> None:
    """Write the tables of formulas into the package, and the factors into the network's card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=48, help="of the split `doubt`")
    parser.add_argument("--samples", type=Path, default=Path("training"), help="folder of the set")
    parser.add_argument("--scenes", type=Path, help="folder of real scenes with ice charts")
    told = parser.parse_args()
    notes = told.samples / "hashes.json"
    try:
        networks = Networks(Machine(device=torch.device("cpu")))
        model = method("sic", Settings().sic, notes)
        worlds = [fields(each, networks, model, notes) for each in _worlds(told)]
        scenes = [
            scene_cells(scene, networks, model, notes)
            for scene in (iter_scenes(told.scenes) if told.scenes else ())
        ]
    except SeaIceError as error:
        raise SystemExit(str(error)) from error
    with atomic_file(HELD) as path:
        path.write_text(json.dumps(half_widths(worlds)) + "\n")
    one, two = network_factors(worlds, scenes)
    if model.weights is not None:
        _recarded(model.weights, one, two)


def _recarded(path: Path, one: Factors, two: Factors) -> None:
    """Put factors into the card of a file of weights, and leave its tensors as they are."""
    card = replace(read_card(path), calibration=one, calibration_95=two)
    tensors = load_file(path)
    with atomic_file(path) as part:
        save_file(tensors, part, metadata={"card": card.json()})


def _worlds(told: argparse.Namespace) -> Iterator[World]:
    """The worlds of the split, made where they are missing."""
    split = SPLITS["doubt"]
    store = told.samples / "doubt.zarr"
    for _ in write_samples(split, told.worlds, store):
        pass
    samples = SampleSet.open(store)
    for n in range(told.worlds):
        print(f"world {n + 1} of {told.worlds}", flush=True)
        yield world_of(samples, n, draw(split, n)[0])


if __name__ == "__main__":
    main()
