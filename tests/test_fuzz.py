"""Whatever is done to a granule, it is refused with a reason or read as what is lawful."""

import shutil

import numpy as np
import pytest

from pipelines.research.faults.bad.granules import MUTATIONS, SECRET, unlawful
from pipelines.research.faults.fuzz import KINDS, answer
from tests.support.granules import make_swath, write_l1b


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    return write_l1b(tmp_path_factory.mktemp("granule"), make_swath(scans=64))


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_mutated_granule_is_refused_or_lawful(what, granule, tmp_path):
    for number in range(3):
        path = tmp_path / granule.name
        shutil.copy(granule, path)
        MUTATIONS[what](path, np.random.default_rng(number))
        response = answer(path)
        assert response.split()[0] in ("refused", "read"), response


@pytest.mark.parametrize(
    "what",
    ["links to another file", "storage in another file", "a virtual dataset of another file"],
)
def test_another_file_is_never_read(what, granule, tmp_path):
    path = tmp_path / granule.name
    shutil.copy(granule, path)
    MUTATIONS[what](path, np.random.default_rng(0))
    assert answer(path).startswith("refused")


def test_the_judge_knows_what_is_unlawful():
    swath = make_swath(scans=4)
    assert unlawful(swath) == ""
    assert "latitude" in unlawful(swath.assign(latitude=swath["latitude"] + 200))
    assert "another file" in unlawful(swath.assign(tb89h=swath["tb89h"] * 0 + SECRET))
    assert "tb89v" in unlawful(swath.assign(tb89v=swath["tb89v"] * 0 + 655.35))


OTHERS = [
    (kind, what) for kind in ("settings", "weights", "references") for what in KINDS[kind].mutations
]


@pytest.fixture(scope="module")
def goods(tmp_path_factory):
    result = {kind: KINDS[kind].good(tmp_path_factory.mktemp(kind)) for kind, _ in OTHERS}
    return {kind: good if isinstance(good, tuple) else (good,) for kind, good in result.items()}


def test_good_files_are_read(goods):
    for kind, paths in goods.items():
        assert [answer(path, KINDS[kind].read) for path in paths] == ["read"] * len(paths)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "what"), OTHERS)
def test_a_mutated_file_is_refused_or_lawful(kind, what, goods, tmp_path):
    for number in range(2):
        for good in goods[kind]:
            path = tmp_path / str(number) / good.name
            path.parent.mkdir(exist_ok=True)
            shutil.copy(good, path)
            KINDS[kind].mutations[what](path, np.random.default_rng(number))
            response = answer(path, KINDS[kind].read)
            assert response.split()[0] in ("refused", "read"), (number, response)


def test_a_map_whose_cells_lie_nowhere_is_refused(goods, tmp_path):
    import h5py

    for good in goods["references"][:2]:
        path = tmp_path / good.name
        shutil.copy(good, path)
        with h5py.File(path, "a") as file:
            axis = next(name for name in file if name[0] == "x")
            file[axis][...] = np.nan
        assert answer(path, KINDS["references"].read).startswith("refused")
