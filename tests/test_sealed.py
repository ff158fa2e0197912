"""The sealed worlds: scored once a release, recorded with date, commit, version and weights."""

import csv
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seaice import __version__
from seaice.cli import app
from seaice.errors import NoInputError, SettingsError
from seaice.files import sha256
from seaice.simulate.samples import SPLITS
from seaice.workflow.evaluation import sealed
from seaice.workflow.evaluation.methods import MethodOutputs
from seaice.workflow.evaluation.sealed import (
    BEGIN,
    END,
    PAGE,
    RECORD,
    Release,
    evaluate_sealed,
    read_record,
    record_table,
    sealed_methods,
    this_release,
)
from seaice.workflow.stages import silent
from tests.support import tiny_samples

CPU = torch.device("cpu")
RELEASE = Release(version="9.9", commit="c" * 40, weights=("a" * 64, "b" * 64))


@pytest.fixture
def tiny_worlds(monkeypatch):
    """Two tiny worlds in the place of simulated ones; what was asked for is noted."""
    asked = []

    def write(split, count, store):
        asked.append((split.name, count, store))
        tiny_samples.write(store, samples=count, side=32)
        yield count

    monkeypatch.setattr(sealed, "write_samples", write)
    return asked


@pytest.fixture
def quick(monkeypatch):
    """Formulas only: what networks predict is tested elsewhere."""
    methods = ["bicubic:bootstrap", "bicubic:asi"]
    monkeypatch.setattr(sealed, "sealed_methods", lambda: methods)


def page_of(folder):
    page = folder / "evaluation.md"
    page.write_text(f"# Scores\n\n{BEGIN}\n\n{record_table([])}\n\n{END}\n\nafter\n")
    return page


def test_a_record_tells_what_was_scored_when(tiny_worlds, quick, tmp_path):
    record, page = tmp_path / "sealed_scores.csv", page_of(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    scores = evaluate_sealed(RELEASE, 2, CPU, silent, record=record, page=page)
    ((name, count, store),) = tiny_worlds
    assert (name, count) == ("sealed", 2)
    assert not store.exists()  # nothing of the worlds is kept
    with record.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], float(row["cell_km"])) for row in rows] == [
        ("bicubic + bootstrap", 1.5625), ("bicubic + bootstrap", 6.25),
        ("bicubic + asi", 1.5625), ("bicubic + asi", 6.25),
    ]  # fmt: skip
    for row in rows:
        assert (row["version"], row["commit"], row["worlds"]) == ("9.9", "c" * 40, "2")
        assert (row["sr_weights"], row["sic_weights"]) == RELEASE.weights
        assert row["repeated"] == "no"
        assert before <= datetime.fromisoformat(row["date"]) <= datetime.now(UTC)
    assert read_record(record) == scores
    text = page.read_text()
    assert text.startswith("# Scores\n")
    assert text.endswith("\n\nafter\n")
    assert record_table(scores) in text


def test_scores_are_those_of_plain_arithmetic(tiny_worlds, quick, tmp_path, monkeypatch):
    """A method that is wrong by a known amount everywhere has it as its bias, MAE and RMSE."""
    kept = {}

    def off_by_three_percent(world, methods, networks):
        kept.setdefault("cells", []).append(np.isfinite(world.sic).sum())
        maps = {way.label: (world.sic + np.float32(0.03), None) for way in methods}
        return MethodOutputs({}, maps)

    monkeypatch.setattr(sealed, "run_methods", off_by_three_percent)
    scores = evaluate_sealed(RELEASE, 2, CPU, silent, record=tmp_path / "s.csv", page=None)
    assert len(kept["cells"]) == 2
    for line in scores:
        assert line.bias == pytest.approx(3, abs=1e-3)
        assert line.mae == pytest.approx(3, abs=1e-3)
        assert line.rmse == pytest.approx(3, abs=1e-3)


def test_a_release_is_scored_once(tiny_worlds, quick, tmp_path):
    record = tmp_path / "sealed_scores.csv"
    evaluate_sealed(RELEASE, 1, CPU, silent, record=record, page=None)
    first = record.read_text()
    later = replace(RELEASE, commit="d" * 40)  # the same version and weights at another commit
    with pytest.raises(SettingsError, match=r"scored on .* at commit cccc"):
        evaluate_sealed(later, 1, CPU, silent, record=record, page=None)
    assert len(tiny_worlds) == 1  # refused before anything is simulated
    assert record.read_text() == first
    evaluate_sealed(later, 1, CPU, silent, again=True, record=record, page=None)
    lines = read_record(record)
    assert record.read_text().startswith(first)
    assert [line.repeated for line in lines] == ["no"] * 4 + ["yes"] * 4
    assert "repeated" in record_table(lines)
    for other in (replace(RELEASE, version="9.10"), replace(RELEASE, weights=("a" * 64, "e" * 64))):
        evaluate_sealed(other, 1, CPU, silent, record=record, page=None)
    assert len(read_record(record)) == 16


def test_a_page_or_record_that_cannot_be_used_is_found_before_the_work(
    tiny_worlds, quick, tmp_path
):
    page = tmp_path / "evaluation.md"
    page.write_text("no place for a table")
    with pytest.raises(NoInputError, match="marks"):
        evaluate_sealed(RELEASE, 1, CPU, silent, record=tmp_path / "s.csv", page=page)
    (tmp_path / "other.csv").write_text("date,version\n2026-01-01,1\n")
    with pytest.raises(NoInputError, match="no record"):
        evaluate_sealed(RELEASE, 1, CPU, silent, record=tmp_path / "other.csv", page=None)
    assert not tiny_worlds


def test_the_release_is_the_code_and_the_default_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(sealed, "commit", lambda: "e" * 40)
    monkeypatch.setattr(sealed, "modified", lambda: False)
    release = this_release(tmp_path / "hashes.json")
    assert (release.version, release.commit) == (__version__, "e" * 40)
    default = sealed_methods()[0].split(":")
    package = RECORD.parents[1] / "seaice"
    files = [
        package / "models" / r / "weights" / f"{n}.safetensors"
        for r, n in zip(("sr", "sic"), default, strict=True)
    ]
    assert release.weights == tuple(sha256(path) for path in files)
    monkeypatch.setattr(sealed, "modified", lambda: True)
    with pytest.raises(SettingsError, match="differs from its commit"):
        this_release(tmp_path / "hashes.json")
    monkeypatch.setattr(sealed, "commit", lambda: None)
    with pytest.raises(SettingsError, match="without a commit"):
        this_release(tmp_path / "hashes.json")


def test_a_record_compares_the_default_with_interpolation_and_formulas():
    default, interpolated, *formulas = sealed_methods()
    assert interpolated.partition(":")[0] == "bicubic_3km"
    assert interpolated.partition(":")[2] == default.partition(":")[2]
    assert formulas == ["bicubic:asi", "bicubic:nasa_team", "bicubic:bootstrap"]


def test_the_page_shows_the_record():
    """docs/evaluation.md holds the table of docs/sealed_scores.csv, whatever is in it."""
    text = PAGE.read_text()
    inside = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert inside == record_table(read_record(RECORD))


def test_no_training_reads_sealed_worlds():
    """The split is not one that training, validation or comparison open by name."""
    assert SPLITS["sealed"].physics != SPLITS["train"].physics
    assert SPLITS["sealed"].seed not in {SPLITS[name].seed for name in SPLITS if name != "sealed"}


def test_the_command_line_refuses_what_does_not_go_together(tmp_path):
    run = CliRunner()
    dry = run.invoke(app, ["evaluate", "--sealed", "--dry-run", "--worlds", "3"])
    assert dry.exit_code == 0, dry.output
    assert "3 sealed worlds would be simulated" in dry.output
    for words in (["--again"], ["--sealed", "--scenes", "x"], ["--sealed", "--method", "a:b"]):
        refused = run.invoke(app, ["evaluate", *words])
        assert refused.exit_code == 2, words
        assert "--sealed" in refused.output


@pytest.mark.slow
def test_a_sealed_world_is_simulated_and_scored_by_every_method(tmp_path):
    scores = evaluate_sealed(RELEASE, 1, CPU, silent, record=tmp_path / "s.csv", page=None)
    assert len(scores) == 2 * len(sealed_methods())
    assert all(0 <= line.rmse < 60 for line in scores)
    native = [line for line in scores if line.cell_km == 1.5625]
    assert all(0 <= line.within_1 <= line.within_2 <= 100 for line in native)
