"""A product folder is all there or not at all, and says what it holds."""

import json
from datetime import date

import numpy as np
import pytest
from matplotlib.image import imread
from products import made_product

from seaice.errors import OutputError
from seaice.write.product import made_in, product_name, write_product
from seaice.write.provenance import frames_of, provenance
from seaice.write.style import LAND_COLOUR

NAME = "seaice_sic_north_20200303_v0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("products") / "20200303"
    write_product(made_product(), place)
    return place


def test_a_product_lists_exactly_what_it_holds(folder):
    made = made_in(folder)
    assert {file.name for file in made} == {path.name for path in folder.iterdir()}
    assert made[0].name == f"{NAME}.tif"
    assert all(file.size > 0 and file.says for file in made)
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
    assert [file.name for file in made_in(tmp_path / "p")] == [f"{NAME}.png", f"{NAME}.json"]
    (tmp_path / "p" / f"{NAME}.png").unlink()
    assert made_in(tmp_path / "p") == []
    assert made_in(tmp_path / "nowhere") == []


def test_a_writer_that_fails_leaves_the_earlier_product(tmp_path):
    place = tmp_path / "p"
    write_product(made_product(), place, formats=["geotiff"])
    before = made_in(place)
    broken = made_product().drop_vars("sic_uncertainty")
    with pytest.raises(KeyError):
        write_product(broken, place)
    assert made_in(place) == before
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_product(made_product(), tmp_path / "file" / "p", formats=["geotiff"])


def test_names_tell_products_apart():
    names = {
        product_name(hemisphere, region, day)
        for hemisphere in ("north", "south")
        for region in ("all", "svalbard")
        for day in ("2020-03-03", "2020-03-04")
    }
    assert len(names) == 8


def test_provenance_tells_which_frame_stood_where():
    document = provenance(
        made_product(),
        inputs={"frames": frames_of({date(2020, 3, 3)}, date(2020, 3, 3))},
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
