"""The STAC catalogue, read and validated by pystac; projects of many days of one region."""

import json

import numpy as np
import pystac
import pytest
import shapely
import xarray as xr
from pystac.validation.local_validator import LocalValidator

from seaice.grid.grid import grid_of
from seaice.product.folder import STAC_ITEM, write_product
from seaice.product.provenance import provenance
from seaice.workflow.catalogue import PLAYED, update_catalogue
from tests.support.products import made_product

PLACES = (("north", "2020-03-03"), ("north", "2020-03-05"), ("south", "2020-03-03"))


def written(out, hemisphere, date, formats=("geotiff", "geopackage", "zarr")):
    product = made_product(hemisphere, date=date)
    product.attrs["provenance"] = json.dumps(
        provenance(product, inputs={"region": "all"}, settings={}, warnings=())
    )
    folder = out / f"seaice_sic_{hemisphere}_{date.replace('-', '')}_v0.1"
    write_product(product, folder, formats)
    return product, folder


@pytest.fixture(scope="module")
def catalogue_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    products = [written(out, *place)[0] for place in PLACES]
    return out, products, update_catalogue(out)


def test_the_collection_and_its_items_are_lawful_stac(catalogue_folder):
    out, _, _ = catalogue_folder
    validator = LocalValidator()
    collection = pystac.Collection.from_file(str(out / "collection.json"))
    assert not list(validator.collection_validator().iter_errors(collection.to_dict()))
    items = list(collection.get_items())
    assert len(items) == len(PLACES)
    for item in items:
        assert not list(validator.item_validator().iter_errors(item.to_dict()))


def test_every_asset_exists_and_opens(catalogue_folder):
    out, products, _ = catalogue_folder
    for item, product in zip(_items(out), products, strict=True):
        for asset in item.get_assets().values():
            assert asset.media_type
            path = asset.get_absolute_href()
            assert path
            assert (out / item.id / asset.href.removeprefix("./")).exists()
        (store,) = (a for n, a in item.get_assets().items() if n.endswith(".zarr"))
        with xr.open_zarr(store.get_absolute_href()) as opened:
            np.testing.assert_allclose(opened["sic"][0], product["sic"], atol=2**-14)


def _items(out):
    items = pystac.Collection.from_file(str(out / "collection.json")).get_items()
    return sorted(items, key=lambda item: item.id)


def test_items_have_geometry_and_time(catalogue_folder):
    out, products, _ = catalogue_folder
    for item, product in zip(_items(out), products, strict=True):
        grid = grid_of(product)
        longitude, latitude = grid.lonlat()
        points = shapely.points(longitude[::20, ::20], latitude[::20, ::20])
        outline = shapely.geometry.shape(item.geometry).buffer(0.05)
        assert shapely.contains(outline, points).all()
        assert str(item.datetime.date()) == product.date
        assert item.properties["proj:code"] == product.crs
        assert item.properties["proj:shape"] == list(grid.shape)


def test_one_project_a_place_holds_its_days(catalogue_folder):
    _, _, paths = catalogue_folder
    assert {path.name for path in paths} == {
        "collection.json",
        "seaice_sic_north.qgz",
        "seaice_sic_south.qgz",
    }
    assert PLAYED > 2


def test_a_catalogue_is_reproducible(catalogue_folder):
    out, _, paths = catalogue_folder
    before = {path: path.read_bytes() for path in paths}
    assert update_catalogue(out) == paths
    assert {path: path.read_bytes() for path in paths} == before


def test_without_products_nothing_is_written(tmp_path):
    assert update_catalogue(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_product_lists_its_stac_item(catalogue_folder):
    out, _, _ = catalogue_folder
    for folder in out.glob("seaice_sic_*_v0.1"):
        assert f"{STAC_ITEM}\n" in (folder / f"{folder.name}.sha256").read_text()
