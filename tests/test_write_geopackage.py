"""Lines and polygons agree with the cells in value and position, and never follow a coast."""

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Geod, Proj, Transformer

from seaice.grid.grid import grid_of
from seaice.grid.projection import cell_areas
from seaice.product.vectors import CLASSES, ice_classes, ice_edge, write_geopackage
from seaice.retrieval.flags import Flag
from tests.support.products import made_product


def read(path, layer):
    """Attributes by name, geometries, and the layer's own facts."""
    facts, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
    return dict(zip(facts["fields"], fields, strict=True)), shapely.from_wkb(geometry), facts


@pytest.fixture(scope="module", params=["north", "south"])
def written(request, tmp_path_factory):
    product = made_product(request.param)
    path = tmp_path_factory.mktemp("vectors") / "map.gpkg"
    write_geopackage(product, path)
    return product, path


@pytest.fixture
def plain():
    """A map whose concentration falls evenly down its rows, without noise, with its island."""
    product = made_product()
    rows, _ = np.indices(product["sic"].shape)
    fall = (1 - (rows + 0.5) / rows.shape[0]).astype(np.float32)
    product["sic"].values[...] = np.where(np.isnan(product["sic"].values), np.nan, fall)
    return product


def test_all_layers_lie_on_the_plane_of_the_product(written):
    product, path = written
    layers = ["graticule", "ice_classes", "ice_edge"]
    assert sorted(name for name, _ in pyogrio.list_layers(path)) == layers
    left, bottom, right, top = grid_of(product).bounds
    corners = np.array([(left, right), (bottom, top)])
    places = Transformer.from_crs(product.attrs["crs"], "EPSG:4326").transform(*corners)
    for layer in layers:
        fields, shapes, facts = read(path, layer)
        plane = Transformer.from_crs(facts["crs"], "EPSG:4326")
        np.testing.assert_allclose(plane.transform(*corners), places, atol=1e-7)
        assert set(fields["date"]) == {"2020-03-03"}
        assert set(fields["status"]) == {"final"}
        assert shapely.is_valid(shapes).all()
        bounds = shapely.total_bounds(shapes)
        assert (bounds[:2] >= (left, bottom)).all()
        assert (bounds[2:] <= (right, top)).all()


def test_the_edge_is_the_15_percent_contour(plain):
    (line,) = ice_edge(plain)
    _, bottom, _, top = grid_of(plain).bounds
    x, y = shapely.get_coordinates(line).T
    np.testing.assert_allclose(y, bottom + 0.15 * (top - bottom), atol=1)
    assert (x.min(), x.max()) == (plain["x"][0], plain["x"][-1])


def test_the_edge_has_ice_on_its_right(plain):
    (line,) = ice_edge(plain)
    assert line.coords[0][0] > line.coords[-1][0]  # westwards, ice to the north


def test_the_edge_ends_at_a_coast_and_never_follows_it(plain):
    grid = grid_of(plain)
    flags, sic = plain["status_flag"].values, plain["sic"].values
    flags[128:150, 100:180] = Flag.LAND  # across the edge
    sic[flags == Flag.LAND] = np.nan
    lines = ice_edge(plain)
    assert len(lines) == 2
    land = [
        shapely.box(x - grid.cell / 2, y - grid.cell / 2, x + grid.cell / 2, y + grid.cell / 2)
        for row, column in np.argwhere(flags == Flag.LAND)
        for x, y in [grid.centre(row, column)]
    ]
    coast = shapely.union_all(land)
    for line in lines:
        assert line.distance(coast) >= grid.cell / 2 - 1e-6
        assert line.length < 101 * grid.cell


def test_an_edge_of_a_few_cells_is_left_out(plain):
    plain["sic"].values[150, 20] = 1.0
    assert len(ice_edge(plain)) == 1
    plain["sic"].values[148:154, 20:26] = 1.0
    assert len(ice_edge(plain)) == 2


def test_a_map_without_ice_or_without_sea_has_no_edge(tmp_path):
    product = made_product()
    sea = np.isfinite(product["sic"].values)
    product["sic"].values[sea] = 0.0
    write_geopackage(product, tmp_path / "water.gpkg")
    assert len(read(tmp_path / "water.gpkg", "ice_edge")[1]) == 0
    assert set(read(tmp_path / "water.gpkg", "ice_classes")[0]["tenths"]) == {"<1"}
    product["sic"].values[...] = np.nan
    write_geopackage(product, tmp_path / "land.gpkg")
    assert len(read(tmp_path / "land.gpkg", "ice_classes")[1]) == 0


def test_lengths_are_those_on_the_ground(written):
    product, path = written
    fields, lines, _ = read(path, "ice_edge")
    plane = Proj(product.attrs["crs"])
    geod = Geod(a=6378273.0, rf=298.279411123064)
    for length, line in zip(fields["length_km"], lines, strict=True):
        degrees = plane(*shapely.get_coordinates(line).T, inverse=True)
        _, _, metres = geod.inv(degrees[0][:-1], degrees[1][:-1], degrees[0][1:], degrees[1][1:])
        assert length == pytest.approx(np.sum(metres) / 1000)


def test_classes_follow_one_another_from_0_to_1():
    assert (CLASSES[0].lower, CLASSES[-1].upper) == (0, 1)
    assert [each.upper for each in CLASSES[:-1]] == [each.lower for each in CLASSES[1:]]


def test_the_cells_of_a_class_lie_in_its_polygons(written):
    """All but those that generalising moved: next to an outline, or in a patch of a few cells."""
    product, path = written
    fields, polygons, _ = read(path, "ice_classes")
    tree = shapely.STRtree(polygons)
    grid, sic = grid_of(product), product["sic"].values
    sea = np.argwhere(np.isfinite(sic))[::97]
    points = shapely.points([grid.centre(row, column) for row, column in sea])
    inside, polygon = tree.query(points, predicate="within")
    values = sic[tuple(sea[inside].T)]
    fits = (values >= fields["sic_from"][polygon] - 1e-6) & (
        values <= fields["sic_to"][polygon] + 1e-6
    )
    assert len(inside) >= 0.99 * len(sea)
    assert len(set(inside)) == len(inside)  # in one polygon only
    assert fits.mean() > 0.97
    land = np.argwhere(product["status_flag"].values == Flag.LAND)
    points = shapely.points([grid.centre(row, column) for row, column in land])
    assert tree.query(points, predicate="within").size == 0


def test_polygons_cover_the_sea_without_gap_or_overlap(written):
    product, path = written
    _, polygons, _ = read(path, "ice_classes")
    sea = np.isfinite(product["sic"].values)
    whole = shapely.union_all(polygons).area
    assert whole == pytest.approx(shapely.area(polygons).sum(), rel=1e-9)
    assert whole == pytest.approx(sea.sum() * grid_of(product).cell ** 2, rel=1e-9)


def test_areas_are_those_on_the_ground(written):
    product, path = written
    fields, polygons, _ = read(path, "ice_classes")
    sea = np.isfinite(product["sic"].values)
    total = cell_areas(grid_of(product))[sea].sum() * 1e-6
    assert fields["area_km2"].sum() == pytest.approx(total, rel=1e-9)
    plane, geod = Proj(product.attrs["crs"]), Geod(a=6378273.0, rf=298.279411123064)
    biggest = int(np.argmax(fields["area_km2"]))
    fine = shapely.segmentize(polygons[biggest], 5000)
    ground = shapely.transform(fine, lambda at: np.transpose(plane(*at.T, inverse=True)))
    area, _ = geod.geometry_area_perimeter(ground)
    assert fields["area_km2"][biggest] == pytest.approx(abs(area) * 1e-6, rel=0.01)


def test_a_small_patch_is_merged_with_its_neighbour(plain):
    before = len(ice_classes(plain).areas)
    plain["sic"].values[2:5, 100:105] = 0.0
    assert len(ice_classes(plain).areas) == before
    plain["sic"].values[2:6, 100:105] = 0.0
    assert len(ice_classes(plain).areas) == before + 1


def test_the_same_product_makes_the_same_bytes(written, tmp_path):
    product, path = written
    write_geopackage(product, tmp_path / "map.gpkg")
    assert (tmp_path / "map.gpkg").read_bytes() == path.read_bytes()
