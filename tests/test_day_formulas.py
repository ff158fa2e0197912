"""Every formula and the blend run a day by name; what is chosen names the result."""

import json

import pytest
import xarray as xr

from seaice.config import Settings
from seaice.workflow.plan import plan
from tests.support.days import DAY, PRODUCT, REGION, run, write_day, write_five_days

CHOSEN = [
    {"tie_points": "dynamic"},
    {"weather_filter": "nsidc"},
    {"bootstrap_cut": 0.1},
    {"calibration": "amsre"},
    {"name": "bootstrap"},
    {"name": "nasa_team"},
]


def planned(folder, **chosen):
    return plan(
        Settings.from_table(
            {
                "run": {"date": DAY, "granules": folder, "out": folder / "out", "region": REGION},
                "sr": {"name": "bicubic"},
                "sic": {"name": "asi"} | chosen,
            }
        )
    )


@pytest.fixture(scope="module")
def one_day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    write_day(folder)
    return folder


def test_every_choice_is_another_result_of_the_same_maps(one_day):
    plans = [planned(one_day, **chosen) for chosen in ({}, *CHOSEN)]
    assert len({each.concentrate_key for each in plans}) == len(plans)
    assert len({each.refine_key for each in plans}) == 1
    assert planned(one_day).concentrate_key == plans[0].concentrate_key


def test_a_blend_has_the_default_networks_weights(one_day):
    blend, network = (planned(one_day, name=name).sic for name in ("blend", Settings().sic.name))
    assert blend.weights == network.weights
    assert blend.sha256 == network.sha256
    assert blend.name == "blend"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bootstrap", "nasa_team", "blend"])
def test_a_day_by_name_has_the_same_variables_as_by_asi(name, tmp_path):
    write_five_days(tmp_path / "granules")
    result = {}
    for sic in ("asi", name):
        out = tmp_path / sic
        settings = tmp_path / "plain.toml"
        settings.write_text('[write]\nformats = ["zarr"]\n[sic]\ntie_points = "dynamic"\n')
        told = run("daily", tmp_path / "granules", out, "--sic", sic, "--settings", settings)
        assert told.exit_code == 0, told.output
        result[sic] = xr.open_zarr(out / PRODUCT / f"{PRODUCT}.zarr").load()
    assert set(result[name]) == set(result["asi"])
    assert result[name].attrs["sic_name"] == name
    assert bool(result[name]["sic"].notnull().any())
    points = json.loads(result[name].attrs["tie_points"])
    assert points["algorithm"] == ("asi" if name == "blend" else name)
