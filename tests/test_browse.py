"""The page of products: what is served, what is refused, and what a click is told."""

import json
import threading
import urllib.error
import urllib.request
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from seaice.browse.export import export, tiles_of
from seaice.browse.index import shelf
from seaice.browse.server import PAGE, server
from seaice.browse.tiles import ABSENT, SIDE, deepest, tile
from seaice.cli import app
from seaice.errors import NoInputError, UnknownNameError
from seaice.grid.grid import grid_of
from seaice.product.cell import cell_at
from seaice.product.folder import write_product
from seaice.product.geotiff import to_percent
from seaice.product.netcdf_zarr import round_values
from seaice.product.provenance import provenance
from seaice.product.style import LAND, colour_of
from tests.support.products import made_product

DATES = ("2020-03-03", "2020-03-04", "2020-03-05")


def written(out, date):
    product = made_product("north", side=(80, 100), date=date)
    inputs = {
        "region": "all",
        "networks": {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}},
    }
    told = provenance(product, inputs=inputs, settings={}, warnings=["made, not observed"])
    product.attrs["provenance"] = json.dumps(told)
    folder = out / f"seaice_sic_north_{date.replace('-', '')}_v0.1"
    write_product(product, folder, ("geotiff", "geopackage", "zarr"))
    return round_values(product)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, {f"seaice_sic_north_{d.replace('-', '')}_v0.1": written(out, d) for d in DATES}


@pytest.fixture(scope="module")
def address(made):
    serving = server(shelf([made[0]]), 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


def got(address, path, **headers):
    with urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", headers=headers)) as a:
        return a.read(), a.headers


def refused(address, path, **headers):
    with pytest.raises(urllib.error.HTTPError) as caught:
        got(address, path, **headers)
    return caught.value.code


def picture(content):
    return np.asarray(Image.open(BytesIO(content)))


def test_the_page_and_all_it_needs_are_served_and_nothing_is_fetched_from_elsewhere(address):
    for name, kind in PAGE.items():
        content, headers = got(address, name)
        assert headers["Content-Type"] == kind
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        if name in ("index.html", "browse.js", "browse.css"):
            text = content.decode().replace("http://www.w3.org/2000/svg", "")  # a name, no place
            assert "http" not in text
    assert got(address, "")[0] == got(address, "index.html")[0]


def test_the_index_tells_of_every_product(address, made):
    index = json.loads(got(address, "index.json")[0])
    assert [product["date"] for product in index["products"]] == list(DATES)
    assert {product["methods"] for product in index["products"]} == {"bicubic + asi"}
    assert index["layers"]["concentration"]["table"][40] == list(colour_of(40))
    assert index["meanings"]["2"].startswith("land lies within")


@pytest.mark.parametrize("name", ["sic", "flags", "tb"])
def test_tiles_of_the_finest_level_are_the_product(address, made, name):
    product_name, product = next(iter(made[1].items()))
    rows, columns = product["sic"].shape
    top = deepest((rows, columns))
    whole = np.zeros((SIDE * 2**top, SIDE * 2**top, 3), int)
    for kind, level, column, row in tiles_of((rows, columns)):
        if (kind, level) == (name, top):
            content, _ = got(address, f"tiles/{product_name}/{kind}/{level}/{column}/{row}.png")
            here = slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE)
            whole[here] = picture(content)
    whole = whole[:rows, :columns]
    if name == "sic":
        np.testing.assert_array_equal(whole[..., 0], to_percent(product))
    elif name == "flags":
        bits = whole[..., 0] + 256 * whole[..., 1]
        np.testing.assert_array_equal(bits, product["status_flag"])
    else:
        np.testing.assert_allclose(whole[..., 0] + 50, product["tb89h"], atol=0.51)
        np.testing.assert_allclose(whole[..., 2] / 2, product["pd"], atol=0.26)


def test_absence_stays_absence_on_every_level(made):
    out, products = made
    name, product = next(iter(products.items()))
    shape = product["sic"].shape
    for level in range(deepest(shape) + 1):
        told = picture(tile(out / name / name, "sic", level, 0, 0))
        step = 2 ** (deepest(shape) - level)
        rows, columns = -(-shape[0] // step), -(-shape[1] // step)
        beyond = np.ones((SIDE, SIDE), bool)
        beyond[:rows, :columns] = False
        assert (told[beyond] == ABSENT).all()
        assert set(np.unique(told[..., 0])) <= {*range(101), LAND, ABSENT}


def test_a_click_is_told_what_the_product_knows(address, made):
    name, product = next(iter(made[1].items()))
    row, column = 60, 40
    told = json.loads(got(address, f"cell/{name}.json?row={row}&column={column}")[0])
    longitude, latitude = (angle[row, column] for angle in grid_of(product).lonlat())
    cell = cell_at(product, longitude, latitude)
    assert told["reasons"] == cell.reasons
    assert told["values"]["sic"] == pytest.approx(cell.values["sic"])
    assert (told["longitude"], told["latitude"]) == pytest.approx((longitude, latitude))
    assert json.loads(got(address, f"cell/{name}.json?row=9999&column=0")[0]) == {}
    assert json.loads(got(address, f"cell/{name}.json?row=x")[0]) == {}


@pytest.mark.parametrize(
    "path",
    [
        "../pyproject.toml",
        "%2e%2e/%2e%2e/etc/passwd",
        "tiles/../sic/0/0/0.png",
        "tiles/nothing/sic/0/0/0.png",
        "tiles/{name}/sic/0/9/9.png",
        "tiles/{name}/sic/40/0/0.png",
        "lines/{name}/../../x.json",
        "{name}/{name}.json",
        "server.py",
    ],
)
def test_nothing_else_is_served(address, made, path):
    name = next(iter(made[1]))
    assert refused(address, path.format(name=name)) == 404


def test_pages_of_other_hosts_are_turned_away(address):
    assert refused(address, "index.json", Host="evil.example") == 403


def test_an_unknown_kind_of_tile_is_explained(address, made):
    name = next(iter(made[1]))
    with pytest.raises(UnknownNameError, match="one of sic, flags, tb"):
        tile(made[0] / name / name, "rgb", 0, 0, 0)
    assert b"one of sic" in got(address, f"tiles/{name}/rgb/0/0/0.png")[0]


def test_a_static_copy_holds_what_the_server_says(address, made, tmp_path):
    out, _products = made
    steps = []
    number = export(shelf([out]), tmp_path / "site", lambda *told: steps.append(told))
    files = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    assert number == len(files)
    assert steps[-1][0] == steps[-1][1]
    for path in files:
        name = path.relative_to(tmp_path / "site").as_posix()
        assert path.read_bytes() == got(address, name)[0], name


def test_folders_without_products_are_explained(tmp_path):
    with pytest.raises(NoInputError, match="no product with GeoTIFFs"):
        shelf([tmp_path])
    told = CliRunner().invoke(app, ["browse", str(tmp_path)])
    assert told.exit_code == 2


def test_two_folders_of_the_same_day_stand_side_by_side(made):
    out, products = made
    both = shelf([out, out])
    assert len(both.folders) == 2 * len(products)
