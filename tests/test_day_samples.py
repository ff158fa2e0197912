"""Days of granules with charts as samples: here simulated granules, and their truth as a chart."""

from datetime import date

import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from affine import Affine
from typer.testing import CliRunner

from seaice.cli import app
from seaice.config import RunSettings
from seaice.errors import NoInputError
from seaice.grid.masks import land_mask
from seaice.simulate.days import simulate_days, truth_path
from seaice.train.samples import SampleSet
from seaice.workflow.plan import ground
from seaice.workflow.training.scene_samples import write_day_samples

REGION = "10,79,24,82"
DAY = date(2018, 4, 28)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Granules of one day, its truth as a GeoTIFF with 5 % uncertainty, and a chart without day."""
    place = tmp_path_factory.mktemp("days")
    (place / "granules").mkdir()
    (place / "charts").mkdir()
    grid = ground(RunSettings(region=REGION))
    simulate_days(DAY, DAY, grid, 5, place / "granules", lambda done, steps: None)
    with xr.open_dataset(truth_path(place / "granules", DAY)) as truth:
        sic = truth["sic"].values.squeeze()
        x, y = truth["x"].values, truth["y"].values
    cell = float(x[1] - x[0])
    profile = {
        "driver": "GTiff",
        "height": sic.shape[0],
        "width": sic.shape[1],
        "count": 2,
        "dtype": "float32",
        "crs": grid.crs,
        "transform": Affine.translation(x[0] - cell / 2, y[0] + cell / 2)
        @ Affine.scale(cell, -cell),
        "nodata": np.nan,
    }
    for name in ("chart_20180428.tif", "chart_20180811.tif"):
        with rasterio.open(place / "charts" / name, "w", **profile) as raster:
            raster.write(np.stack([sic, np.full(sic.shape, 0.05)]).astype(np.float32))
    return place, sic


@pytest.mark.slow
def test_a_day_with_a_chart_becomes_samples(folder, tmp_path, caplog):
    place, truth = folder
    store = tmp_path / "train.zarr"
    result = list(
        write_day_samples(place / "granules", place / "charts", store, side=32, region=REGION)
    )
    assert [name for _, name in result] == ["chart_20180428"]
    assert "chart_20180811.tif: no samples of 2018-08-11" in caplog.text
    samples = SampleSet.open(store)
    assert len(samples) == result[-1][0] >= 4
    # the tile of the upper-left corner, as its own cells have it
    own, window = truth[:128, :128], samples.whole(0)
    known = np.isfinite(own)
    read = samples.truth_sic(window)
    assert np.array_equal(np.isfinite(read), known)
    assert np.abs(read - own)[known].max() <= 0.0026  # half percent steps
    land = land_mask(ground(RunSettings(region=REGION)).refine(4))[:128, :128]
    assert np.array_equal(samples.land(window), land)
    weights = samples.weight(window)[known]
    assert weights == pytest.approx(1 / (1 + 0.5**2), abs=1 / 255)
    frames = samples.tb89(window)
    assert np.isfinite(frames[2]).mean() > 0.9
    ice = frames[2, 1, 2:-2, 2:-2] - frames[2, 0, 2:-2, 2:-2]
    coarse = own.reshape(32, 4, 32, 4)
    mean = np.where(np.isfinite(coarse).all((1, 3)), coarse.mean((1, 3)), np.nan)[2:-2, 2:-2]
    both = np.isfinite(ice) & np.isfinite(mean)
    assert mean[both].std() > 0.1
    # V - H falls with concentration: inputs and chart of a tile are of the same place
    assert np.corrcoef(ice[both], mean[both])[0, 1] < -0.6
    assert zarr.open_group(store, mode="r").attrs["scenes"] == ["chart_20180428"]


@pytest.mark.slow
def test_the_command_takes_granules(folder, tmp_path):
    place, _ = folder
    words = ["samples", "--granules", str(place / "granules"), "--charts", str(place / "charts")]
    words += ["--region", REGION, "-o", str(tmp_path / "train.zarr")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "chart_20180428: " in result.output
    assert len(SampleSet.open(tmp_path / "train.zarr")) >= 1


def test_what_is_missing_is_said(tmp_path):
    run = CliRunner()
    out = ["-o", str(tmp_path / "train.zarr")]
    for words in ([], ["--granules", "a"], ["--scenes", "a", "--granules", "b", "--charts", "c"]):
        refused = run.invoke(app, ["samples", *words, *out])
        assert refused.exit_code == 2, words
        assert "--charts" in refused.output
    (tmp_path / "charts").mkdir()
    with pytest.raises(NoInputError, match="no folder"):
        list(write_day_samples(tmp_path / "absent", tmp_path / "charts", tmp_path / "t.zarr"))
    with pytest.raises(NoInputError, match="charts cover none"):
        list(write_day_samples(tmp_path, tmp_path / "charts", tmp_path / "t.zarr"))
    assert not (tmp_path / "t.zarr").exists()
