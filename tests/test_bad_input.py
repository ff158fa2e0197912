"""Whatever is wrong with the input: a sentence in three parts, or a product that says so.

Exit code 2 where nothing could be made; a product with a warning in its provenance where something
could. Never a traceback, a partial file or a wrong map.
"""

import json
import os
import shutil
from datetime import timedelta

import h5py
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from seaice.cli import app
from tests.support.days import DAY, PRODUCT, run, write_day, write_five_days


@pytest.fixture(scope="module")
def five_days(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    write_five_days(folder)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """One place for all runs: maps of the unspoilt days are made once."""
    return tmp_path_factory.mktemp("products")


@pytest.fixture(scope="module")
def unspoilt(five_days, plain, tmp_path_factory):
    """Concentration from the good granules alone."""
    out = tmp_path_factory.mktemp("unspoilt")
    result = run("daily", five_days, out, *plain)
    assert result.exit_code == 0, result.output
    return concentration(out)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Settings that write what these tests read, and no more."""
    settings = tmp_path_factory.mktemp("settings") / "plain.toml"
    settings.write_text('[write]\nformats = ["zarr"]\n')
    return "--settings", settings


def concentration(out):
    return xr.open_zarr(out / PRODUCT / f"{PRODUCT}.zarr")["sic"].load()


def provenance(out):
    return json.loads((out / PRODUCT / f"{PRODUCT}.json").read_text())


def assert_refused(result, *words):
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    told = " ".join(result.output.split())
    assert told.startswith("seaice: ")
    for part in ("; expected ", "Do next: ", *words):
        assert part in told, told


def assert_nothing_made(out):
    assert [path.name for path in out.glob("seaice_sic_*")] == []
    assert_nothing_partial(out)


def assert_nothing_partial(out):
    assert [path for path in out.rglob("*.part")] == []


def high(file):
    return [name for name in file if "GHz-" in name]


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def not_hdf5(path):
    path.write_text("<html>please log in</html>")


def level_3(path):
    with h5py.File(path, "w") as file:
        file["Brightness Temperature (V)"] = np.full((1, 20, 20), 20000, np.uint16)
        for name, text in {"ProductName": "AMSR2-L3", "SensorShortName": "AMSR2"}.items():
            file.attrs[name] = np.array([text.encode()])


def missing_dataset(path):
    with h5py.File(path, "a") as file:
        del file[high(file)[0]]


def all_fill(path):
    with h5py.File(path, "a") as file:
        for name in high(file):
            file[name][...] = 65535


def other_sensor(path):
    with h5py.File(path, "a") as file:
        file.attrs["PlatformShortName"] = np.array([b"Aqua"])
        file.attrs["SensorShortName"] = np.array([b"AMSR-E"])


every_fault = pytest.mark.parametrize(
    "spoil", [truncate, not_hdf5, level_3, missing_dataset, all_fill, other_sensor]
)


@every_fault
def test_a_bad_granule_alone_makes_nothing_and_is_explained(spoil, five_days, tmp_path):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    (bad,) = granules.glob(f"GW1AM2_{DAY:%Y%m%d}*")
    spoil(bad)
    assert_refused(run("daily", granules, tmp_path / "out"), str(DAY), bad.stem)
    assert_nothing_made(tmp_path / "out")


@every_fault
def test_a_bad_granule_beside_a_good_one_is_left_out_and_said(
    spoil, five_days, out, unspoilt, plain, tmp_path
):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    bad = write_day(granules, hour=12)
    spoil(bad)
    result = run("daily", granules, out, *plain)
    assert result.exit_code == 0, result.output
    (warning,) = provenance(out)["warnings"]
    assert bad.stem in warning
    assert bad.stem in result.output.replace("\n", "")
    xr.testing.assert_equal(concentration(out), unspoilt)
    assert_nothing_partial(out)


def implausible(folder, hour, change):
    """A granule of the day whose file is whole and whose content is wrong; its path."""
    bad = write_day(folder, hour=hour)
    with h5py.File(bad, "a") as file:
        change(file)
    return bad


def counts_of(file):
    return [file[name] for name in file if name.startswith("Brightness")]


def swap_polarizations(file):
    for name in [each for each in file if each.endswith(",H)")]:
        other = f"{name[:-2]}V)"
        h, v = file[name][...], file[other][...]
        file[name][...], file[other][...] = v, h


def swap_horns(file):
    for axis in ("Latitude", "Longitude"):
        a, b = (f"{axis} of Observation Point for 89{horn}" for horn in "AB")
        first, second = file[a][...], file[b][...]
        file[a][...], file[b][...] = second, first


def same_everywhere(file):
    for counts in counts_of(file):
        counts[...] = 20000


def scale(file):
    for counts in counts_of(file):
        counts.attrs["SCALE FACTOR"] = np.float32([0.0105])


def move(file):
    for horn in "AB":
        latitude = file[f"Latitude of Observation Point for 89{horn}"]
        latitude[...] = np.where(latitude[...] > -90, latitude[...] + 1, latitude[...])


def flag_all(file):
    file["Pixel Data Quality 89"][...] = 1


def flag_many(file):
    file["Pixel Data Quality 89"][:, ::3] = 1


def another_day(file):
    file["Scan Time"][...] += 86400


WRONG = {  # hour -> what is done, what is said of it
    3: (swap_polarizations, "V is below H"),
    4: (swap_horns, "horns A and B"),
    5: (same_everywhere, "98 of 100 samples"),
    6: (scale, "SCALE FACTOR 0.0105"),
    7: (move, "land flag"),
    8: (flag_all, "Pixel Data Quality 89"),
    13: (another_day, "as in its name"),
}


def test_wrong_content_and_odd_files_are_left_out_and_named_and_the_map_is_unchanged(
    five_days, out, unspoilt, plain, tmp_path
):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    (good,) = granules.glob(f"GW1AM2_{DAY:%Y%m%d}*")
    said = {
        implausible(granules, hour, *change[:1]).name: change[1] for hour, change in WRONG.items()
    }
    copy = good.name.replace("1000_", "1001_").replace("L1SG", "L1DL")
    shutil.copy(good, granules / copy)
    said[copy] = "also in"
    odd = good.name.replace("1000_", "1100_")
    for name, text in {
        good.name.replace(".h5", " (1).h5"): "its name is not",
        f"{good.name}.gz": "compressed",
        f"GGWAM3_{DAY:%Y%m%d}1000A035_L1SGRTBR_0000000.nc": "AMSR3",
    }.items():
        (granules / name).write_bytes(b"")
        said[name] = text
    os.mkfifo(granules / odd)
    said[odd] = "a FIFO"
    link = odd.replace("1100_", "1101_")
    (granules / link).symlink_to("nowhere")
    said[link] = "a link to nothing"

    result = run("daily", granules, out, *plain)
    assert result.exit_code == 0, result.output
    document = provenance(out)
    warnings = [each for each in document["warnings"] if each.startswith(f"{DAY}: left out ")]
    assert len(warnings) == len(said)
    for name, text in said.items():
        (warning,) = (each for each in warnings if f" {name}: " in each)
        assert text in warning
        assert name in result.output.replace("\n", "")
    xr.testing.assert_equal(concentration(out), unspoilt)
    entries = {each["name"]: each for each in document["granules"][str(DAY)]}
    assert [name for name, each in entries.items() if each["used"]] == [good.name]
    assert entries[good.name]["samples"] > 1000
    assert "agreement" in entries[good.name]["geolocation"]
    assert all(each["reason"] for name, each in entries.items() if name != good.name)
    told = CliRunner(env={"COLUMNS": "400"}).invoke(app, ["doctor", "--granules", str(granules)])
    for name in (odd, link, f"{good.name}.gz"):
        assert name in told.output
    assert_nothing_partial(out)


def test_a_granule_with_many_flagged_samples_is_used_and_said(five_days, out, plain, tmp_path):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    marked = implausible(granules, 12, flag_many)
    result = run("daily", granules, out, *plain)
    assert result.exit_code == 0, result.output
    (warning,) = provenance(out)["warnings"]
    assert marked.name in warning
    assert "33% of the 89 GHz samples are flagged by the instrument" in warning
    entries = {each["name"]: each for each in provenance(out)["granules"][str(DAY)]}
    assert entries[marked.name]["used"]


def test_a_day_of_wrong_granules_alone_makes_nothing_and_names_them(five_days, tmp_path):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    (bad,) = granules.glob(f"GW1AM2_{DAY:%Y%m%d}*")
    with h5py.File(bad, "a") as file:
        move(file)
    assert_refused(run("daily", granules, tmp_path / "out"), str(DAY), bad.stem, "land flag")
    assert_nothing_made(tmp_path / "out")


def test_another_day_of_wrong_granules_is_replaced_and_named(five_days, out, plain, tmp_path):
    granules = tmp_path / "granules"
    shutil.copytree(five_days, granules)
    (bad,) = granules.glob(f"GW1AM2_{DAY + timedelta(days=1):%Y%m%d}*")
    with h5py.File(bad, "a") as file:
        swap_polarizations(file)
    assert run("daily", granules, out, *plain, "--replace", "final").exit_code == 0
    document = provenance(out)
    assert document["status"] == "provisional"
    warnings = "\n".join(document["warnings"])
    assert f"left out {bad.name}" in warnings
    assert "none of 1 granule was usable" in warnings
    (entry,) = document["granules"][str(DAY + timedelta(days=1))]
    assert not entry["used"]
    assert "V is below H" in entry["reason"]


def test_no_granules_for_the_day(five_days, tmp_path):
    result = run("daily", five_days, tmp_path / "out", "--date", DAY + timedelta(days=30))
    assert_refused(result, "2020-04-02", "GW1AM2_")
    assert_nothing_made(tmp_path / "out")


def test_no_folder_of_granules(tmp_path):
    assert_refused(run("daily", tmp_path / "nowhere", tmp_path / "out"), "nowhere")
    assert_nothing_made(tmp_path / "out")


def test_granules_that_do_not_reach_the_region(five_days, tmp_path):
    region = "40,74,44,75"
    result = run("daily", five_days, tmp_path / "out", "--region", region)
    assert_refused(result, str(DAY))
    assert_nothing_made(tmp_path / "out")


def test_two_frames_of_five_make_a_provisional_map_that_says_so(plain, tmp_path):
    granules = tmp_path / "granules"
    granules.mkdir()
    for day in (DAY - timedelta(days=1), DAY):
        write_day(granules, day)
    result = run("daily", granules, tmp_path / "out", *plain)
    assert result.exit_code == 0, result.output
    document = provenance(tmp_path / "out")
    assert document["status"] == "provisional"
    (warning,) = document["warnings"]
    replaced = [frame["date"] for frame in document["frames"] if frame["substituted"]]
    assert replaced == ["2020-03-01", "2020-03-04", "2020-03-05"]
    assert all(day in warning for day in replaced)
    product = xr.open_zarr(tmp_path / "out" / PRODUCT / f"{PRODUCT}.zarr")
    flag = product["status_flag"]
    masks = dict(zip(flag.attrs["flag_meanings"].split(), flag.attrs["flag_masks"], strict=True))
    seen = product["sic"].notnull()
    assert bool(seen.any())
    assert bool(((flag & masks["substituted_frame"]) > 0).where(seen, True).all())


def test_an_unwritable_output_is_refused_before_any_work(five_days, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr("seaice.workflow.plan.find_granules", lambda *_: pytest.fail("work began"))
    assert_refused(run("daily", five_days, tmp_path / "file" / "out"), "--out")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_weights_of_another_network_are_refused(five_days, tmp_path):
    from seaice.models.card import Card
    from seaice.models.registry import create_model
    from seaice.models.weights import save_model

    weights = tmp_path / "weights.safetensors"
    card = Card(
        architecture="bicubic",
        role="sr",
        config={},
        scale=4,
        frames=5,
        channels=("tb89h", "tb89v"),
        outputs=("tb89h", "tb89v"),
        normalization={"tb89h": (200.0, 50.0), "tb89v": (200.0, 50.0)},
        multiple_of=1,
        margin=2,
        cell=6250.0,
    )
    save_model(weights, create_model("bicubic", {}), card)
    result = run("daily", five_days, tmp_path / "out", "--sr", "pmdrnet", "--sr-weights", weights)
    assert_refused(result, "'bicubic'", "'pmdrnet'")
    assert_nothing_made(tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_weights_are_refused(content, five_days, tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(content)
    told = ("--sr", "pmdrnet", "--sr-weights", weights)
    assert_refused(run("daily", five_days, tmp_path / "out", *told), "weights")
    assert_nothing_made(tmp_path / "out")


@pytest.mark.parametrize("name", ["pmdrent", "pmdr"])
def test_a_network_nobody_knows_is_refused_and_the_nearest_named(name, five_days, tmp_path):
    result = run("daily", five_days, tmp_path / "out", "--sr", name)
    assert_refused(result, f"'{name}'", "'pmdrnet'")
    assert_nothing_made(tmp_path / "out")


def test_a_misspelt_setting_is_refused_and_the_nearest_named(five_days, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text('[run]\nhemispere = "north"\n')
    result = run("daily", five_days, tmp_path / "out", "--settings", settings)
    assert_refused(result, "'hemispere'", "'hemisphere'")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (("--hemisphere", "east"), "east"),
        (("--date", "yesterday"), "yesterday"),
        (("--device", "abacus"), "abacus"),
        (("--region", "atlantis"), "atlantis"),
        (("--region", "1,2,3"), "1,2,3"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(told, word, five_days, tmp_path):
    assert_refused(run("daily", five_days, tmp_path / "out", *told), word)
    assert_nothing_made(tmp_path / "out")
