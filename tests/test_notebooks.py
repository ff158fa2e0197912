"""The notebook runs from top to bottom on a product made here, and is kept without outputs."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from products import made_product

from seaice.write.names import product_name
from seaice.write.product import write_product

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture
def products(tmp_path):
    """A folder with one product and the daily map it was made from."""
    product = made_product(side=(80, 80))
    coarse = product[["tb89h", "tb89v"]].coarsen(x=4, y=4).mean()
    coarse.to_zarr(tmp_path / "stages/grid.zarr", zarr_format=3, consolidated=False)
    product.attrs["provenance"] = json.dumps(
        {
            "networks": {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}},
            "frames": [{"date": "2020-03-03", "source": "2020-03-03", "substituted": False}],
            "granules": {"2020-03-03": [{"name": "made", "sha256": "0"}]},
            "stages": {"grid": "stages/grid.zarr"},
            "warnings": ["made, not observed"],
        }
    )
    write_product(product, tmp_path / product_name("north", "all", "2020-03-03"), ["zarr"])
    return tmp_path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, products, monkeypatch):
    monkeypatch.setenv("SEAICE_PRODUCTS", str(products))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.cell_type == "markdown" or not (cell.outputs or cell.execution_count)
