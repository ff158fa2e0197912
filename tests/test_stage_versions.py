"""A stage whose result changes gets a new version number, so that older results are not reused.

`stage_results.json` holds the version of each stage and statistics of its result on a small input.
Where this test fails because of an intended change, raise the stage's number in
`seaice.workflow.stages.VERSIONS` and store the new statistics with
`python tests/test_stage_versions.py`.
"""

import json
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from seaice.config import Settings
from seaice.grid.grid import NORTH
from seaice.io.readers import read_swath
from seaice.models.inference import no_progress, refine
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.inputs import new_sic_card as sic_card
from seaice.models.inputs import new_sr_card as sr_card
from seaice.models.registry import create_model
from seaice.retrieval.concentrate import concentrate
from seaice.simulate.days import simulate_days, truth_path
from seaice.workflow.plan import Method, Plan
from seaice.workflow.stages import VERSIONS
from tests.support.days import DAY, PRODUCT, run, write_day, write_five_days
from tests.test_network_contract import SMALL
from tests.test_sic_concentrate import daily_map
from tests.test_sr_refine import MACHINE, bicubic, stack

STORED = Path(__file__).with_name("stage_results.json")
#: Relative to a variable's root mean square. Sums differ between processors by about 1e-6 of it;
#: a threshold that one of them puts elsewhere moves a flag in one cell of some thousand.
TOLERANCE = {"f": 1e-4, "M": 1e-4, "i": 2e-3, "u": 2e-3, "b": 2e-3}


def statistics(result):
    """Per variable: kind, shape, number of finite values, mean, rms, and a weighted mean.

    Weights of both signs make the last one depend on where a value stands.
    """
    return {
        str(name): _statistics(variable.values)
        for name, variable in sorted(result.variables.items(), key=lambda item: str(item[0]))
        if variable.dtype.kind in TOLERANCE
    }


def _statistics(values):
    kind, numbers = values.dtype.kind, values.ravel()
    if kind == "M":
        since = (numbers - np.datetime64("2020-03-03", "ns")) / np.timedelta64(1, "s")
        numbers = np.where(np.isnat(numbers), np.nan, since)
    numbers = numbers.astype(np.float64)
    finite = np.isfinite(numbers)
    known = numbers[finite] if finite.any() else np.zeros(1)
    weights = np.cos(np.arange(numbers.size)[finite] * 0.754877666) if finite.any() else np.ones(1)
    return {
        "kind": kind,
        "shape": list(values.shape),
        "finite": int(finite.sum()),
        "mean": float(known.mean()),
        "rms": float(np.sqrt(np.mean(known**2))),
        "weighted": float(np.mean(known * weights)),
    }


def differences(stored, computed):
    """What differs between two sets of statistics beyond what processors differ by."""
    for name in sorted(stored.keys() | computed.keys()):
        one, other = stored.get(name), computed.get(name)
        if one is None or other is None:
            yield f"{name} is in one result only"
        elif (one["kind"], one["shape"]) != (other["kind"], other["shape"]):
            yield f"{name} has another type or shape"
        elif abs(one["finite"] - other["finite"]) > 1e-3 * np.prod(one["shape"]):
            yield f"{name} has {other['finite']} finite values, stored are {one['finite']}"
        else:
            allowed = TOLERANCE[one["kind"]] * one["rms"] + 1e-12
            yield from (
                f"{name}: {key} {other[key]:.7g}, stored is {one[key]:.7g}"
                for key in ("mean", "rms", "weighted")
                if abs(one[key] - other[key]) > allowed
            )


def with_fixed_weights(network):
    """The network with weights from a formula: random numbers may differ between versions."""
    for number, parameter in enumerate(network.parameters()):
        index = torch.arange(parameter.numel(), dtype=torch.float64)
        fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 4
        values = torch.cos(index * 0.754877666 + number) * (2 / fan_in) ** 0.5
        parameter.data = values.reshape(parameter.shape).float()
    return network.eval()


def read_result(folder):
    return statistics(read_swath(write_day(folder)))


def day_results(folder):
    """Results of a day by formulas: its daily map, its refined map, concentration and product."""
    write_five_days(folder / "granules")
    settings = folder / "settings.toml"
    settings.write_text('[write]\nformats = ["zarr"]\n')
    done = run("daily", folder / "granules", folder / "out", "--settings", settings)
    assert done.exit_code == 0, done.output
    product = folder / "out" / PRODUCT
    document = json.loads((product / f"{PRODUCT}.json").read_text())
    results = {}
    for stage, path in document["stages"].items():
        with xr.open_zarr(folder / "out" / path, consolidated=False) as result:
            results[stage] = statistics(result)
    with xr.open_zarr(product / f"{PRODUCT}.zarr") as result:
        results["write"] = statistics(result)
    return results


def network_results():
    """Refined map and concentration by small networks of fixed weights."""
    sr, sic = SMALL["pmdrnet"], SMALL["xception_aspp"]
    shape = (40, 36)
    refined = refine(
        stack(shape),
        with_fixed_weights(create_model("pmdrnet", sr)),
        sr_card("pmdrnet", sr),
        MACHINE,
        "",
        no_progress,
    )
    card = sic_card("xception_aspp", sic, SIC_CHANNELS)
    network = with_fixed_weights(create_model("xception_aspp", card.config))
    land = np.zeros((160, 144), bool)
    land[:30, :50] = True
    product = concentrate(
        bicubic(stack(shape)), daily_map(), land, (network, card), MACHINE, no_progress
    )
    return {"refine": statistics(refined), "concentrate": statistics(product)}


def simulated_result(folder):
    day, grid = date(2018, 3, 10), NORTH.crop(slice(900, 916), slice(720, 736))
    first, *_ = simulate_days(day, day, grid, 5, folder, lambda done, of: None)
    with xr.open_dataset(truth_path(folder, day)) as truth:
        return statistics(truth.load()) | {
            f"granule {name}": value for name, value in statistics(read_swath(first)).items()
        }


def results(folder):
    """Statistics of every stage."""
    day, networks = day_results(folder), network_results()
    return {
        "read": {"granule": read_result(folder)},
        **{
            stage: {"formulas": day[stage]}
            | ({"networks": networks[stage]} if stage in networks else {})
            for stage in ("grid", "refine", "concentrate", "write")
        },
        "simulate": {"day": simulated_result(folder)},
    }


def check(stage, computed):
    """Compare a stage's results with the stored ones of its version."""
    stored = json.loads(STORED.read_text())[stage]
    for case, values in computed.items():
        problems = list(differences(stored["results"][case], values))
        assert not problems, (
            f"the result of stage {stage!r} ({case}) changed: {problems[:3]}. If that is intended, "
            f"raise VERSIONS[{stage!r}] in seaice/workflow/stages.py from {VERSIONS[stage]} to "
            f"{VERSIONS[stage] + 1} and run `python tests/test_stage_versions.py`"
        )


def test_stored_results_are_those_of_the_present_versions():
    stored = {stage: entry["version"] for stage, entry in json.loads(STORED.read_text()).items()}
    assert stored == dict(VERSIONS), "run `python tests/test_stage_versions.py`"


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return day_results(tmp_path_factory.mktemp("day"))


def test_reading_has_the_result_of_its_version(tmp_path):
    check("read", {"granule": read_result(tmp_path)})


@pytest.mark.parametrize("stage", ["grid", "refine", "concentrate", "write"])
def test_formulas_have_the_results_of_their_version(stage, day):
    check(stage, {"formulas": day[stage]})


def test_networks_have_the_results_of_their_version():
    for stage, computed in network_results().items():
        check(stage, {"networks": computed})


def test_simulation_has_the_result_of_its_version(tmp_path):
    check("simulate", {"day": simulated_result(tmp_path)})


@pytest.mark.parametrize(
    "change",
    [
        lambda tb: tb + 0.1,
        lambda tb: tb[::-1],
        lambda tb: np.where(np.arange(tb.shape[1]) < 2, np.nan, tb),
        lambda tb: tb.astype(np.int16),
    ],
)
def test_a_changed_result_is_noticed(change):
    tb = np.random.default_rng(0).normal(220, 20, (40, 36))
    one = statistics(xr.Dataset({"tb89h": (("y", "x"), tb)}))
    assert not list(differences(one, one))
    assert list(differences(one, statistics(xr.Dataset({"tb89h": (("y", "x"), change(tb))}))))


def planned(tmp_path):
    settings = Settings.model_validate({"run": {"out": tmp_path, "granules": tmp_path}})
    return Plan(
        settings=settings,
        day=DAY,
        region="all",
        grid=NORTH,
        region_grid=NORTH,
        granules={DAY: ()},
        hashes={},
        sr=Method(name="bicubic", weights=None, sha256=None),
        sic=Method(name="asi", weights=None, sha256=None),
    )


def keys(plan):
    return {
        "grid": plan.grid_key(DAY),
        "refine": plan.refine_key,
        "concentrate": plan.concentrate_key,
        "write": plan.product_key,
    }


@pytest.mark.parametrize("stage", ["read", "grid", "refine", "concentrate", "write"])
def test_a_new_version_changes_the_keys_of_its_stage_and_of_later_ones(
    stage, tmp_path, monkeypatch
):
    order = ["read", "grid", "refine", "concentrate", "write"]
    before = keys(planned(tmp_path))
    monkeypatch.setattr("seaice.workflow.plan.VERSIONS", {**VERSIONS, stage: VERSIONS[stage] + 1})
    after = keys(replace(planned(tmp_path)))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(order[order.index(stage) :]) - {"read"}


def store():
    """Write the statistics of all stages; refuse those that changed under the same version."""
    old = json.loads(STORED.read_text()) if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        computed = results(Path(folder))
    for stage, cases in computed.items():
        entry = old.get(stage, {})
        if entry.get("version") == VERSIONS[stage]:
            changed = [
                problem
                for case, values in cases.items()
                for problem in differences(entry["results"].get(case, {}), values)
            ]
            if changed:
                raise SystemExit(
                    f"the result of stage {stage!r} changed ({changed[0]}); raise its number in "
                    "seaice/workflow/stages.py first"
                )
    entries = {
        stage: {"version": VERSIONS[stage], "results": cases} for stage, cases in computed.items()
    }
    STORED.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    store()
