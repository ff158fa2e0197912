"""What a report says of its figures and scores, the same in every report."""

from seaice.evaluate.bootstrap import DRAWS
from seaice.evaluate.scores import METRICS

__all__ = ["CLASSES_SAY", "DOUBT_SAYS", "MAPS_SAY", "SPECTRA_SAY", "definitions"]

MAPS_SAY = (
    "Concentration of the reference and the estimate, and estimate minus reference: red where "
    "the estimate has too much ice, blue where it has too little. Sand: land, or not told by both."
)
CLASSES_SAY = (
    "Errors where the reference lies in each class of concentration, with 95 % intervals; below, "
    "how many cells there are. The middle classes hold few cells and most of the doubt, which one "
    "overall number hides. Bias in the lowest class can only be positive, in the highest negative."
)
DOUBT_SAYS = (
    "Share of cells whose reference lies within the half-widths told for 68 and 95 % of them; the "
    "grey bands are 68 +- 3 % and 95 +- 2 %, where an honest uncertainty lies. Cells within "
    "half a percent of 0 or 1 are left out: there a filter or a clamp has decided, most are "
    "exactly right, and any half-width holds them. Left by class of "
    "the reference, which is not known to anybody who has only the map; in the middle by class of "
    "the estimate, which is what a user sees. Right: error found against error told; on the line "
    "the uncertainty is right, below it is too large, above too small. Bins of fewer than 30 cells "
    "are not drawn."
)
SPECTRA_SAY = (
    "Above: power by wavelength; an estimate below the black line is smoother than the reference, "
    "above it noisier. Below: squared coherence |S_er|^2 / (S_e S_r), the share of power at that "
    "wavelength which follows the reference. Where it falls below 1/2 (black line) lies the "
    "half-power wavelength of the tables: finer structure in the map is more invention than fact."
)


def definitions(units: str) -> tuple[str, ...]:
    """How scores and their intervals are defined.

    Parameters
    ----------
    units : what the bootstrap draws, for instance "whole worlds"
    """
    told = "; ".join(
        f"{metric.label}: {metric.says}"
        for name, metric in METRICS.items()
        if name
        in ("rmse", "mae", "bias", "std", "false_ice", "lost_ice", "edge_error", "extent_error")
    )
    return (
        f"{told[0].upper()}{told[1:]}. Only cells that both maps know count; where maps differ in "
        "cell size, means over the larger cells are compared, and cells of which less than half is "
        "known are left out.",
        "The ice edge is made of cells of 15 % or more with water at one of their four sides; land "
        "and gaps make no edge. The distance is taken from each edge cell to the nearest edge cell "
        "of the other map, in both directions. The mean of the two directions' means counts every "
        "lone patch of a few cells that one map has and the other has not, at its distance from "
        "the main edge; the median of all distances does not, so it tells where the main edge is. "
        "A map without any edge has no distance to one, and counts in neither.",
        f"In brackets: 95 % intervals from {DRAWS} bootstrap draws of {units}, with a fixed seed. "
        "Neighbouring cells err together, so cells are never drawn one by one. An interval tells "
        "how much the score would change with other units of the same kind; it does not tell of "
        "errors in the reference.",
    )
