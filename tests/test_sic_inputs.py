"""What lies on the daily map is laid under the refined one: bilinear between what was observed."""

import numpy as np
import torch

from seaice.models.inputs import SIC_NORMALIZATION, assemble_sic_input, new_sic_card


def by_definition(coarse, pair):
    """Each refined cell from the four nearest coarse ones that are there, in double precision."""
    rows, columns = coarse.shape
    told = np.zeros((4 * rows, 4 * columns))
    for row, column in np.ndindex(told.shape):
        if np.isnan(coarse[row // 4, column // 4]):
            continue
        y, x = (np.clip((at + 0.5) / 4 - 0.5, 0, None) for at in (row, column))
        total = weights = 0.0
        for i in (int(y), min(int(y) + 1, rows - 1)):
            for j in (int(x), min(int(x) + 1, columns - 1)):
                down = 1 - abs(y - int(y)) if i == int(y) else y - int(y)
                across = 1 - abs(x - int(x)) if j == int(x) else x - int(x)
                if not np.isnan(coarse[i, j]):
                    total += down * across * (coarse[i, j] - pair[0]) / pair[1]
                    weights += down * across
        told[row, column] = total / weights
    return told


def test_every_channel_stands_in_its_place_as_defined():
    random = np.random.default_rng(0)
    channels = ("land_6", "tb89v", "tb18v", "valid", "tb36h", "land", "pd", "pd_1_after")
    card = new_sic_card("xception_aspp", {"outputs": 2}, channels)
    refined = torch.from_numpy(random.normal(220, 20, (2, 20, 28)).astype(np.float32))
    refined[:, 3:5, 7:9] = torch.nan
    names = ("land_6", "tb18v", "tb36h")  # pd_1_after is absent altogether
    maps = {name: random.normal(220, 20, (5, 7)).astype(np.float32) for name in names}
    maps["tb18v"][random.random((5, 7)) < 0.3] = np.nan
    land = torch.from_numpy(random.random((20, 28)) < 0.4)
    coarse = {name: torch.from_numpy(values) for name, values in maps.items()}
    planes = assemble_sic_input(refined, coarse, land, card)
    assert planes.dtype == torch.float32
    for name, values in maps.items():
        expected = by_definition(values, SIC_NORMALIZATION[name])
        result = planes[channels.index(name)].numpy()
        np.testing.assert_allclose(result, expected, atol=1e-4)
    assert not planes[channels.index("pd_1_after")].any()
    assert torch.equal(planes[channels.index("land")].bool(), land)
    observed = torch.isfinite(refined[0])
    assert torch.equal(planes[channels.index("valid")].bool(), observed)
    assert not planes[channels.index("tb89v")][~observed].any()
    expected = ((refined[1] - 200) / 100)[observed]
    assert torch.equal(planes[channels.index("tb89v")][observed], expected)
    twice = {name: torch.stack([values, values]) for name, values in coarse.items()}
    batch = assemble_sic_input(torch.stack([refined] * 2), twice, torch.stack([land] * 2), card)
    assert torch.equal(batch, torch.stack([planes] * 2))
