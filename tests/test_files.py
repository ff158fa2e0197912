"""A reader sees the old file or the new one, whatever happens to the writer."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from hashlib import sha256 as reference

import pytest

from seaice.errors import OutputError
from seaice.files import (
    atomic_file,
    atomic_folder,
    ensure_writable,
    file_lock,
    sha256,
    sha256_of_all,
    swept,
)


def test_a_file_appears_whole_and_nothing_else_remains(tmp_path):
    with atomic_file(tmp_path / "map.tif") as part:
        part.write_text("new")
        assert part.name == "map.tif"  # libraries look at the suffix
        assert not (tmp_path / "map.tif").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_failed_writer_leaves_the_old_one(tmp_path, atomic):
    place = tmp_path / "product"
    with atomic(place) as part:
        (part if atomic is atomic_file else part / "a").write_text("old")

    def fail():
        with atomic(place) as part:
            (part if atomic is atomic_file else part / "a").write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (place if atomic is atomic_file else place / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_is_replaced_entirely(tmp_path):
    place = tmp_path / "product"
    for generation in ("old", "new"):
        with atomic_folder(place) as part:
            (part / generation).mkdir()
            (part / generation / "file").write_text(generation)
    assert [p.name for p in place.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [place]


def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_spared(tmp_path):
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from seaice.files import atomic_folder
        with atomic_folder(Path(sys.argv[1])) as part:
            (part / "half").write_text("half")
            print("writing", flush=True)
            time.sleep(60)
        """
    )
    place = tmp_path / "product"
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(place)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "writing\n"
    with atomic_folder(place) as part:
        (part / "whole").write_text("whole")
    assert len(list(tmp_path.glob(".product.*.part"))) == 1  # the living writer's
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert [p.name for p in place.iterdir()] == ["whole"]
    with atomic_folder(place) as part:
        (part / "whole").write_text("again")
    assert list(tmp_path.iterdir()) == [place]


ADD_SLOWLY = """
import sys, time
from pathlib import Path
from seaice.files import file_lock
count = Path(sys.argv[1])
for _ in range(30):
    with file_lock(count):
        number = int(count.read_text())
        time.sleep(0.001)
        count.write_text(str(number + 1))
"""


def test_who_works_alone_is_not_disturbed(tmp_path):
    count = tmp_path / "count"
    count.write_text("0")
    adders = [subprocess.Popen([sys.executable, "-c", ADD_SLOWLY, str(count)]) for _ in range(3)]
    assert [adder.wait() for adder in adders] == [0, 0, 0]
    assert count.read_text() == "90"
    assert list(tmp_path.iterdir()) == [count]


def test_sweeping_takes_what_the_dead_left_and_nothing_of_the_living(tmp_path):
    (tmp_path / "a" / ".map.x.part").mkdir(parents=True)
    (tmp_path / "a" / ".map.lock").write_text("")
    with file_lock(tmp_path / "b"), atomic_folder(tmp_path / "c"):
        assert swept(tmp_path) == 2
        assert len(list(tmp_path.glob(".*"))) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "c"]


def test_a_reader_never_meets_an_absent_or_mixed_folder(tmp_path):
    place = tmp_path / "product"
    with atomic_folder(place) as part:
        (part / "number").write_text("0")
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from seaice.files import atomic_folder
        for number in range(200):
            with atomic_folder(Path(sys.argv[1])) as part:
                (part / "number").write_text(str(number))
        """
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(place)])
    seen = set()
    while writer.poll() is None:
        seen.add((place / "number").read_text() != "")
    assert writer.returncode == 0
    assert seen <= {True}


def test_an_unwritable_place_is_said_in_three_parts(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"expected a folder .* Do next: give another folder"):
        ensure_writable(tmp_path / "file" / "below")
    with pytest.raises(OutputError), atomic_file(tmp_path / "file" / "below") as part:
        part.write_text("")


def test_hashes_are_remembered_by_size_and_time_of_change(tmp_path):
    granule, notes = tmp_path / "granule.h5", tmp_path / "notes" / "hashes.json"
    granule.write_bytes(b"swath")
    assert sha256(granule) == reference(b"swath").hexdigest()
    assert sha256_of_all([granule], notes) == {granule: sha256(granule)}
    (state,) = json.loads(notes.read_text())
    notes.write_text(json.dumps({state: "remembered"}))
    assert sha256_of_all([granule], notes) == {granule: "remembered"}
    granule.write_bytes(b"swath, longer")
    assert sha256_of_all([granule], notes) == {granule: sha256(granule)}
    notes.write_text("{damaged")
    assert sha256_of_all([granule], notes) == {granule: sha256(granule)}
