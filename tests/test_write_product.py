"""A product folder is complete or absent, and lists its files."""

import json
import shutil
import subprocess
from datetime import date

import numpy as np
import pytest
from matplotlib.image import imread

from seaice.errors import OutputError, SettingsError
from seaice.product.folder import list_product_files, product_name, write_product
from seaice.product.provenance import frame_sources, provenance
from seaice.product.style import LAND_COLOUR
from tests.support.products import made_product

NAME = "seaice_sic_north_20200303_v0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("products") / "20200303"
    write_product(made_product(), place)
    return place


def test_a_product_lists_exactly_what_it_holds(folder):
    files = list_product_files(folder)
    assert {file.name for file in files} == {path.name for path in folder.iterdir()}
    assert files[0].name == f"{NAME}.tif"
    assert all(file.size > 0 and file.description for file in files)
    document = json.loads((folder / f"{NAME}.json").read_text())
    assert document["warnings"] == ["made, not observed"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_picture_shows_land_water_and_ice(folder):
    picture = imread(folder / f"{NAME}.png")[..., :3]
    assert min(picture.shape[:2]) > 500
    for colour in (np.divide(LAND_COLOUR, 255), (1, 1, 1)):
        assert np.isclose(picture, colour, atol=0.01).all(axis=-1).mean() > 0.01
    red, _, blue = np.moveaxis(picture, -1, 0)
    assert ((blue - red) > 0.2).mean() > 0.1  # water


def test_a_product_with_a_missing_file_is_not_whole(tmp_path):
    write_product(made_product(), tmp_path / "p", formats=["quicklook"])
    expected = [f"{NAME}.png", "stac.json", f"{NAME}.sha256", f"{NAME}.json"]
    assert [file.name for file in list_product_files(tmp_path / "p")] == expected
    for name in expected:
        whole = (tmp_path / "p" / name).read_bytes()
        (tmp_path / "p" / name).unlink()
        assert list_product_files(tmp_path / "p") == []
        (tmp_path / "p" / name).write_bytes(whole)
    assert list_product_files(tmp_path / "p")
    assert list_product_files(tmp_path / "nowhere") == []


def test_every_file_can_be_proved_whole(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    listed = {line.split("  ", 1)[1] for line in (copy / f"{NAME}.sha256").read_text().splitlines()}
    expected = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert listed == expected - {f"{NAME}.sha256"}
    check = ["sha256sum", "--check", "--strict", "--quiet", f"{NAME}.sha256"]
    assert subprocess.run(check, cwd=copy, capture_output=True).returncode == 0
    shard = next(
        path for path in (copy / f"{NAME}.zarr" / "sic" / "c").rglob("*") if path.is_file()
    )
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    check_result = subprocess.run(check, cwd=copy, capture_output=True, text=True)
    assert check_result.returncode == 1
    assert check_result.stdout.split(":")[0] == shard.relative_to(copy).as_posix()


def test_the_same_inputs_make_the_same_bytes(folder, tmp_path):
    """On another day, in another folder, in another order of formats."""
    write_product(made_product(), tmp_path / "again")
    once, again = ((place / f"{NAME}.sha256").read_text() for place in (folder, tmp_path / "again"))
    assert once == again


def test_provenance_has_the_time_of_the_newest_input(monkeypatch):
    names = [
        "GW1AM2_202003052359_035A_L1SGBTBR_2220220.h5",
        "GW1AM2_202003010000_001D_L1SGBTBR_2220220.h5",
    ]
    inputs = {"granules": {"2020-03-05": [{"name": names[0]}], "2020-03-01": [{"name": names[1]}]}}
    run = {"run": {"out": "/here", "granules": "/there", "region": "all"}}
    document = provenance(made_product(), inputs=inputs, settings=run, warnings=[])
    assert document["created"] == "2020-03-05T23:59:00Z"
    assert document["settings"] == {"run": {"region": "all"}}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1583280000")
    document = provenance(made_product(), inputs=inputs, settings=run, warnings=[])
    assert document["created"] == "2020-03-04T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(SettingsError):
        provenance(made_product(), inputs=inputs, settings=run, warnings=[])


def test_a_writer_that_fails_leaves_the_earlier_product(tmp_path):
    place = tmp_path / "p"
    write_product(made_product(), place, formats=["geotiff"])
    before = list_product_files(place)
    broken = made_product().drop_vars("sic_uncertainty")
    with pytest.raises(KeyError):
        write_product(broken, place)
    assert list_product_files(place) == before
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_product(made_product(), tmp_path / "file" / "p", formats=["geotiff"])


def test_names_distinguish_products():
    names = {
        product_name(hemisphere, region, day)
        for hemisphere in ("north", "south")
        for region in ("all", "svalbard")
        for day in ("2020-03-03", "2020-03-04")
    }
    assert len(names) == 8


def test_provenance_lists_the_source_of_each_frame():
    document = provenance(
        made_product(),
        inputs={"frames": frame_sources({date(2020, 3, 3)}, date(2020, 3, 3))},
        settings={"run": {"out": "products"}},
        warnings=["2020-03-01 is missing"],
    )
    assert [frame["substituted"] for frame in document["frames"]] == [True] * 2 + [False] + [
        True
    ] * 2
    assert {frame["source"] for frame in document["frames"]} == {"2020-03-03"}
    assert document["software"]["numpy"] == np.__version__
    assert document["warnings"] == ["2020-03-01 is missing"]
    assert json.loads(json.dumps(document))["grid"]["crs"] == "EPSG:3411"


def test_files_written_at_the_same_time_are_the_same_bytes(tmp_path, monkeypatch):
    manifests = []
    for threads in (1, 4):
        monkeypatch.setattr("seaice.product.folder.os.cpu_count", lambda n=threads: n)
        folder = tmp_path / str(threads)
        write_product(made_product(), folder)
        (manifest,) = folder.glob("*.sha256")
        manifests.append(manifest.read_text())
    assert manifests[0] == manifests[1]
    assert len(manifests[0].splitlines()) > 20


def test_a_file_that_cannot_be_written_leaves_no_product(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no")

    monkeypatch.setattr("seaice.product.netcdf_zarr.write_netcdf", refuse)
    with pytest.raises(OutputError, match="no"):
        write_product(made_product(), tmp_path / "p")
    assert not (tmp_path / "p").exists()
