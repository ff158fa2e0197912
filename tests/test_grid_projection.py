"""The compiled projection agrees with pyproj."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from seaice.errors import UnknownNameError
from seaice.grid.projection import PROJECTIONS, polar_stereographic, project, project_point

# 4326 to Hughes needs no datum shift in PROJ: the coordinates are taken as they are
ORACLES = {crs: Transformer.from_crs("EPSG:4326", crs, always_xy=True) for crs in PROJECTIONS}
planes = st.sampled_from(list(PROJECTIONS))
# 0.01 mm from the pole longitude has no meaning; the pole itself has its own test
latitudes = st.floats(0, 89.999999)
longitudes = st.floats(-180, 360)


@given(planes, latitudes, longitudes)
def test_it_agrees_with_pyproj_to_a_tenth_of_a_millimetre(crs, latitude, longitude):
    latitude *= PROJECTIONS[crs].pole
    expected = ORACLES[crs].transform(longitude, latitude)
    np.testing.assert_allclose(project(latitude, longitude, crs), expected, atol=1e-4)


@pytest.mark.parametrize("crs", PROJECTIONS)
def test_the_pole_is_the_origin(crs):
    pole = 90.0 * PROJECTIONS[crs].pole
    np.testing.assert_allclose(project(pole, 17.0, crs), (0, 0), atol=1e-6)


@given(planes, st.floats(-89, -0.001), longitudes)
def test_points_beyond_the_equator_are_nan(crs, latitude, longitude):
    assert np.isnan(project(latitude * PROJECTIONS[crs].pole, longitude, crs)).all()


def test_missing_positions_stay_missing():
    assert np.isnan(project([np.nan, 80.0], [0.0, np.nan], "EPSG:3411")[0]).all()


@given(planes, st.floats(30, 89.9), longitudes)
def test_the_scale_is_plane_length_over_ground_length(crs, latitude, longitude):
    plane = polar_stereographic(crs)
    a, b = latitude * plane.pole, (latitude + 0.001) * plane.pole
    x, y = project([a, b], longitude, crs)
    hughes = Geod(a=6378273.0, rf=298.279411123064)
    ground = hughes.inv(longitude, a, longitude, b)[2]
    assert np.hypot(*np.diff([x, y])) / ground == pytest.approx(
        project_point(a, longitude, plane)[2], rel=1e-4
    )


def test_another_crs_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="EPSG:3411"):
        project(80.0, 0.0, "EPSG:6931")
