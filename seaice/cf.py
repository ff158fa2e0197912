"""CF vocabulary: standard name, unit, long name and valid range of every variable.

Every stage takes the attributes of its output from this table, so that no other module repeats a
unit or a standard name.
"""

from types import MappingProxyType
from typing import NamedTuple

from seaice.instrument import CHANNELS, HIGH_CHANNELS

__all__ = ["VOCABULARY", "Quantity", "attrs"]


class Quantity(NamedTuple):
    """CF attributes of a variable name."""

    standard_name: str | None
    units: str | None  #: None for flags
    long_name: str
    valid_range: tuple[float, float]


TB_RANGE = (50.0, 350.0)  #: K; brightness temperatures outside are not measurements


def _channel(name: str) -> Quantity:
    polarization = {"v": "vertical", "h": "horizontal"}[name[-1]]
    return Quantity(
        "toa_brightness_temperature",
        "K",
        f"brightness temperature, {name[2:-1]} GHz, {polarization} polarization",
        TB_RANGE,
    )


def _deviation(part: str) -> Quantity:
    return Quantity(
        "sea_ice_area_fraction standard_error",
        "1",
        f"sea-ice concentration, one standard deviation, {part}",
        (0.0, 1.0),
    )


VOCABULARY = MappingProxyType(
    {
        **{name: _channel(name) for name in CHANNELS},
        **{
            f"{name}_quarter": _channel(name)._replace(
                long_name=f"{_channel(name).long_name}, on the four quarters of each cell"
            )
            for name in HIGH_CHANNELS
        },
        "pd": Quantity(
            "toa_brightness_temperature",
            "K",
            "polarization difference at 89 GHz, vertical minus horizontal",
            (-10.0, 120.0),
        ),
        "sic": Quantity("sea_ice_area_fraction", "1", "sea-ice concentration", (0.0, 1.0)),
        "sic_raw": Quantity(
            "sea_ice_area_fraction",
            "1",
            "sea-ice concentration before filters, corrections and gap filling",
            (0.0, 1.0),
        ),
        "sic_uncertainty": _deviation("total"),
        "sic_uncertainty_95": Quantity(
            "sea_ice_area_fraction standard_error",
            "1",
            "sea-ice concentration, half-width that holds 95 % of errors",
            (0.0, 1.0),
        ),
        "sic_algorithm_uncertainty": _deviation("of the algorithm and the instrument"),
        "sic_smearing_uncertainty": _deviation("for footprints larger than a cell"),
        "status_flag": Quantity("status_flag", None, "why a cell has its value", (0, 65535)),
        "n_obs": Quantity(
            "number_of_observations",
            "1",
            "89 GHz samples that contributed to the cell",
            (0, 65535),
        ),
        "real_frames": Quantity(
            "status_flag",
            None,
            "days around the date that were observed in the cell: bits 1, 2, 4, 8, 16 for two "
            "days before to two days after",
            (0, 31),
        ),
        "obs_time": Quantity("time", "1", "mean time of the observations of the cell", (0, 2**62)),
        "spread": Quantity(
            None,
            "K",
            "weighted standard deviation of the samples behind the cell's tb89v",
            (0, 150),
        ),
        "ice_kind": Quantity(
            None, "1", "kind of ice: 0 open water, 1 cold, 2 thin, 3 melting", (0, 3)
        ),
        "vapour": Quantity(
            "atmosphere_mass_content_of_water_vapor",
            "kg m-2",
            "water vapour in the air",
            (0.0, 80.0),
        ),
        "liquid": Quantity(
            "atmosphere_mass_content_of_cloud_liquid_water",
            "kg m-2",
            "cloud liquid water",
            (0.0, 5.0),
        ),
        "latitude": Quantity("latitude", "degrees_north", "latitude", (-90.0, 90.0)),
        "longitude": Quantity("longitude", "degrees_east", "longitude", (-180.0, 180.0)),
        "land_fraction": Quantity(
            "land_area_fraction", "1", "share of land in the footprint", (0.0, 1.0)
        ),
    }
)


def attrs(name: str) -> dict[str, object]:
    """CF attributes for a variable of this name.

    >>> attrs("tb89v")["units"]
    'K'
    >>> "standard_name" in attrs("spread"), "units" in attrs("status_flag")  # CF has none
    (False, False)
    """
    attributes = VOCABULARY[name]._asdict()
    if name == "obs_time":  # xarray encodes units and range of times itself
        return {"standard_name": "time", "long_name": attributes["long_name"]}
    return {key: value for key, value in attributes.items() if value is not None}
