"""Real observations in, the small tables of `data/` out. Run by hand when the sources change.

    python -m seaice.simulate.derive RRDP.nc OSISAF.nc

`RRDP.nc`: AMSR2 samples over known open water and closed ice with reanalysis weather (Round Robin
Data Package, doi 10.6084/m9.figshare.6626549). `OSISAF.nc`: OSI SAF OSI-450-a daily concentration
of one year, Copyright EUMETSAT. Only derived statistics and a thinned, one-percent copy of the
concentration leave this module.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.instrument import CHANNELS
from seaice.simulate.emission import weather_terms

__all__ = ["derive_concentration", "derive_emission", "fitted_half"]

DATA = Path(__file__).parent / "data"
RRDP_BAND = {"6": "6p9", "7": "7p3", "10": "10p7", "18": "18p7", "23": "23p8", "36": "36p5"}
COMPONENTS = 6
#: Months of melting closed ice in the north: of July are wet snow, of August bare ice.
MELTING = {"wet snow": 7, "bare ice": 8}
QUANTILES = np.linspace(0.0, 1.0, 41)
FITTED_DAYS = 5  #: the tables are derived from every other period of so many days


def fitted_half(points: xr.Dataset) -> NDArray[np.bool_]:
    """Which samples the tables are derived from; the reality check judges by the others.

    Melting ice is derived from all: half of its 296 samples do not determine six components. Every
    other period of five days, counted from 1970: a granule, and the weather of a day, is in
    one half only.

    Parameters
    ----------
    points : samples with `time`

    Returns
    -------
    (sample,) bool
    """
    days = points.time.values.astype("datetime64[D]").astype(np.int64)
    return np.asarray(days // FITTED_DAYS % 2 == 0)


def _channels(points: xr.Dataset) -> NDArray[np.float64]:
    """(sample, channel) K in the order of `CHANNELS`."""
    names = [f"tb{RRDP_BAND.get(c[2:-1], '89p0')}{c[-1]}" for c in CHANNELS]
    return np.stack([points[name].values for name in names], axis=1).astype(float)


def _water(points: xr.Dataset) -> dict[str, object]:
    """Regression of open-water TB on weather, and how its residuals vary together."""
    water = points.isel(
        sample=(points.sic == 0)
        & (points.era_sst < 284)
        & (points.era_tcwv < 32)
        & (points.era_tclw < 0.8)
    )
    terms = weather_terms(
        water.era_tcwv.values, water.era_tclw.values, water.era_ws.values, water.era_sst.values
    )
    tb = _channels(water)
    coefficients, *_ = np.linalg.lstsq(terms, tb, rcond=None)
    residual = tb - terms @ coefficients
    keep = np.all(np.abs(residual) < 4 * residual.std(axis=0), axis=1)
    coefficients, *_ = np.linalg.lstsq(terms[keep], tb[keep], rcond=None)
    residual = tb[keep] - terms[keep] @ coefficients
    values, vectors = np.linalg.eigh(np.cov(residual.T))
    order = np.argsort(values)[::-1][:COMPONENTS]
    return {
        "coefficients": np.round(coefficients, 5).tolist(),
        "residual_factors": np.round(vectors[:, order] * np.sqrt(values[order]), 4).T.tolist(),
        "samples": int(keep.sum()),
    }


def _ice(points: xr.Dataset) -> dict[str, object]:
    """Principal components of closed-ice TB and the distribution of each score."""
    tb = _channels(points)
    mean = tb.mean(axis=0)
    _, _, axes = np.linalg.svd(tb - mean, full_matrices=False)
    scores = (tb - mean) @ axes[:COMPONENTS].T
    quantiles = np.quantile(scores, QUANTILES, axis=0)
    quantiles[0], quantiles[-1] = np.quantile(scores, [0.003, 0.997], axis=0)
    drawn = mean + _drawn(quantiles) @ axes[:COMPONENTS]
    v, h = CHANNELS.index("tb89v"), CHANNELS.index("tb89h")
    difference = [np.quantile(x[:, v] - x[:, h], QUANTILES) for x in (drawn, tb)]
    return {
        "mean": np.round(mean, 3).tolist(),
        "axes": np.round(axes[:COMPONENTS], 5).tolist(),
        "quantiles": np.round(quantiles, 3).tolist(),
        "difference": np.round(difference, 3).tolist(),
        "samples": int(tb.shape[0]),
    }


def _drawn(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores drawn from each component by itself, (draw, component), as the simulator does."""
    rng = np.random.default_rng(0)
    columns = [np.interp(rng.random(200_000), QUANTILES, column) for column in quantiles.T]
    return np.stack(columns, axis=1)


def derive_emission(rrdp: Path) -> None:
    """Write `data/emission.json` from the Round Robin Data Package samples."""
    every = xr.open_dataset(rrdp)
    points = every.isel(sample=fitted_half(every))
    closed = points.sic == 1
    melting = every.isel(sample=(every.sic == 1) & (every.hemisphere == "N"))
    table = {
        "source": "Round Robin Data Package, doi 10.6084/m9.figshare.6626549, derived statistics",
        "channels": list(CHANNELS),
        "water": _water(points),
        "ice": {
            "north": _ice(points.isel(sample=closed & (points.hemisphere == "N"))),
            "south": _ice(points.isel(sample=closed & (points.hemisphere == "S"))),
            **{
                kind: _ice(melting.isel(sample=melting.time.dt.month == month))
                for kind, month in MELTING.items()
            },
        },
    }
    (DATA / "emission.json").write_text(json.dumps(table) + "\n")


def derive_concentration(osisaf: Path) -> None:
    """Write `data/osisaf_north_2018.nc`: every fifth day in whole percent, 255 where unknown."""
    year = xr.open_dataset(osisaf).isel(time=slice(0, None, 5))
    percent = year.ice_conc.where((year.status_flag & 3) == 0)
    thin = xr.Dataset(
        {"ice_conc": percent.round().fillna(255).astype("uint8")},
        attrs={
            "source": "OSI SAF OSI-450-a, every fifth day of 2018, rounded to 1 %",
            "credit": "Copyright EUMETSAT",
            "crs": "EPSG:6931",
        },
    )
    encoding = {"ice_conc": {"zlib": True, "complevel": 9, "chunksizes": (1, 432, 432)}}
    thin.to_netcdf(DATA / "osisaf_north_2018.nc", encoding=encoding)


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    derive_emission(Path(sys.argv[1]))
    derive_concentration(Path(sys.argv[2]))
