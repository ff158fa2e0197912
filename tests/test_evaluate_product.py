"""A product against a reference: the report says what independent arithmetic says."""

import csv
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from seaice.cli import app
from seaice.product.folder import write_product
from tests.support.maps import half_plane, write_bremen, write_truth
from tests.support.products import made_product


def evaluated(*told):
    return CliRunner().invoke(app, ["evaluate", *map(str, told)])


def scores(folder):
    """Records of scores.csv by (cell, group, metric), all of one method."""
    with (folder / "scores.csv").open() as file:
        return {
            (float(line["cell_km"]), line["by"], line["group"], line["metric"]): line
            for line in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A product, its truth with noise and a shift of 10 km in it, and their report."""
    folder = tmp_path_factory.mktemp("evaluated")
    product = made_product()
    write_product(product, folder / "product", ("zarr",))
    random = np.random.default_rng(0)
    truth = np.clip(product["sic"].values + random.normal(0, 0.05, product["sic"].shape), 0, 1)
    left, top = float(product["x"][0]) - 781.25, float(product["y"][0]) + 781.25
    write_truth(folder / "truth_20200303.nc", truth, left, top, 1562.5)
    result = evaluated(folder / "product", folder / "truth_20200303.nc", "--out", folder / "report")
    assert result.exit_code == 0, result.output
    return folder, product["sic"].values, truth


def test_scores_are_those_of_plain_arithmetic_at_every_cell_size(compared):
    folder, sic, truth = compared
    result = scores(folder / "report")
    for cell, factor in ((1.5625, 1), (3.125, 2), (6.25, 4), (12.5, 8)):
        blocks = [
            values.reshape(sic.shape[0] // factor, factor, sic.shape[1] // factor, factor)
            for values in (sic, truth)
        ]
        known = np.isfinite(blocks[0]).mean((1, 3)) >= 0.5
        ours, theirs = (np.nansum(block, (1, 3)) for block in blocks)
        count = np.isfinite(blocks[0]).sum((1, 3)).clip(1)
        ours, theirs = ours / count, theirs / count
        rmse = 100 * np.sqrt(np.mean((ours - theirs)[known] ** 2))
        line = result[cell, "all", "all", "rmse"]
        assert float(line["value"]) == pytest.approx(rmse, rel=1e-4)
        assert int(float(line["cells"])) == known.sum()
        assert float(line["low"]) < rmse < float(line["high"])


def test_the_report_needs_no_other_file_and_says_when_and_how(compared):
    folder, *_ = compared
    html = (folder / "report" / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for words in ("estimate minus reference -0.5 hours", "bootstrap", "15 %", "squares of 100 km"):
        assert words in html, words
    assert "That is long" not in html


def test_markdown_has_whole_tables_and_its_pictures_beside_it(compared):
    folder, *_ = compared
    text = (folder / "report" / "report.md").read_text()
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1
    pictures = re.findall(r"\((\w+\.png)\)", text)
    assert {"maps.png", "classes.png", "uncertainty.png"} <= set(pictures)
    assert all((folder / "report" / name).stat().st_size > 10_000 for name in pictures)
    assert re.search(r"RMSE, %.*\n.*\n\| cells of 1\.5625 km \| [\d,]+ \| \d\.\d\d \(", text)


def test_a_coarser_reference_of_another_day_is_compared_on_its_cells_with_a_warning(
    compared, tmp_path
):
    folder, *_ = compared
    reference = tmp_path / "asi-AMSR2-n6250-20200301-v5.4.nc"
    write_bremen(reference, half_plane(30, (80, 100)), -800_000.0, 2_000_000.0)
    out = tmp_path / "report"
    result = evaluated(folder / "product", reference, "--out", out)
    assert result.exit_code == 0, result.output
    assert {key[0] for key in scores(out)} == {6.25, 12.5}
    text = (out / "report.md").read_text()
    assert "estimate minus reference +47.5 hours" in text
    assert "That is long" in text


def test_one_map_alone_and_absent_files_are_refused_in_three_parts(compared, tmp_path):
    folder, *_ = compared
    for told in ((folder / "product",), (folder / "product", tmp_path / "absent.nc")):
        result = evaluated(*told, "--out", tmp_path / "report")
        assert result.exit_code == 2
        assert "Do next: " in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "report").exists()
