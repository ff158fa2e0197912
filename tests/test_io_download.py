"""Downloads are complete in spite of network failures, and only from known hosts."""

import logging
from datetime import date

import gportal
import h5py
import numpy as np
import paramiko
import pytest
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError, SettingsError
from seaice.io.download import (
    JaxaArchive,
    NsidcArchive,
    RemoteFile,
    download_files,
    parse_remote_name,
)
from tests.support.sftp_server import Mischief, served

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
FOLDER = "standard/GCOM-W/GCOM-W.AMSR2/L1B/2/2020/03"
NAMES = [
    f"GW1AM2_2020030{day}0{hour}23_035A_L1SGBTBR_2220220.h5" for day in (1, 2) for hour in (1, 5)
]
DAY = date(2020, 3, 1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What the server holds."""
    root = tmp_path_factory.mktemp("server")
    (root / FOLDER).mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        with h5py.File(root / FOLDER / name, "w") as file:
            file["noise"] = np.random.default_rng(seed).integers(0, 255, 400_000, np.uint8)
    return root


@pytest.fixture
def mischief():
    return Mischief()


@pytest.fixture
def server(root, mischief, tmp_path, monkeypatch):
    """An archive at a server whose key is known and whose account is in the environment."""
    with served(root, mischief) as (port, key):
        hosts = tmp_path / "known_hosts"
        hosts.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        monkeypatch.setenv("SEAICE_KNOWN_HOSTS", str(hosts))
        monkeypatch.setenv("GPORTAL_USERNAME", "ice")
        monkeypatch.setenv("GPORTAL_PASSWORD", "anonymous")
        yield JaxaArchive(host="127.0.0.1", port=port)


def remotes(names=NAMES):
    return [RemoteFile(name=name, day=DAY, location=f"{FOLDER}/{name}") for name in names]


def brought(archive, folder, names=NAMES, **options):
    waits = []
    told = download_files(
        archive, remotes(names), folder, lambda *_: None, sleep=waits.append, **options
    )
    return list(told), waits


def same(root, folder, names=NAMES):
    return all((root / FOLDER / n).read_bytes() == (folder / n).read_bytes() for n in names)


@pytest.mark.parametrize("connections", [1, 3])
def test_files_are_downloaded_completely(server, root, tmp_path, connections):
    out, waits = brought(server, tmp_path / "in", connections=connections)
    assert [one.error for one in out] == [""] * len(NAMES)
    assert same(root, tmp_path / "in")
    assert waits == []
    assert not list((tmp_path / "in").glob(".*.part"))


def test_existing_files_are_not_downloaded_again(server, mischief, tmp_path):
    brought(server, tmp_path / "in")
    before = mischief.connections
    out, _ = brought(server, tmp_path / "in")
    assert len(out) == len(NAMES)
    assert mischief.connections == before


def test_a_broken_connection_is_resumed(server, mischief, root, tmp_path):
    mischief.cut_after = [100_000, 150_000]
    out, waits = brought(server, tmp_path / "in", NAMES[:1])
    assert out[0].error == ""
    assert same(root, tmp_path / "in", NAMES[:1])
    assert waits == [2.0, 4.0]  # patience doubles
    size = (root / FOLDER / NAMES[0]).stat().st_size
    assert mischief.sent < 2 * size + 300_000  # a part was kept, however much was on its way


def test_a_killed_run_is_resumed_from_its_partial_file(server, mischief, root, tmp_path):
    whole = (root / FOLDER / NAMES[0]).read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f".{NAMES[0]}.part").write_bytes(whole[:300_000])
    brought(server, tmp_path / "in", NAMES[:1])
    assert same(root, tmp_path / "in", NAMES[:1])
    assert mischief.sent < len(whole) - 200_000


def test_a_partial_file_of_other_bytes_is_discarded(server, root, tmp_path):
    size = (root / FOLDER / NAMES[0]).stat().st_size
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f".{NAMES[0]}.part").write_bytes(b"\1" * size)
    out, waits = brought(server, tmp_path / "in", NAMES[:1])
    assert out[0].error == ""
    assert len(waits) == 1
    assert same(root, tmp_path / "in", NAMES[:1])


def test_a_file_that_is_not_hdf5_is_never_accepted(server, mischief, root, tmp_path):
    mischief.garbage = 2
    out, waits = brought(server, tmp_path / "in", NAMES[:1])
    assert out[0].error == ""
    assert len(waits) >= 1
    assert same(root, tmp_path / "in", NAMES[:1])


def test_a_file_that_fails_is_reported_and_the_others_are_downloaded(server, mischief, tmp_path):
    mischief.cut_after = [1000] * 6
    out, waits = brought(server, tmp_path / "in", NAMES[:2])
    assert "6 attempts" in out[0].error
    assert out[1].error == ""
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert not (tmp_path / "in" / NAMES[0]).exists()


def test_an_unknown_host_is_refused_before_any_password(server, tmp_path, monkeypatch):
    (tmp_path / "none").write_text("")
    monkeypatch.setenv("SEAICE_KNOWN_HOSTS", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="ssh-keyscan -p"):
        brought(server, tmp_path / "in")


def test_a_host_key_that_differs_is_refused(server, tmp_path, monkeypatch):
    key = paramiko.ECDSAKey.generate()
    hosts = tmp_path / "others"
    hosts.write_text(f"[127.0.0.1]:{server.port} {key.get_name()} {key.get_base64()}\n")
    monkeypatch.setenv("SEAICE_KNOWN_HOSTS", str(hosts))
    with pytest.raises(SettingsError, match="differs from the one in"):
        brought(server, tmp_path / "in")


def test_a_wrong_password_is_reported_once_and_never_shown(server, mischief, tmp_path, monkeypatch):
    monkeypatch.setenv("GPORTAL_PASSWORD", "hunter2")
    with pytest.raises(SettingsError, match="rejects user and password") as caught:
        brought(server, tmp_path / "in", NAMES[:1])
    assert "hunter2" not in str(caught.value)
    assert mischief.connections == 1


def test_too_many_connections_are_refused(server, tmp_path):
    with pytest.raises(SettingsError, match="1 to 4"):
        brought(server, tmp_path / "in", connections=16)


@pytest.mark.parametrize(
    "place", ["a/../../etc/passwd", "x/GW1AM2_evil.h5", "..\\a.h5", ".bashrc_20200303.he5", ""]
)
def test_file_names_of_a_server_are_not_trusted(place):
    with pytest.raises(NoInputError, match="in the results"):
        parse_remote_name(place)


@pytest.fixture
def catalogue(monkeypatch):
    """G-Portal's catalogue as it answers: two pages, a day too many."""
    names = [*NAMES, "GW1AM2_202003030123_035A_L1SGBTBR_2220220.h5"]
    asked = []

    def get(path, params=None, timeout=None):
        asked.append(params)
        first = params["startIndex"] - 1
        page = [
            {
                "properties": {
                    "identifier": name,
                    "product": {"fileName": f"https://gportal.jaxa.jp/download/{FOLDER}/{name}"},
                }
            }
            for name in names[first : first + 3]
        ]
        counts = {"numberOfRecordsMatched": len(names), "numberOfRecordsReturned": len(page)}
        return {"features": page, "properties": counts}

    monkeypatch.setattr(gportal.http_client, "get", get)
    return asked


def test_the_search_is_limited_to_level_and_days(catalogue):
    result = JaxaArchive("L1R").find(date(2020, 3, 1), date(2020, 3, 2))
    assert [remote.name for remote in result] == NAMES
    assert result[0].location == f"{FOLDER}/{NAMES[0]}"
    assert {asked["datasetId"] for asked in catalogue} == {"11001002"}


def test_a_dry_run_lists_days_without_an_account(catalogue, tmp_path, monkeypatch):
    monkeypatch.delenv("GPORTAL_USERNAME", raising=False)
    words = ("fetch", "--start", "2020-03-01", "--end", "2020-03-02", "-o", str(tmp_path / "in"))
    told = CliRunner().invoke(app, [*words, "--dry-run"])
    assert told.exit_code == 0
    assert "2020-03-01  2      2" in told.stdout
    assert not (tmp_path / "in").exists()
    without = CliRunner().invoke(app, list(words))
    assert without.exit_code == 2
    assert "register at https://gportal.jaxa.jp" in without.stderr


def test_the_command_downloads_the_search_results(catalogue, server, root, tmp_path, monkeypatch):
    monkeypatch.setattr("seaice.io.download.HOST", server.host)
    monkeypatch.setattr(JaxaArchive.__init__, "__defaults__", ("L1B", server.host, server.port))
    words = ("fetch", "--start", "2020-03-01", "--end", "2020-03-02", "-o", str(tmp_path / "in"))
    told = CliRunner().invoke(app, list(words))
    assert told.exit_code == 0, told.output
    assert "4 files downloaded" in told.stdout
    assert same(root, tmp_path / "in")


class Granule(dict):
    """One answer of NASA's catalogue."""

    def __init__(self, name, data):
        import hashlib

        told = {
            "Name": name,
            "SizeInBytes": len(data),
            "Checksum": {"Algorithm": "SHA-256", "Value": hashlib.sha256(data).hexdigest()},
        }
        super().__init__(umm={"DataGranule": {"ArchiveAndDistributionInformation": [told]}})
        self.name = name

    def data_links(self, access=None):
        return [f"https://example.org/{self.name}", f"https://example.org/{self.name}.xml"]


def test_nsidc_returns_size_and_checksum(monkeypatch):
    import earthaccess

    name = "AMSR_U2_L3_SeaIce6km_B04_20200301.he5"
    monkeypatch.setattr(earthaccess, "search_data", lambda **_: [Granule(name, b"abc")])
    (remote,) = NsidcArchive().find(DAY, DAY)
    assert (remote.name, remote.day, remote.size) == (name, DAY, 3)
    assert remote.checksum[0] == "sha256"


def test_a_wrong_checksum_is_an_error(server, root, tmp_path):
    wrong = [
        RemoteFile(name=NAMES[0], day=DAY, location=f"{FOLDER}/{NAMES[0]}", checksum=("md5", "0"))
    ]
    (told,) = download_files(server, wrong, tmp_path / "in", lambda *_: None, sleep=lambda _: None)
    assert "its md5 is" in told.error
    assert not (tmp_path / "in" / NAMES[0]).exists()
