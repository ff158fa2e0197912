"""Many days: the same bytes as one by one, harm kept out, damage found and mended."""

import json
import os
import shutil
from datetime import timedelta

import pytest

from seaice.config import RunSettings, Settings
from seaice.errors import GranuleError, StorageError
from seaice.files import sha256
from seaice.io.granules import find_granules
from seaice.workflow.day import run_day
from seaice.workflow.plan import plan
from seaice.workflow.season import quarantine
from seaice.workflow.season.inventory import Inventory
from seaice.workflow.season.quarantine import list_quarantined, quarantine_reader
from seaice.workflow.season.reprocess import plan_reprocessing, reprocess
from seaice.workflow.season.status import list_statuses, log_event, read_log
from seaice.workflow.season.verify import list_product_damages
from seaice.workflow.season.watch import Watcher
from seaice.workflow.stages import silent
from tests.support.days import DAY, REGION, write_day

PLACE = "north_box_-130_80_-124_81"


@pytest.fixture(scope="module", autouse=True)
def one_commit():
    """Products name the commit; another may come while the tests run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seaice.product.provenance.commit", lambda: None)
        yield


def settings(granules, out):
    run = {"granules": granules, "out": out, "region": REGION}
    methods = {"sr": {"name": "bicubic"}, "sic": {"name": "asi"}}
    return Settings.from_table({"run": run, "write": {"formats": ["zarr"]}} | methods)


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    """Six days: two can be mapped from all five of theirs, and the last lacks a neighbour."""
    folder = tmp_path_factory.mktemp("granules")
    for n in range(-2, 4):
        write_day(folder, DAY + timedelta(days=n))
    return folder


def everything(out):
    """The hashes of products and seasons."""
    kept = [path for path in out.glob("seaice_sic_*") for path in path.rglob("*")]
    return {path.relative_to(out): sha256(path) for path in kept if path.is_file()}


@pytest.fixture(scope="module")
def client():
    from distributed import Client

    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as client:
        yield client


@pytest.fixture(scope="module")
def finished(granules, client, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    ended = []

    def told(outcome, done, total):
        ended.append((outcome.day, outcome.state, done, total))

    last = DAY + timedelta(days=5)
    counts = reprocess([settings(granules, out)], DAY, last, client, told)
    assert dict(counts) == {"final": 2, "provisional": 2, "missing": 2}
    assert [each[2:] for each in ended] == [(n, 6) for n in range(1, 7)]
    return out


@pytest.mark.slow
def test_many_days_are_each_day_made_alone(granules, finished, tmp_path):
    alone = settings(granules, tmp_path)
    run = alone.run.model_copy(update={"date": DAY})
    planned = plan(alone.model_copy(update={"run": run}))
    run_day(planned, silent)
    result = everything(tmp_path)
    assert result
    assert result == {name: everything(finished)[name] for name in result}


@pytest.mark.slow
def test_what_is_finished_is_left_alone(granules, finished, client, monkeypatch):
    before = everything(finished)
    monkeypatch.setattr("seaice.io.readers.open_hdf5", lambda path: pytest.fail("read again"))
    counts = reprocess(
        [settings(granules, finished)], DAY, DAY + timedelta(days=1), client, lambda *told: None
    )
    assert dict(counts) == {"final": 2}
    assert everything(finished) == before
    assert not [*finished.rglob(".*.part"), *finished.rglob(".*.lock")]


@pytest.mark.slow
def test_status_tells_every_day_and_why(finished):
    told = {status.day: status for status in list_statuses(finished)}
    assert [told[str(DAY + timedelta(days=n))].state for n in range(6)] == [
        "final", "final", "provisional", "provisional", "missing", "missing",
    ]  # fmt: skip
    late = told[str(DAY + timedelta(days=2))]
    assert late.absent == (str(DAY + timedelta(days=4)),)
    assert late.absent[0] in late.why


@pytest.mark.slow
def test_damage_is_found_named_and_mended_to_the_same_bytes(finished, tmp_path):
    from seaice.workflow.season.repair import repair_product

    out = tmp_path / "out"
    shutil.copytree(finished, out, symlinks=True)
    assert [*list_product_damages(out)] == []
    before = everything(out)
    chunk = next(out.glob("*20200303*/*.zarr/sic/c/0/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    season = next(out.glob("*.zarr/.days/2020-03-04_*/tb89h/c/63/0/0"))
    season.write_bytes(b"")
    result = [*list_product_damages(out)]
    assert [str(damage.day) for damage in result] == ["2020-03-03", "2020-03-04"]
    assert "sic/c/0/0/0 is not what was written" in result[0].problems[0]
    assert [repair_product(out, damage, None).state for damage in result] == ["repaired"] * 2
    assert [*list_product_damages(out)] == []
    assert everything(out) == before


def test_an_inventory_finds_what_a_look_into_the_folder_finds(granules):
    result = Inventory.of(RunSettings(granules=granules))
    for n in range(-4, 6):
        day = DAY + timedelta(days=n)
        assert list(result.granules(day)) == find_granules(granules, day)
    assert result.days() == [DAY + timedelta(days=n) for n in range(-2, 4)]


def test_a_refused_granule_is_left_alone_until_it_changes(tmp_path):
    granule = tmp_path / "GW1AM2_202003031000_035A_L1SGBTBR_2220220.h5"
    granule.write_bytes(b"no HDF5")
    hashes = {granule: sha256(granule)}
    with pytest.raises(GranuleError) as first:
        quarantine_reader(tmp_path, hashes)(granule)
    (entry,) = list_quarantined(tmp_path)
    assert (entry["name"], entry["sha256"]) == (granule.name, hashes[granule])
    with pytest.raises(GranuleError) as again:
        quarantine_reader(tmp_path, hashes, lambda path: pytest.fail("read again"))(granule)
    assert str(again.value) == str(first.value)
    granule.write_bytes(b"another file")
    read = quarantine_reader(tmp_path, {granule: sha256(granule)}, lambda path: "a swath")
    assert read(granule) == "a swath"


def test_a_refused_granule_is_read_again_by_another_version_of_the_reader(tmp_path, monkeypatch):
    granule = tmp_path / "GW1AM2_202003031000_035A_L1SGBTBR_2220220.h5"
    granule.write_bytes(b"no HDF5")
    hashes = {granule: sha256(granule)}
    with pytest.raises(GranuleError):
        quarantine_reader(tmp_path, hashes)(granule)
    versions = {**quarantine.VERSIONS, "read": quarantine.VERSIONS["read"] + 1}
    monkeypatch.setattr(quarantine, "VERSIONS", versions)
    assert quarantine_reader(tmp_path, hashes, lambda path: "a swath")(granule) == "a swath"


def test_a_granule_that_is_still_coming_is_not_held_to_be_bad(tmp_path):
    granule = tmp_path / "granule.h5"
    granule.write_bytes(b"half")
    hashes = {granule: sha256(granule)}
    granule.write_bytes(b"half and half")
    with pytest.raises(StorageError, match="changed"):
        quarantine_reader(tmp_path, hashes)(granule)
    assert list_quarantined(tmp_path) == []


def test_a_granule_that_ended_its_reader_is_tried_apart_first(tmp_path, monkeypatch):
    granule = tmp_path / "granule.h5"
    granule.write_bytes(b"deadly")
    hashes = {granule: sha256(granule)}
    child = os.fork()
    if child == 0:
        quarantine_reader(tmp_path, hashes, lambda path: os.kill(os.getpid(), 9))(granule)
    os.waitpid(child, 0)
    tries = []
    monkeypatch.setattr(quarantine, "validate_in_subprocess", tries.append)
    for _ in range(2):
        assert quarantine_reader(tmp_path, hashes, lambda path: "a swath")(granule) == "a swath"
    assert tries == [granule]  # acquitted, it is trusted again
    assert [path.name for path in (tmp_path / "quarantine").iterdir()] == []


def test_what_would_be_made_is_told_and_no_granule_is_read(tmp_path):
    for n in range(-2, 3):
        name = f"GW1AM2_{DAY + timedelta(days=n):%Y%m%d}1000_035A_L1SGBTBR_2220220.h5"
        (tmp_path / name).write_bytes(b"no granule")
    before = sorted(tmp_path.rglob("*"))
    runs = [settings(tmp_path, tmp_path / "out")]
    first, second, third, fourth = plan_reprocessing(runs, DAY, DAY + timedelta(days=3))
    assert [day.state for day in (first, second, third, fourth)] == [
        *["to be made"] * 3,
        "without granules",
    ]
    assert (first.absent, second.absent) == ((), (str(DAY + timedelta(days=3)),))
    assert [first.granules, fourth.granules, first.place] == [1, 0, PLACE]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_what_is_finished_is_foretold_and_in_the_catalogue(granules, finished):
    runs = [settings(granules, finished)]
    days = list(plan_reprocessing(runs, DAY, DAY + timedelta(days=4)))
    assert [day.state for day in days] == [*["finished"] * 4, "without granules"]
    links = json.loads((finished / "collection.json").read_text())["links"]
    items = [link["href"] for link in links if link["rel"] == "item"]
    assert len(items) == 4
    assert all((finished / item).exists() for item in items)
    assert [*list_product_damages(finished)] == []
    assert {status.state for status in list_statuses(finished)} == {
        "final",
        "provisional",
        "missing",
    }


def test_a_product_that_the_catalogue_names_and_that_is_gone_is_damage(tmp_path):
    names = [f"seaice_sic_{PLACE}_{DAY + timedelta(days=n):%Y%m%d}_v1.0" for n in range(2)]
    links = [{"rel": "item", "href": f"./{name}/stac.json"} for name in names]
    (tmp_path / "collection.json").write_text(json.dumps({"links": links}))
    (tmp_path / names[0]).mkdir()
    result = {damage.what: damage for damage in list_product_damages(tmp_path)}
    assert (result[names[1]].place, result[names[1]].day) == (PLACE, DAY + timedelta(days=1))
    assert "gone" in result[names[1]].problems[0]
    assert "manifest" in result[names[0]].problems[0]
    (tmp_path / "collection.json").write_text("{")
    assert [damage.what for damage in list_product_damages(tmp_path)] == names[:1]


@pytest.mark.slow
def test_local_workers_work_and_keep_no_profile_of_themselves():
    from seaice.workflow.season.cluster import ClusterSettings, connected

    with connected(ClusterSettings(workers=1)) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        kept = client.run(lambda dask_worker: "profile" in dask_worker.periodic_callbacks)
        assert [*kept.values()] == [False]


def test_a_log_is_lines_of_json_and_a_cut_one_is_passed_over(tmp_path):
    log_event(tmp_path, "north", DAY, "made", state="final", seconds=1.5)
    path = tmp_path / "log" / "north" / f"{DAY}.jsonl"
    path.write_text(path.read_text() + '{"event": "cu\n')
    log_event(tmp_path, "north", DAY, "looked", state="final")
    assert [told["event"] for told in read_log(path)] == ["made", "looked"]
    assert json.loads(path.read_text().splitlines()[0])["seconds"] == 1.5


def test_a_watcher_waits_until_a_file_is_complete_and_takes_up_what_changed(tmp_path):
    watcher = Watcher(runs=[settings(tmp_path, tmp_path / "out")])

    def changed():
        result = [*watcher.changed(RunSettings(granules=tmp_path))]
        watcher.made_of |= {(job.place, str(job.day)): of for job, of in result}
        return [job.day for job, _ in result]

    def arrives(day, content):
        name = f"GW1AM2_{day:%Y%m%d}1000_035A_L1SGBTBR_2220220.h5"
        (tmp_path / name).write_bytes(content)

    arrives(DAY, b"half")
    assert changed() == []
    arrives(DAY, b"half and half")
    assert changed() == []  # it grew
    assert changed() == [DAY]
    assert changed() == []
    arrives(DAY + timedelta(days=2), b"new")
    assert changed() == []
    assert changed() == [DAY, DAY + timedelta(days=2)]  # the first day sees two days ahead


def test_pruning_keeps_what_tomorrow_needs(tmp_path):
    from seaice.workflow.season.repair import prune

    for stage in ("grid", "refine"):
        for n in range(10):
            folder = tmp_path / "stages" / stage / f"{DAY + timedelta(days=n)}_{n:016x}"
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"x" * 10)
    (tmp_path / "stages" / "hashes").mkdir()
    (tmp_path / "stages" / "hashes" / f"{DAY}.json").write_text("{}")
    told = prune(tmp_path)
    assert (told.stages, told.bytes) == (10, 100)
    left = sorted(path.name[:10] for path in (tmp_path / "stages" / "grid").iterdir())
    assert left == [str(DAY + timedelta(days=n)) for n in range(5, 10)]
    assert (tmp_path / "stages" / "hashes" / f"{DAY}.json").exists()
    assert prune(tmp_path).stages == 0
    assert prune(tmp_path / "nothing").stages == 0
