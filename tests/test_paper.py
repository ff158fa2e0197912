"""Figures for a paper: size, letters, what they hold; tables that LaTeX would take."""

import re

import numpy as np
import pytest
import rasterio
from matplotlib.image import imread
from typer.testing import CliRunner

from seaice.cli import app
from seaice.evaluate.fields.open import open_field
from seaice.evaluate.paper.figures import map_figure, scatter_figure
from seaice.evaluate.paper.page import INCHES, LETTERS, save, typeset
from seaice.evaluate.paper.tables import escaped, tabular
from seaice.evaluate.records import Record, read_csv, write_csv
from seaice.evaluate.scores import CLASS_LABELS
from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from seaice.product.style import LAND_COLOUR
from tests.support.products import made_product

DOTS = 600


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "seaice_sic_north_20200303_v0.1"
    write_product(made_product(), folder, ("zarr",))
    return folder


@pytest.fixture(scope="module")
def reference(product, tmp_path_factory):
    """The product with a tenth less ice, as a GeoTIFF."""
    result = made_product()
    grid, path = grid_of(result), tmp_path_factory.mktemp("reference") / "lower_20200303.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=grid.shape[0], width=grid.shape[1], count=1,
        dtype="float32", crs=grid.crs, transform=grid.transform, nodata=np.nan,
    ) as file:  # fmt: skip
        file.write(result["sic"].values * np.float32(0.9), 1)
    return path


@pytest.fixture
def scores(tmp_path):
    records = [
        Record(method, 1.5625, "all", by, group, metric, "%", value, value - 1, value + 1, 100.0, 9)
        for number, method in enumerate(("bicubic + asi", "pmdrnet + a_b"))
        for metric, value in (("rmse", 7.25 + number), ("mae", 2.5), ("bias", -0.125))
        for by, group in (("all", "all"), *(("reference", label) for label in CLASS_LABELS))
    ]
    write_csv(records, tmp_path / "scores.csv")
    return tmp_path / "scores.csv"


def figure(*words, code=0):
    answer = CliRunner().invoke(app, ["figure", *map(str, words)])
    assert answer.exit_code == code, answer.output
    return answer


@pytest.mark.parametrize("width", INCHES)
def test_a_map_is_as_wide_as_the_journal_asks_and_shows_land(product, tmp_path, width):
    figure("map", product, "-o", tmp_path / "map", "--width", width)
    picture = imread(tmp_path / "map.png")
    assert picture.shape[1] == pytest.approx(INCHES[width] * DOTS, abs=1)
    colours = np.rint(picture[..., :3].reshape(-1, 3) * 255).astype(int)
    assert (colours == LAND_COLOUR).all(axis=1).mean() > 0.02
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")


def test_letters_are_times_of_8_points(product):
    with typeset():
        drawn = map_figure([open_field(product)], "column")
    axes = drawn.axes[0]
    assert axes.xaxis.label.get_size() == 8
    assert axes.xaxis.label.get_fontname() in LETTERS
    assert axes.get_title() == ""
    assert axes.get_xlabel() == "x (km)"


def test_the_same_figure_is_the_same_file(product, tmp_path):
    for name in ("one", "two"):
        with typeset():
            save(map_figure([open_field(product)], "column"), tmp_path / name)
    for ending in (".pdf", ".png"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_a_scatter_tells_the_scores_that_numpy_finds(product, reference):
    ours, theirs = open_field(product), open_field(reference)
    drawn = scatter_figure(ours, theirs, "column")
    (text,) = (text.get_text() for text in drawn.axes[0].texts)
    error = 100 * (ours.sic.astype(float) - theirs.sic)
    error = error[np.isfinite(error)]
    told = dict(re.findall(r"(RMSE|MAE|bias) (-?[\d.]+)", text))
    assert float(told["RMSE"]) == pytest.approx(np.sqrt((error**2).mean()), abs=5e-3)
    assert float(told["MAE"]) == pytest.approx(np.abs(error).mean(), abs=5e-3)
    assert float(told["bias"]) == pytest.approx(error.mean(), abs=5e-3)
    assert f"{error.size:,}" in text


def test_the_scatter_verb_labels_its_axes(product, reference, tmp_path):
    words = ("--label", "this work", "--label", "lower", "-o", tmp_path / "s")
    figure("scatter", product, reference, *words)
    assert (tmp_path / "s.pdf").exists()
    told = figure("scatter", product, reference, "--label", "one", code=2)
    assert "repeat --label" in told.stderr


def test_classes_become_a_figure_and_tables(scores, tmp_path):
    figure("classes", scores, "-o", tmp_path / "c")
    classes = (tmp_path / "c_classes.tex").read_text()
    rows = [line for line in classes.splitlines() if line.endswith(r"\\")]
    assert rows[0] == r"Class & bicubic + asi & pmdrnet + a\_b \\"
    assert rows[1] == r"0-10 \% & 7.25 & 8.25 \\"
    assert len(rows) == 1 + len(CLASS_LABELS)
    overall = (tmp_path / "c_overall.tex").read_text()
    assert r"pmdrnet + a\_b, 1.5625 km & 8.25 & 2.50 & -0.12 \\" in overall
    assert (tmp_path / "c.pdf").exists()


def test_scores_come_back_as_they_were_written(scores, tmp_path):
    records = read_csv(scores)
    write_csv(records, tmp_path / "again.csv")
    assert read_csv(tmp_path / "again.csv") == records


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("classes", "absent.csv"), "scores.csv of an evaluation"),
        (("map", "absent"), "absent"),
        (("map", "absent", "--width", "poster"), "column or page"),
    ],
)
def test_mistakes_are_explained(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in figure(*words, code=2).stderr


def test_a_metric_that_is_not_there_is_explained(scores):
    assert "rmse, mae, bias or std" in figure("classes", scores, "--metric", "r2", code=2).stderr


def test_tables_are_lawful_latex():
    table = tabular(["a", "b_c"], [["x & y", "1 %"]])
    assert table.count(r"\begin{tabular}") == table.count(r"\end{tabular}") == 1
    assert r"x \& y & 1 \% \\" in table
    assert escaped("\\") == r"\textbackslash{}"
