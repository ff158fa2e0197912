"""A product that was damaged, renamed or falsified is found, with its hashes made right or not."""

import csv
import json
import shutil

import numpy as np
import pytest
import rasterio
import zarr
from netCDF4 import Dataset
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError
from seaice.product.folder import product_name, write_manifest, write_product
from seaice.product.provenance import provenance
from seaice.retrieval.flags import Flag
from seaice.workflow.catalogue import update_catalogue, update_series_and_page
from seaice.workflow.season.repair import repair_product
from seaice.workflow.season.verify import (
    count_products,
    list_damages,
    list_derived_damages,
    list_product_damages,
)
from seaice.workflow.stages import silent
from tests.support.products import made_product

DAYS = ("2020-03-03", "2020-03-04")
FORMATS = ("geotiff", "netcdf", "zarr")


def name_of(day):
    return product_name("north", "all", day)


def written(out, day, change=lambda product: product, formats=FORMATS):
    """A product with its provenance, its rows and its page."""
    product = change(made_product(date=day))
    inputs = {"key": "0" * 16, "region": "all", "granules": {}}
    document = provenance(product, inputs=inputs, settings={}, warnings=[])
    product.attrs["provenance"] = json.dumps(document)
    folder = out / name_of(day)
    update_series_and_page(folder, write_product(product, folder, formats), silent)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    for day in DAYS:
        written(out, day)
    update_catalogue(out)
    return out


@pytest.fixture
def out(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def folder(out):
    return out / name_of(DAYS[0])


def listed_again(folder):
    """Make the hashes right, as one who falsifies would."""
    page = folder / f"{folder.name}_quality.html"
    content = page.read_bytes()
    page.unlink()
    write_manifest(folder, folder / f"{folder.name}.sha256")
    page.write_bytes(content)


def said(out):
    return "\n".join(f"{each.what}: {'; '.join(each.problems)}" for each in list_damages(out))


def run(*told):
    return CliRunner().invoke(app, [str(each) for each in told])


def test_whole_products_are_counted(out):
    told = run("verify", out)
    assert (told.exit_code, told.output) == (0, "2 products verified\n")
    assert said(out) == ""


@pytest.mark.parametrize("verb", ["verify", "status"])
@pytest.mark.parametrize("where", ["nowhere", "empty"])
def test_no_product_is_an_error(verb, where, tmp_path):
    (tmp_path / "empty").mkdir()
    told = run(verb, tmp_path / where)
    assert told.exit_code == 2
    assert "no product in" in told.output or "no folder" in told.output
    with pytest.raises(NoInputError):
        count_products(tmp_path / where)


def test_a_product_renamed_to_another_day(out, folder):
    other = name_of("2020-03-05")
    shutil.rmtree(out / name_of(DAYS[1]))
    folder.rename(out / other)
    for path in [*(out / other).glob(f"{folder.name}*")]:
        path.rename(path.with_name(path.name.replace(folder.name, other)))
    listed_again(out / other)
    assert "is named" in said(out)
    assert run("verify", out).exit_code == 2


def edited(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_provenance_of_another_day(out, folder):
    edited(folder / f"{folder.name}.json", lambda told: told.update(date="2020-03-05"))
    listed_again(folder)
    assert "is of 2020-03-03, the provenance of 2020-03-05" in said(out)


def test_values_observed_on_another_day(tmp_path):
    def change(product):
        product["obs_time"] = product["obs_time"] + np.timedelta64(2, "D")
        return product

    written(tmp_path, DAYS[0], change)
    assert "observed on another day than 2020-03-03" in said(tmp_path)


def falsified_raster(ending):
    def change(folder):
        path = folder / f"{folder.name}{ending}.tif"
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            values = raster.read(1)
            values[3, 3] = 8 if values.dtype.kind == "u" else 0.25
            raster.write(values, 1)
        return path.name

    return change


def falsified_netcdf(variable):
    def change(folder):
        path = folder / f"{folder.name}.nc"
        with Dataset(path, "r+") as file:
            file[variable][..., 5, 5] = file[variable][..., 5, 5] * 0.5
        return variable

    return change


def falsified_zarr(folder):
    group = zarr.open_group(folder / f"{folder.name}.zarr")
    group["sic"][0, 7, 7] = 0.5
    return "sic differs between"


@pytest.mark.parametrize(
    "change",
    [
        falsified_raster(""), falsified_raster("_float"), falsified_raster("_flags"),
        falsified_raster("_uncertainty"), falsified_netcdf("sic"), falsified_netcdf("obs_time"),
        falsified_netcdf("latitude"), falsified_zarr,
    ],
)  # fmt: skip
def test_files_of_one_product_that_differ(change, out, folder):
    expected = change(folder)
    assert "is not what was written" in said(out)  # its hash
    listed_again(folder)
    result = [*list_product_damages(out)]
    assert [damage.what for damage in result] == [folder.name]
    assert expected in "; ".join(result[0].problems)


@pytest.mark.parametrize("formats", [("zarr",), ("netcdf",), ("geotiff",)])
def test_a_value_that_is_absent_needs_a_reason(formats, tmp_path):
    def change(product):
        product["sic"][100, 100] = np.nan  # flagged: not observed
        product["sic"][10, 10] = np.nan
        return product

    written(tmp_path, DAYS[0], change, formats)
    assert "without a value and without a reason flag in 1 cells" in said(tmp_path)


def test_a_flag_that_means_nothing(tmp_path):
    def change(product):
        product["status_flag"][10, 10] = ~np.uint16(sum(Flag))
        return product

    written(tmp_path, DAYS[0], change, ("zarr",))
    assert "bits that mean nothing" in said(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret"])
def test_a_manifest_never_leads_out_of_its_folder(name, out, folder):
    (out / "secret").write_text("x")
    manifest = folder / f"{folder.name}.sha256"
    manifest.write_text(f"{manifest.read_text()}{'0' * 64}  {name}\n")
    assert "is not a path inside the folder" in said(out)


def test_provenance_never_leads_out_of_its_folder(out, folder):
    (out / "secret").write_text("x")
    edited(
        folder / f"{folder.name}.json",
        lambda told: told["files"].append({"name": "../secret", "says": "x", "size": 1}),
    )
    listed_again(folder)
    assert "'../secret' is not a path inside the folder" in said(out)


def rewritten(path, change):
    lines = [*csv.reader(path.read_text().splitlines())]
    change(lines)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


SERIES = {
    "a value": lambda lines: lines[1].__setitem__(4, "1"),
    "an uncertainty": lambda lines: lines[1].__setitem__(5, "1"),
    "a row is gone": lambda lines: lines.pop(1),
    "a row of no product": lambda lines: lines.append(["2020-03-09", *lines[1][1:]]),
    "a row twice": lambda lines: lines.append(lines[1]),
    "a column": lambda lines: lines[0].__setitem__(1, "region"),
    "a short line": lambda lines: lines.append(["x"]),
}


@pytest.mark.parametrize("change", SERIES)
def test_a_falsified_series_is_found_and_made_again(change, out):
    path = out / "seaice_series_north.csv"
    before = path.read_bytes()
    rewritten(path, SERIES[change])
    (damage,) = list_derived_damages(out, set())
    assert damage.what == path.name
    assert repair_product(out, damage, None).state == "repaired"
    assert path.read_bytes() == before


def boxes(told):
    told["extent"]["spatial"]["bbox"][0][1] += 1


COLLECTION = {
    "a box": lambda path: edited(path, boxes),
    "an item is gone": lambda path: edited(path, lambda told: told["links"].pop()),
    "an item outside": lambda path: edited(
        path, lambda told: told["links"].append({"rel": "item", "href": "../x/stac.json"})
    ),
    "no JSON": lambda path: path.write_text("{"),
    "something else": lambda path: path.write_text("[1]"),
    "it is gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", COLLECTION)
def test_a_falsified_collection_is_found_and_made_again(change, out):
    path = out / "collection.json"
    before = path.read_bytes()
    COLLECTION[change](path)
    (damage,) = list_derived_damages(out, set())
    assert damage.what == path.name
    assert repair_product(out, damage, None).state == "repaired"
    assert path.read_bytes() == before


def test_a_falsified_project_is_found(out):
    project = out / "seaice_sic_north.qgz"
    project.write_bytes(project.read_bytes()[:-1])
    assert "differs from the products of its place" in said(out)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"files": 3}', '{"files": [{}]}', "\x00"])
def test_a_damaged_provenance_costs_that_product_alone(text, out, folder):
    """The product counts as not made; what follows from all products is made of the others."""
    document = folder / f"{folder.name}.json"
    document.write_text(text)
    told = run("status", out)
    assert (told.exit_code, "1 damaged, 1 final" in told.output) == (0, True)
    update_catalogue(out)
    assert folder.name not in (out / "collection.json").read_text()
    written(out, DAYS[1])
    assert [damage.what for damage in list_product_damages(out)] == [folder.name]
    assert run("browse", out, "--export", out / "page").exit_code == 0
