"""A small perceptron that ranks simulators: trained on simulated cells, scored on real scenes.

    python -m pipelines.research.probe training/train.zarr --scenes FOLDER

It sees one 6.25 km cell: the 14 channels, their means over 3 x 3 and 9 x 9 cells, and the land
fractions of the footprints. Training takes about a minute on one core, so changes of the simulator
can be compared on the development scenes before a network is trained on them.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from seaice.errors import SeaIceError
from seaice.evaluate.scenes import CellErrors, ChartedScene, cell_errors, open_scenes
from seaice.grid.blocks import block_mean, repeat_to_fine_grid
from seaice.grid.masks import LAND_FRACTIONS, land_fractions
from seaice.instrument import CHANNELS
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation.real_scenes import ALL, gridded

__all__ = ["features", "train_probe"]

Map = NDArray[np.float32]
OFFSET = 4.0  #: K, standard deviation of the offset of each channel and sample in training
WINDOWS = (1, 3, 9)  #: coarse cells, sides of the squares whose means are features
CELLS = 1500  #: cells of a sample in one pass over it
WIDTH = 192
TARGET = 2  #: the middle of five frames


def features(tb: Map, land: Map) -> Map:
    """Features of every coarse cell.

    Parameters
    ----------
    tb : (14, y, x) K, NaN where absent
    land : (4, y, x) land fractions of the footprints

    Returns
    -------
    (feature, y, x) float32, normalized; NaN where a channel is absent
    """
    seen = np.isfinite(tb)
    filled = np.where(seen, tb, 0)
    planes = []
    for side in WINDOWS:
        size = (1, side, side)
        weight = ndimage.uniform_filter(seen.astype(np.float32), size, mode="nearest")
        mean = ndimage.uniform_filter(filled, size, mode="nearest") / np.maximum(weight, 1e-6)
        planes.append(np.where(seen, (mean - 200) / 50, np.nan))
    return np.concatenate([*planes, land]).astype(np.float32)


def _sample_cells(samples: SampleSet, index: int, rng: np.random.Generator) -> tuple[Map, Map]:
    """(cell, feature) and (cell,) concentration of random sea cells of one sample."""
    window = samples.whole(index)
    tb = np.concatenate([samples.low(window), samples.tb89(window)[TARGET]])
    tb = tb + rng.normal(0, OFFSET, (len(tb), 1, 1)).astype(np.float32)
    truth = samples.truth_sic(window)
    shares = np.stack([*land_fractions(np.isnan(truth)).values()])
    planes, target = features(tb, shares), block_mean(truth)
    good = np.flatnonzero(np.isfinite(planes).all(0).ravel() & np.isfinite(target).ravel())
    if not good.size:
        return np.empty((0, len(planes)), np.float32), np.empty(0, np.float32)
    chosen = rng.choice(good, min(CELLS, good.size), replace=False)
    return planes.reshape(len(planes), -1)[:, chosen].T, target.ravel()[chosen]


def _batches(samples: SampleSet, passes: int, seed: int) -> Iterator[tuple[Map, Map]]:
    rng = np.random.default_rng(seed)
    for _ in range(passes):
        order = rng.permutation(len(samples))
        for group in np.array_split(order, max(len(order) // 8, 1)):
            parts = [_sample_cells(samples, int(index), rng) for index in group]
            x, y = (np.concatenate(values) for values in zip(*parts, strict=True))
            if len(y):
                yield x, y


def train_probe(samples: SampleSet, passes: int, seed: int) -> nn.Module:
    """Train on random cells of all samples; loss: squared plus 0.3 absolute error."""
    torch.manual_seed(seed)
    inputs = len(WINDOWS) * len(CHANNELS) + len(LAND_FRACTIONS)
    network = nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.GELU(),
        nn.Linear(WIDTH, WIDTH),
        nn.GELU(),
        nn.Linear(WIDTH, 1),
        nn.Sigmoid(),
    )
    steps = passes * max(len(samples) // 8, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1)
    for x, y in _batches(samples, passes, seed):
        for part in torch.randperm(len(y)).chunk(4):
            error = network(torch.from_numpy(x)[part])[:, 0] - torch.from_numpy(y)[part]
            loss = error.square().mean() + 0.3 * error.abs().mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def _errors(network: nn.Module, scene: ChartedScene) -> CellErrors:
    daily_map = gridded(scene)[1]
    tb = np.stack([daily_map[name].values for name in CHANNELS])
    shares = np.stack([*land_fractions(scene.land).values()])
    planes = features(tb, shares)
    flat = torch.from_numpy(np.nan_to_num(planes.reshape(len(planes), -1).T))
    sic = network(flat)[:, 0].numpy().reshape(planes.shape[1:])
    sic = np.where(np.isfinite(planes).all(0), sic, np.nan)
    return cell_errors(scene, repeat_to_fine_grid(sic))


def main() -> None:
    """Train and print scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", type=Path, help="training samples, a Zarr group")
    parser.add_argument("--scenes", type=Path, required=True, help="folder of charted scenes")
    parser.add_argument("--passes", type=int, default=12, help="over all samples")
    parser.add_argument("--seeds", type=int, default=2, help="networks, each scored")
    options = parser.parse_args()
    try:
        samples, scenes = SampleSet.open(options.samples), open_scenes(options.scenes)
    except SeaIceError as error:
        raise SystemExit(str(error)) from error
    names = ("rmse", "mae", "bias", "rmse_10km", "false_ice", "ice_bias")
    print(f"{len(samples)} samples" + "".join(f"{name:>11}" for name in names))
    for seed in range(options.seeds):
        network = train_probe(samples, options.passes, seed)
        errors = {scene.name: _errors(network, scene) for scene in scenes}
        errors[ALL] = CellErrors.joined(list(errors.values()))
        for name, each in errors.items():
            row = each.scores()
            values = "".join(f"{row.get(key, float('nan')):11.2f}" for key in names)
            print(f"{seed} {name[:40]:40}{values}")


if __name__ == "__main__":
    main()
