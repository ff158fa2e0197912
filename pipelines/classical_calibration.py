"""Truth-known worlds in, factors that make the doubts of formulas hold out.

python -m pipelines.classical_calibration --worlds 24

The worlds are those of the validation split, which `make train` leaves in training/.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.evaluate.methods import Networks, World, world_of
from pipelines.plan import method
from seaice.config import NetworkSettings, Settings
from seaice.errors import SeaIceError
from seaice.files import atomic_file
from seaice.network.run import Machine, silent
from seaice.sic.calibration import ONE_SIGMA, TWO_SIGMA, Factors, calibration
from seaice.sic.classical.daily import FORMULAS
from seaice.sic.classical.uncertainty import AS_STATED, HELD
from seaice.simulate.samples import SPLITS, draw
from seaice.sr.refine import refine
from seaice.sr.samples import SampleSet

__all__ = ["factors", "fields"]

Array = NDArray[np.floating]
Tables = dict[str, Factors]
KEPT = 8  #: of so many cells one is kept
SHARES = {"68": ONE_SIGMA, "95": TWO_SIGMA}


def fields(world: World, networks: Networks, notes: Path) -> dict[str, list[Array]]:
    """What formulas told of a world, their doubt, its smearing, and the truth, (4, cell) each.

    Both with plain interpolation and with the default super-resolution, for formulas meet both.
    """
    land = np.isnan(world.sic)
    found: dict[str, list[Array]] = defaultdict(list)
    for name in ("bicubic", Settings().sr.name):
        network, card = networks.of(method("sr", NetworkSettings(name=name), notes), "sr")
        refined = refine(world.stack, network, card, networks.machine, "", silent)
        for formula, run in FORMULAS.items():
            made = run(refined, world.daily_map, land, None, AS_STATED)
            doubts = (made[f"sic_{part}uncertainty"].values for part in ("", "smearing_"))
            told = np.stack([made["sic"].values, *doubts, world.sic])
            known = np.isfinite(told).all(axis=0)
            found[formula].append(told[:, known][:, ::KEPT])
    return found


def factors(worlds: Sequence[Mapping[str, Sequence[Array]]]) -> dict[str, dict[str, Tables]]:
    """Factors of every formula for half-widths of 68 and 95 % of errors, as `Held` has them."""
    made: dict[str, dict[str, Tables]] = {}
    for formula in FORMULAS:
        told = np.concatenate([part for world in worlds for part in world[formula]], axis=1)
        sic, total, smearing, truth = told
        kinds = {"ice": (sic > 0, total), "zero": (sic == 0, smearing)}
        made[formula] = {
            kind: {
                name: calibration(sic[here], doubt[here], truth[here], share)
                for name, share in SHARES.items()
            }
            for kind, (here, doubt) in kinds.items()
        }
    return made


def main() -> None:
    """Write the factors into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=24, help="of the validation split")
    parser.add_argument("--samples", type=Path, default=Path("training"), help="folder of the set")
    told = parser.parse_args()
    try:
        samples = SampleSet.of(told.samples, "valid")
        networks = Networks(Machine(device=torch.device("cpu")))
        count = min(told.worlds, len(samples))
        places = [draw(SPLITS["valid"], n) for n in range(count)]
        worlds = [world_of(samples, n, places[n][0]) for n in range(count)]
        notes = told.samples / "hashes.json"
        made = factors([fields(world, networks, notes) for world in worlds])
    except SeaIceError as error:
        raise SystemExit(str(error)) from error
    with atomic_file(HELD) as path:
        path.write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
