"""Daily sea-ice concentration maps from AMSR2 swaths, four times finer than their usual grid.

    import seaice

    product = seaice.open_product("products/seaice_sic_north_20200303_v0.1")
    product.seaice.plot()
    print(product.seaice.at(30, 80))

`open_product` opens what the daily run made, `open_products` several days of it; `daily` makes it,
`read_swath` reads a granule.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "daily", "open_product", "open_products", "read_swath"]

#: Where each name is; imported when it is asked for, so that `import seaice` costs nothing.
_HOME = {
    "daily": "seaice.workflow.api",
    "open_product": "seaice.product.reader",
    "open_products": "seaice.product.reader",
    "read_swath": "seaice.io.readers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'seaice' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
