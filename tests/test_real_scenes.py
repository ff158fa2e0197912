"""Scenes with charts: reading them, scores against the chart, and training samples from them."""

import csv
import os
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError
from seaice.evaluate.scenes import (
    CLASSES,
    DISTANCES,
    SMOOTHED,
    CellErrors,
    cell_errors,
    open_scenes,
    scene_scores,
    smoothed,
)
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation import real_scenes
from seaice.workflow.evaluation.real_scenes import evaluate_scenes, real_scene_scores, table_text
from seaice.workflow.training.scene_samples import tiles_of, write_scene_samples
from tests.support.synthetic_scenes import CELL, COLUMNS, ROWS, half_ice, scene_of

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
REAL = SHARED / "real"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same scene four times, its chart in each of the layouts that are read."""
    place = tmp_path_factory.mktemp("scenes")
    sic = half_ice()
    known = np.ones(sic.shape)
    known[:4] = 0
    percent = (("y", "x"), 100 * sic)
    inside = scene_of(sic).assign(sic_chart=percent, sic_uncertainty=(("y", "x"), 10 + 0 * sic))
    inside.to_netcdf(place / "a_inside.nc", engine="h5netcdf")
    scene_of(sic).to_netcdf(place / "amsr2_beside.nc", engine="h5netcdf")
    neighbours = xr.Dataset({"sic": percent, "known": (("y", "x"), known)})
    neighbours.to_netcdf(place / "chart_beside.nc", engine="h5netcdf")
    scene_of(sic).to_netcdf(place / "scene_raster.nc", engine="h5netcdf")
    shape = {"height": ROWS, "width": COLUMNS, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(place / "chart_raster.tif", "w", driver="GTiff", **shape) as raster:
        raster.write(np.round(100 * sic).astype(np.uint8), 1)
    tenths = np.where(known > 0, np.round(10 * sic), 255).astype(np.uint8)
    unplaced = scene_of(sic, with_positions=False).assign(SIC=(("y", "x"), tenths))
    unplaced["SIC"].encoding["_FillValue"] = np.uint8(255)
    unplaced.to_netcdf(place / "z_unplaced.nc", engine="h5netcdf")
    return place


@pytest.fixture(scope="module")
def scenes(folder):
    return {scene.name: scene for scene in open_scenes(folder)}


def test_charts_are_found_in_every_layout(scenes):
    assert list(scenes) == ["a_inside", "amsr2_beside", "scene_raster", "z_unplaced"]
    assert np.allclose(scenes["a_inside"].chart, half_ice())
    assert np.isnan(scenes["amsr2_beside"].chart[:4]).all()
    assert np.allclose(scenes["scene_raster"].chart, half_ice(), atol=0.006)
    assert np.nanmax(np.abs(scenes["z_unplaced"].chart - half_ice())) < 0.051
    assert scenes["a_inside"].cell == pytest.approx(CELL, rel=0.02)
    assert scenes["z_unplaced"].cell == pytest.approx(CELL)


def test_what_the_chart_of_an_unplaced_scene_does_not_know_is_land(scenes):
    scene = scenes["z_unplaced"]
    land = scene.on_native(scene.land.astype(float))
    assert (land[:4] > 0.5).all()
    assert not land[8:].any()
    assert scene.land_distance[60].mean() == pytest.approx((60 - 4) * CELL, abs=3)


def test_a_chart_carried_to_the_refined_grid_and_back_is_itself(scenes):
    scene = scenes["a_inside"]
    fine = scene.chart_on_fine(scene.chart)
    back = scene.on_native(fine)
    assert np.nanmax(np.abs(back - scene.chart)) <= 1 / 20 + 1e-9  # one native cell of the ramp
    scores = scene_scores(scene, fine)
    assert scores["rmse"] < 3
    assert abs(scores["bias"]) < 0.2
    assert scores["false_ice"] == 0


def test_scores_are_those_of_numpy(scenes):
    scene = scenes["a_inside"]
    flat = np.full(scene.land.shape, 0.5)
    widths = np.full(flat.shape, 0.2), np.full(flat.shape, 0.46)
    scores = scene_scores(scene, flat, widths)
    error = 0.5 - half_ice()
    assert scores["cells"] == error.size
    assert scores["rmse"] == pytest.approx(100 * np.sqrt((error**2).mean()))
    assert scores["mae"] == pytest.approx(100 * np.abs(error).mean())
    assert scores["bias"] == pytest.approx(100 * error.mean())
    assert scores["false_ice"] == 100
    middle = (half_ice() >= 0.05) & (half_ice() <= 0.95)
    assert scores["within_68"] == pytest.approx(100 * (np.abs(error) <= 0.2)[middle].mean())
    assert scores["within_95"] == 100
    classes = sum(scores[f"cells_chart_{k}"] for k in range(5))
    assert classes == scores["cells"]


def test_smoothing_keeps_constants_and_ignores_what_is_not_valid():
    rng = np.random.default_rng(0)
    valid = rng.random((40, 50)) < 0.7
    field = np.where(valid, 3.0, 1e6)
    assert np.allclose(smoothed(field, valid, 5)[valid], 3)
    noise = rng.normal(size=(40, 50))
    assert np.nanstd(smoothed(noise, valid, 5)) < 0.4 * noise.std()


def test_scores_of_several_scenes_are_pooled_by_cells():
    def constant(cells, error):
        values = np.full(cells, error)
        return CellErrors(
            chart=0 * values,
            error=values,
            smooth={km: values for km in SMOOTHED},
            ice=values > 1,
            land_distance=0 * values,
            within=None,
        )

    total = CellErrors.joined([constant(100, 0.03), constant(300, 0.05)]).scores()
    assert total["mae"] == pytest.approx(4.5)
    assert total["rmse"] == pytest.approx(np.sqrt((9 * 100 + 25 * 300) / 400))


def test_scores_of_several_scenes_are_those_of_all_their_cells(scenes):
    """RMSE of classes, coverage and means over squares too, with NumPy on all errors at once."""
    chosen = [scenes["a_inside"], scenes["amsr2_beside"]]
    maps = [
        np.full(scene.land.shape, value) for scene, value in zip(chosen, (0.4, 0.9), strict=True)
    ]
    widths = [(np.full(m.shape, 0.3), np.full(m.shape, 0.5)) for m in maps]
    parts = [cell_errors(*each) for each in zip(chosen, maps, widths, strict=True)]
    scores = CellErrors.joined(parts).scores()
    chart = np.concatenate([scene.chart[np.isfinite(scene.chart)] for scene in chosen])
    value = np.concatenate(
        [np.full(np.isfinite(c.chart).sum(), v) for c, v in zip(chosen, (0.4, 0.9), strict=True)]
    )
    error = 100 * (value - chart)
    assert scores["cells"] == error.size
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    for number, (low, high) in enumerate(pairwise(CLASSES)):
        here = (chart >= low) & (chart < high)
        assert scores[f"cells_chart_{number}"] == here.sum()
        assert scores[f"mae_chart_{number}"] == pytest.approx(np.abs(error[here]).mean())
    near = np.concatenate([s.land_distance[np.isfinite(s.chart)] for s in chosen])
    for number, (low, high) in enumerate(pairwise(DISTANCES)):
        assert scores[f"cells_land_{number}"] == ((near >= low) & (near < high)).sum()
    partial = (chart >= 0.05) & (chart <= 0.95)
    assert scores["cells_within"] == partial.sum()
    assert scores["within_68"] == pytest.approx(100 * (np.abs(error) <= 30)[partial].mean())
    assert scores["within_95"] == pytest.approx(100 * (np.abs(error) <= 50)[partial].mean())
    assert scores["rmse"] > scores["rmse_25km"]
    alone = CellErrors.joined([parts[0], cell_errors(chosen[1], maps[1])]).scores()
    assert "within_68" not in alone


def test_all_methods_are_compared_on_the_same_cells(folder, monkeypatch):
    """One method has no value on the left half: the other is not scored there either."""

    def with_a_hole(scene, methods, networks):
        first, second = (np.full(scene.land.shape, 0.5, np.float32) for _ in range(2))
        second[:, : second.shape[1] // 2] = np.nan
        return {"one": (first, None), "two": (second, None)}

    monkeypatch.setattr(real_scenes, "retrieve_scene", with_a_hole)
    labels = [SimpleNamespace(label="one"), SimpleNamespace(label="two")]
    monkeypatch.setattr(real_scenes, "ways", lambda methods, notes: labels)
    table = real_scene_scores(folder, [])
    assert table["one"] == table["two"]
    whole = np.isfinite(open_scenes(folder)[0].chart).sum()
    assert 0 < table["one"]["a_inside"]["cells"] < whole


def test_the_report_has_every_table(folder, tmp_path):
    names = []
    table = evaluate_scenes(folder, ["bicubic:bootstrap"], tmp_path / "out", report=names.append)
    assert names == ["a_inside", "amsr2_beside", "scene_raster", "z_unplaced"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html", "report.md", "real_scenes.csv"
    }  # fmt: skip
    text = (tmp_path / "out" / "report.md").read_text()
    for title in ("By size of cells", "By concentration of the chart", "By distance to land",
                  "intervals", "By scene"):  # fmt: skip
        assert title in text
    row = table["bicubic + bootstrap"]["all"]
    for name in ("rmse", "mae_25km", "bias_chart_4", "mae_land_0", "false_ice", "within_95"):
        if np.isfinite(row.get(name, np.nan)):  # no cell of the scenes is in some of the groups
            assert f"| {row[name]:.2f} |" in text
    header = (tmp_path / "out" / "real_scenes.csv").read_text().splitlines()[0].split(",")
    assert {"rmse_5km", "rmse_chart_2", "bias_land_3", "within_68"} <= set(header)


def test_formulas_score_well_where_brightness_is_linear_in_concentration(folder, tmp_path):
    table = real_scene_scores(folder, ["bicubic:bootstrap"], tmp_path / "notes.json")
    rows = table["bicubic + bootstrap"]
    assert rows["a_inside"]["rmse"] < 12
    assert rows["all"]["cells"] == sum(rows[name]["cells"] for name in rows if name != "all")


def test_a_folder_without_charted_scenes_is_refused(tmp_path):
    with pytest.raises(NoInputError, match="no scene with a chart"):
        open_scenes(tmp_path)
    with pytest.raises(NoInputError, match="no folder"):
        open_scenes(tmp_path / "absent")


def test_scenes_become_samples_that_training_reads(folder, scenes, tmp_path):
    counted = list(write_scene_samples(folder, tmp_path / "train.zarr", side=32))
    samples = SampleSet.of(tmp_path, "train")
    assert counted[-1][0] == len(samples) >= 4
    window = samples.whole(0)
    truth, land = samples.truth_sic(window), samples.land(window)
    assert np.isfinite(truth).any()
    assert not land.any()
    unknown = np.isnan(truth)
    assert unknown.any()  # beyond the scene the chart knows nothing, and that is not land
    weights = samples.weight(window)
    assert weights[np.isfinite(truth)].min() == pytest.approx(0.5, abs=0.01)  # 10 % uncertainty
    assert np.allclose(samples.tb89(window)[0], samples.tb89(window)[4], equal_nan=True)


def test_tiles_cover_a_scene(scenes):
    tiles = tiles_of(scenes["a_inside"], 32)
    charted = sum((tile["truth_sic"] != 255).sum() for tile in tiles)
    known = np.isfinite(scenes["a_inside"].chart_on_fine(scenes["a_inside"].chart)).sum()
    assert charted >= known
    assert torch.from_numpy(tiles[0]["tb89"].astype(np.int32)).shape == (5, 2, 32, 32)


def test_the_command_line_makes_samples_and_says_what_it_would_score(folder, tmp_path):
    store = tmp_path / "train.zarr"
    result = CliRunner().invoke(app, ["samples", "--scenes", str(folder), "-o", str(store)])
    assert result.exit_code == 0, result.output
    assert "a_inside: " in result.output
    assert len(SampleSet.of(tmp_path, "train")) >= 4
    asked = ["evaluate", "--scenes", str(folder), "--dry-run", "--out", str(tmp_path / "report")]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "bicubic:bootstrap" in told.output
    assert not (tmp_path / "report").exists()
    both = CliRunner().invoke(app, [*asked, "--worlds", "2"])
    assert both.exit_code != 0


def test_scores_as_csv_are_the_scores():
    table = {"a + b": {"one": {"rmse": 1.5, "mae": 0.5}, "all": {"rmse": 1.5}}}
    header, one, total = table_text(table, ",").splitlines()
    assert header == "method,scene,rmse,mae"
    assert one == "a + b,one,1.5000,0.5000"
    assert total == "a + b,all,1.5000,"
    assert "1.50" in table_text(table)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="no real scenes beside the project")
def test_the_default_beats_bootstrap_on_the_development_scenes(tmp_path):
    """Franz Josef Land and two coasts of East Greenland, as `seaice evaluate --scenes` does it."""
    asked = ["evaluate", "--scenes", str(REAL), "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    with (tmp_path / "report" / "real_scenes.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = {
        (row["method"], row["scene"]): {
            name: float(value) for name, value in list(row.items())[2:] if value
        }
        for row in rows
    }
    assert len({scene for _, scene in table}) == 4  # three scenes, and all cells
    default = table["bicubic_3km + xception_aspp", "all"]
    for formula in ("bootstrap", "asi", "nasa_team"):
        other = table[f"bicubic + {formula}", "all"]
        assert other["cells"] == default["cells"] > 40_000
        assert default["rmse"] < 0.95 * other["rmse"]
        assert default["mae"] < 0.8 * other["mae"]
    bootstrap = table["bicubic + bootstrap", "all"]
    assert default["rmse"] < 0.8 * bootstrap["rmse"]
    assert default["mae"] < 0.8 * bootstrap["mae"]
    island = table["bicubic_3km + xception_aspp", "amsr2_scene_20190823_franz_josef_land"]
    assert island["false_ice"] < 1
    for size in ("", "_5km", "_10km", "_25km"):
        assert default[f"rmse{size}"] < bootstrap[f"rmse{size}"]
    assert sum(default[f"cells_chart_{k}"] for k in range(5)) == default["cells"]
    assert sum(default[f"cells_land_{k}"] for k in range(4)) == default["cells"]
    assert 0 < default["within_68"] < default["within_95"] < 100
