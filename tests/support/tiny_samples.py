"""A made-up training set: smooth fields, a coast, gaps, and every sentinel."""

import numpy as np
import zarr

SIDE = 16


def write(path, samples: int = 3, side: int = SIDE, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    fine_y, fine_x = np.mgrid[: 4 * side, : 4 * side] / (4 * side)
    phases = random.random(samples)[:, None, None]
    sic = 0.5 + 0.5 * np.sin(6 * fine_x + 4 * fine_y + 6 * phases)
    v = 180 + 60 * sic
    tb = np.stack([v - 45 + 35 * sic, v], axis=1)  # n 2 Y X
    coarse = tb.reshape(samples, 2, side, 4, side, 4).mean((3, 5))
    frames = np.repeat(coarse[:, None], 5, axis=1) + random.normal(
        0, 1, (samples, 5, 2, side, side)
    )
    low = np.repeat(coarse, 6, axis=1) - 20
    tb89 = counts(frames)
    tb89[:, :, :, 2:4, 2:5] = 65535
    tb89[0, 1] = 65535
    half = tb.reshape(samples, 2, 2 * side, 2, 2 * side, 2).mean((3, 5))
    tb89_half = counts(np.repeat(half[:, None], 5, axis=1))
    tb89_half[tb89.repeat(2, -2).repeat(2, -1) == 65535] = 65535
    tb89_half[:, :, :, 9, 11] = 65535  # no sample fell on this quarter
    truth_sic = np.round(200 * sic).astype(np.uint8)
    truth_sic[:, -6:, -9:] = 255
    notes = {"split": path.stem, "period": "made", "region": "made", "seed": seed}
    group = zarr.create_group(path, attributes=notes)
    arrays = {
        "tb89": tb89,
        "tb89_half": tb89_half,
        "low": counts(low),
        "truth_tb": counts(tb),
        "truth_sic": truth_sic,
    }
    for name, values in arrays.items():
        group.create_array(name, data=values, chunks=(1, *values.shape[1:]))


def counts(kelvin):
    return np.round(100 * kelvin).astype(np.uint16)
