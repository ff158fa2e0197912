"""Granules from and products to an object store are complete in spite of network failures."""

import json
import shutil
import socket

import numpy as np
import pytest

from seaice.errors import SettingsError, StorageError
from seaice.files import sha256
from seaice.io import object_store as storage
from seaice.io.object_store import ObjectStore, is_url
from tests.support.days import DAY, PRODUCT, REGION, write_five_days

SECRET = "s3cr3t-of-the-test"


@pytest.fixture
def memory(tmp_path):
    """A store in memory."""
    from fsspec.implementations.memory import MemoryFileSystem

    yield ObjectStore.from_url(f"memory://{tmp_path.name}")
    MemoryFileSystem.store.clear()


@pytest.fixture(scope="module")
def server():
    """A store that speaks S3 on this machine."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running.get_host_and_port()
    running.stop()


@pytest.fixture
def environment(server, monkeypatch):
    """Where the store is and who asks: in the environment alone."""
    import fsspec

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server[0]}:{server[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(storage, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(storage, "TIMEOUTS", {"connect_timeout": 2, "read_timeout": 1})
    _forget()
    fsspec.filesystem("s3").mkdirs("ice", exist_ok=True)
    _forget()
    yield
    _forget()


def _forget():
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def through(server, environment, monkeypatch):
    """A way to the store with these fractions of faults."""
    from contextlib import ExitStack

    from pipelines.research.faults.injection import FaultyProxy, faulty_proxy

    with ExitStack() as stack:

        def start_proxy(**fractions):
            proxy = FaultyProxy(host=server[0], port=server[1], fractions=fractions, silence=1.5)
            monkeypatch.setenv("AWS_ENDPOINT_URL", stack.enter_context(faulty_proxy(proxy)))
            _forget()
            return proxy

        yield start_proxy


@pytest.mark.parametrize("url", ["s3://user:word@ice/maps", "s3://ice/maps?key=x", "s3://ice#x"])
def test_a_url_with_credentials_is_refused_and_not_repeated(url):
    with pytest.raises(SettingsError) as refused:
        ObjectStore.from_url(url)
    assert "word" not in str(refused.value)


def test_settings_with_credentials_in_a_url_are_refused_without_showing_them():
    from seaice.config import Settings

    with pytest.raises(SettingsError) as refused:
        Settings.from_table({"run": {"out": "s3://key:hunter2@ice/maps"}})
    assert "hunter2" not in str(refused.value)


def test_urls_in_settings_are_replaced_by_folders_and_kept():
    import tomllib

    from seaice.config import Settings

    table = {"out": "s3:/ice/maps", "granules": "s3://ice/amsr2/", "work": "near"}
    settings = Settings.from_table({"run": table})
    assert settings.run.publish_to == "s3://ice/maps"
    assert settings.run.granules_from == "s3://ice/amsr2"
    assert not is_url(str(settings.run.out))
    assert settings.run.out.parts[0] == settings.run.granules.parts[0] == "near"
    assert Settings.from_table(tomllib.loads(settings.toml())) == settings


@pytest.mark.slow
def test_s3_returns_what_was_uploaded(environment, tmp_path):
    keeps_what_is_put(ObjectStore.from_url("s3://ice/a"), tmp_path)


def test_memory_returns_what_was_uploaded(memory, tmp_path):
    keeps_what_is_put(memory, tmp_path)


def keeps_what_is_put(store, tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    (tmp_path / "file").write_bytes(content)
    store.upload("deep/file", tmp_path / "file")
    store.upload("text", "Größe".encode())
    assert {name: size for name, (size, _) in store.list_files().items()} == {
        "deep/file": 100_000,
        "text": 7,
    }
    assert store.download("deep/file", tmp_path / "back") == sha256(tmp_path / "file")
    assert (tmp_path / "back").read_bytes() == content
    assert (store.read_text("text"), store.read_text("none")) == ("Größe", None)
    store.remove(["text", "none"])
    assert list(store.list_files()) == ["deep/file"]
    assert ObjectStore.from_url(f"{store.url}/nothing").list_files() == {}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "half"])
def test_requests_are_retried_when_the_network_fails(fault, through, tmp_path):
    proxy = through(**{fault: 0.4})
    store = ObjectStore.from_url(f"s3://ice/{fault}")
    for number in range(8):
        content = bytes([number]) * 5000
        store.upload(f"{number}", content)
        store.download(f"{number}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
    assert proxy.counts[fault] > 0


@pytest.mark.slow
def test_a_silent_server_times_out(through, tmp_path):
    proxy = through(silence=0.3)
    store = ObjectStore.from_url("s3://ice/silence")
    for number in range(5):
        store.upload(f"{number}", b"x")
        store.download(f"{number}", tmp_path / "back")
    assert proxy.counts["silence"] > 0


@pytest.mark.slow
def test_a_store_that_never_responds_is_an_error_and_leaves_no_files(through, tmp_path):
    through(**{"500": 1.0})
    with pytest.raises(StorageError, match=r"cannot be fetched.*within 5 attempts") as error:
        ObjectStore.from_url("s3://ice/down").download("file", tmp_path / "file")
    assert SECRET not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_no_server_at_all(environment, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    _forget()
    with pytest.raises(StorageError, match="cannot be listed"):
        ObjectStore.from_url("s3://ice/down").list_files()


@pytest.fixture
def fetched(memory, tmp_path):
    from seaice.workflow.granule_cache import Fetched

    store = memory
    for number in range(3):
        store.upload(f"2020/GW1AM2_{number}.h5", bytes([number]) * 1000)
    store.upload("../GW1AM2_outside.h5", b"x")
    store.upload(".hidden/GW1AM2_a.h5", b"x")
    return Fetched(store=store, folder=tmp_path / "near", limit=2500)


def test_hashes_of_evicted_granules_are_remembered(fetched, monkeypatch):
    paths = fetched.listed()
    assert [path.name for path in paths] == [f"GW1AM2_{n}.h5" for n in range(3)]
    hashes = fetched.hashes(paths)
    here = [path for path in paths if path.exists()]
    assert len(here) == 2  # no more than the limit
    assert hashes[here[0]] == sha256(here[0])
    monkeypatch.setattr(ObjectStore, "download", lambda *arguments: pytest.fail("fetched again"))
    assert fetched.hashes(paths) == hashes


def test_a_granule_damaged_in_the_cache_is_downloaded_again(fetched):
    path = fetched.listed()[0]
    fetched.near(path)
    path.write_bytes(b"y" * 1000)
    assert fetched.near(path).read_bytes() == bytes([0]) * 1000


def test_a_granule_that_changed_in_the_store_is_not_used_as_the_listed_one(fetched):
    path = fetched.listed()[0]
    fetched.near(path)
    fetched.store.upload("2020/GW1AM2_0.h5", b"z" * 999)
    path.unlink()
    with pytest.raises(StorageError, match="is not what"):
        fetched.near(path)
    assert not path.exists()
    fetched.listed()
    assert fetched.near(path).read_bytes() == b"z" * 999


def product(folder, key, content):
    """A product's folder, as far as a store looks at it."""
    from seaice.product.folder import write_manifest

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / f"{folder.name}.json").write_text(json.dumps({"key": key}))
    (folder / "map").write_text(content)
    write_manifest(folder, folder / f"{folder.name}.sha256")
    return folder


def seen(store, name):
    """What a reader who trusts the list finds: the map, whole, or None."""
    from hashlib import sha256 as digest

    from seaice.workflow.published import listed_in

    result = listed_in(store, name)
    files = {file.partition("/")[2]: store.read_text(f"{name}/{file}") for file in result}
    for file, expected in result.items():
        assert digest(files[file.partition("/")[2]].encode()).hexdigest() == expected
    return files.get("map")


def test_a_reader_sees_the_old_product_or_the_new_one_wherever_the_writer_is_stopped(
    memory, tmp_path, monkeypatch
):
    from seaice.workflow.published import put_product

    store = memory
    folder = product(tmp_path / "seaice_sic_x", "0", "old")
    put, stopped = ObjectStore.upload, 0
    expected = {None, "old"}
    for key, content in (("0", "old"), ("1", "new")):
        product(folder, key, content)
        for last in range(4):
            left = iter(range(last))

            def until(self, name, content, left=left):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                put(self, name, content)

            monkeypatch.setattr(ObjectStore, "upload", until)
            try:
                put_product(folder, store)
            except KeyboardInterrupt:
                stopped += 1
            monkeypatch.setattr(ObjectStore, "upload", put)
            assert seen(store, folder.name) in expected
        assert seen(store, folder.name) == content
        expected = {content, "new"}
    assert stopped == 6
    put_product(product(folder, "2", "newer"), store)
    generations = {name.split("/")[1] for name in store.list_files() if name.count("/") > 1}
    assert generations == {"1", "2"}  # the former stays for who reads it


@pytest.mark.slow
def test_a_day_from_store_to_store_through_faults_is_the_day_of_folders(
    through, tmp_path, monkeypatch
):
    from typer.testing import CliRunner

    from seaice.cli import app

    monkeypatch.setattr("seaice.product.provenance.commit", lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.toml").write_text('[write]\nformats = ["zarr"]\n')
    write_five_days(tmp_path / "granules")
    store = ObjectStore.from_url("s3://ice/day")
    for path in (tmp_path / "granules").iterdir():
        store.upload(f"granules/{path.name}", path)
    proxy = through(**{"500": 0.1, "half": 0.05})

    def run(*options):
        return CliRunner().invoke(app, [str(option) for option in options])

    def daily(granules, out):
        options = ("--date", DAY, "--granules", granules, "--out", out, "--region", REGION)
        return run("daily", *options, "--sr", "bicubic", "--sic", "asi", "--settings", "plain.toml")

    made = daily("s3://ice/day/granules", "s3://ice/day/maps")
    assert made.exit_code == 0, made.output
    assert daily("granules", "out").exit_code == 0
    assert proxy.counts["500"] > 0
    manifest = (tmp_path / "out" / PRODUCT / f"{PRODUCT}.sha256").read_text()
    stored_manifest = store.read_text(f"maps/{PRODUCT}/{PRODUCT}.sha256")
    assert [line.replace(line.split("  ")[1].split("/")[0] + "/", "", 1) for line in
            stored_manifest.splitlines()] == manifest.splitlines()  # fmt: skip
    result = run("status", "s3://ice/day/maps", "--json")
    assert [day["state"] for day in json.loads(result.output)] == ["final"]
    assert "1 product verified" in run("verify", "s3://ice/day/maps").output
    chunk = next(name for name in store.list_files() if "/sic/c/0/" in name)
    store.upload(chunk, b"damaged")
    problems = run("verify", "s3://ice/day/maps")
    assert problems.exit_code == 2
    assert "is not what was written" in problems.output
    assert run("verify", "s3://ice/day/maps", "--repair").exit_code == 0
    assert "1 product verified" in run("verify", "s3://ice/day/maps").output
    texts = [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl", ".toml")]
    assert texts
    assert not any(SECRET in path.read_text(errors="replace") for path in texts)
    assert SECRET not in made.output + problems.output
