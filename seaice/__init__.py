"""Daily sea-ice concentration maps from AMSR2 swaths, four times finer than their usual grid.

    import seaice

    product = seaice.open_product("products/seaice_sic_north_20200303_v0.1")
    product.seaice.plot()
    print(product.seaice.at(30, 80))

`open_product` opens a product of the daily run, `open_products` opens several days, `run_day` makes
one. The steps of a day by themselves: `read_swath` reads a granule, `grid_day` grids swaths,
`refine` super-resolves daily maps, `retrieve` estimates concentration. `create_model` and
`load_model` return models as PyTorch modules.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "create_model",
    "grid_day",
    "load_model",
    "open_product",
    "open_products",
    "read_swath",
    "refine",
    "retrieve",
    "run_day",
]

#: Module of each name; imported on first use, so that `import seaice` is fast.
_HOME = {
    "create_model": "seaice.models.registry",
    "grid_day": "seaice.grid.gridding",
    "load_model": "seaice.models.weights",
    "open_product": "seaice.product.reader",
    "open_products": "seaice.product.reader",
    "read_swath": "seaice.io.readers",
    "refine": "seaice.workflow.api",
    "retrieve": "seaice.workflow.api",
    "run_day": "seaice.workflow.api",
}


def __getattr__(name: str) -> Any:
    if name == "daily":
        raise AttributeError("seaice.daily was renamed: use seaice.run_day")
    if name not in _HOME:
        raise AttributeError(f"module 'seaice' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
