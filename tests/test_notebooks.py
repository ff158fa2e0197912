"""Notebooks run from top to bottom on nothing but the project, and are kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
PICTURES = {
    "01_first_look": 4,
    "02_swath_to_map": 6,
    "03_edge_and_extent": 4,
    "04_choose_and_train": 3,
    "05_compare": 2,
    "06_your_own_data": 1,
}
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """A folder without products, where all notebooks of this module make what they want."""
    return tmp_path_factory.mktemp("products")


def test_all_are_here():
    assert {path.stem for path in NOTEBOOKS} == set(PICTURES)


@each
def test_a_notebook_is_kept_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.cell_type == "markdown" or not (cell.outputs or cell.execution_count)


@each
def test_a_notebook_begins_with_what_will_be_seen(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert "You will see" in first.source


@pytest.mark.slow
@each
def test_a_notebook_runs_from_top_to_bottom(path, products, monkeypatch):
    monkeypatch.setenv("SEAICE_PRODUCTS", str(products))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == PICTURES[path.stem]
