"""Trains models with the same budget and compares their error and cost.

Models that are already trained are only scored, so models and seeds can be added one at a time.
"""

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from seaice.evaluate.records import Record, records_of
from seaice.evaluate.scores import RANGE
from seaice.files import atomic_file
from seaice.models.export import ModelCost, count_cost
from seaice.models.inference import Machine
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.registry import Role, find_model, list_models
from seaice.models.weights import load_model, read_card, weights_hash
from seaice.simulate.samples import SPLITS, draw
from seaice.train.samples import SampleSet, Split
from seaice.train.super_resolution import SRTask
from seaice.workflow.evaluation.methods import MethodPair, Networks, retrieve_world, ways, world_of
from seaice.workflow.evaluation.worlds import cases_of, sums_of
from seaice.workflow.training.fine_tuning import SingleModelSettings, training_of
from seaice.workflow.training.train import SICTraining, SRTraining, train_sic, train_sr

__all__ = [
    "Budget",
    "Row",
    "compare_models",
    "is_trained",
    "list_trainable",
    "markdown",
    "score_row",
    "score_worlds",
    "write_comparison",
]

CELL = 1.5625  #: km, of the scores of concentration
SIZES = (CELL, 6.25)  #: km, sizes of the cells that are scored
BASELINES = BICUBIC, ASI = "bicubic", "ASI, filtered"
Report = Callable[[str, int], None]
ScoreRow = tuple[str, float, float, float, float]  #: as the columns of the ablations


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How each network is trained and scored."""

    data: Path  #: folder of the sample sets
    out: Path  #: a folder for each seed and network goes there
    steps: int
    seeds: int = 1
    split: Split = "valid"
    #: whose refined maps concentration learns from and is scored on
    sr_weights: Path = Path("bicubic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network: what it costs, and its error, mean and spread over seeds."""

    name: str
    role: Role
    parameters: int
    flops: float  #: of one cell of the map
    seeds: int
    rmse: float  #: of V - H, K; or of concentration, %
    spread: float  #: standard deviation over seeds; NaN of one
    share: float  #: of the error of bicubic interpolation, or of filtered ASI, %


def compare_models(
    networks: Mapping[Role, Sequence[str]], budget: Budget, device: torch.device, report: Report
) -> list[Row]:
    """Train what is not trained yet, and score all of it.

    Parameters
    ----------
    networks : names by role
    report : called with what is being done, and the steps or worlds done

    Returns
    -------
    list of rows, super-resolution before concentration; the baseline of each role first

    Raises
    ------
    UnknownNameError, SettingsError, NoInputError, WeightsError
        As `seaice.workflow.training.fine_tuning.training_of` and both functions of
        `seaice.workflow.training.train`.
    """
    rows: list[Row] = []
    plans = {role: _trainings(role, names, budget) for role, names in networks.items()}
    for role, judge in (("sr", _brightness), ("sic", _concentration)):
        trainings = plans.get(role)  # type: ignore[call-overload]
        if trainings:
            rows += _rows(role, judge(trainings, budget, device, report))  # type: ignore[arg-type]
    return rows


def list_trainable() -> dict[Role, list[str]]:
    """Every network that learns from what all are told; `published` is told less."""
    learning = [entry for entry in list_models().values() if entry.has_weights]
    roles: tuple[Role, ...] = ("sr", "sic")
    return {
        role: [e.name for e in learning if e.role == role and e.name != "published"]
        for role in roles
    }


Trainings = Mapping[tuple[str, int], SRTraining | SICTraining]
Errors = Mapping[str, list[float]]  # by name, over seeds; the baseline first


def _trainings(role: Role, names: Sequence[str], budget: Budget) -> Trainings:
    def told(name: str, seed: int) -> SingleModelSettings:
        return SingleModelSettings(
            model=name, steps=budget.steps, seed=seed, sr_weights=budget.sr_weights
        )

    return {
        (name, seed): training_of(role, told(name, seed))
        for name in names
        for seed in range(budget.seeds)
    }


def _brightness(
    trainings: Mapping[tuple[str, int], SRTraining],
    budget: Budget,
    device: torch.device,
    report: Report,
) -> Errors:
    samples = SampleSet.of(budget.data, budget.split)
    errors: dict[str, list[float]] = {}
    for (name, seed), training in trainings.items():
        path = _weights(budget, name, seed)
        if not (path.exists() and read_card(path).training["steps"] == budget.steps):
            tell = partial(_told, report, f"{name}, seed {seed}")
            train_sr(budget.data, path.parent, training, device, tell)
        network, card = load_model(path, "sr")
        task = SRTask(train=samples, valid=samples, card=card, valid_samples=len(samples))
        scores = task.evaluate(network.to(device))
        errors.setdefault(BICUBIC, [score_row("", scores, "bicubic_")[3]])
        errors.setdefault(name, []).append(score_row("", scores, "")[3])
    return errors


def _concentration(
    trainings: Mapping[tuple[str, int], SICTraining],
    budget: Budget,
    device: torch.device,
    report: Report,
) -> Errors:
    samples = SampleSet.of(budget.data, budget.split)
    methods = {(ASI, 0): "asi"}
    for (name, seed), training in trainings.items():
        path = _weights(budget, name, seed)
        if not is_trained(path, training):
            tell = partial(_told, report, f"{name}, seed {seed}")
            train_sic(budget.data, path.parent, training, device, tell)
        methods[name, seed] = str(path)
    told = [f"{budget.sr_weights}:{method}" for method in methods.values()]
    result = ways(told, budget.out / "hashes.json")
    named = {f"{name}/{seed}": way for (name, seed), way in zip(methods, result, strict=True)}
    errors: dict[str, list[float]] = {}
    for record in score_worlds(samples, budget.split, named, device, report):
        if record.metric == "rmse" and record.group == "all" and record.cell_km == CELL:
            errors.setdefault(record.method.rpartition("/")[0], []).append(record.value)
    return errors


def _weights(budget: Budget, name: str, seed: int) -> Path:
    return budget.out / f"seed_{seed}" / f"{name}.safetensors"


def _told(report: Report, name: str, step: int, _loss: float) -> None:
    report(name, step)


def _rows(role: Role, errors: Errors) -> Iterator[Row]:
    baseline = mean(next(iter(errors.values())))
    for name, values in errors.items():
        costs = _cost(role, name)
        yield Row(
            name=name,
            role=role,
            parameters=costs.parameters,
            flops=costs.flops,
            seeds=len(values),
            rmse=mean(values),
            spread=stdev(values) if len(values) > 1 else math.nan,
            share=100 * mean(values) / baseline,
        )


def _cost(role: Role, name: str) -> ModelCost:
    if name in BASELINES:
        return ModelCost(parameters=0, flops=0.0)
    hyper = find_model(name).compact()
    return count_cost(name, hyper | ({"in_channels": len(SIC_CHANNELS)} if role == "sic" else {}))


def score_row(name: str, scores: Mapping[str, float], which: str) -> ScoreRow:
    """A row of the table, from the scores of an `SRTask`; `which` is "" or "bicubic_"."""
    h, v, p = (scores[f"{which}rmse_{channel}"] for channel in ("tb89h", "tb89v", "pd"))
    psnr_h, psnr_v = (20 * math.log10(RANGE / rmse) for rmse in (h, v))
    return name, psnr_h, psnr_v, p, 100 * p / scores["bicubic_rmse_pd"]


def score_worlds(
    samples: SampleSet,
    split: Split,
    named: Mapping[str, MethodPair],
    device: torch.device,
    report: Report,
) -> Iterator[Record]:
    """Scores of some ways on all worlds of a set, in cells of `SIZES`.

    Parameters
    ----------
    named : ways by the name that the records get
    report : called with what is being done, and the worlds done
    """
    networks, result = Networks(Machine(device=device)), []
    for index in range(len(samples)):
        report(f"worlds of {split}", index)
        world = world_of(samples, index, draw(SPLITS[split], index)[0])
        result.append(sums_of(world, retrieve_world(world, list(named.values()), networks)))
    names = {way.label: name for name, way in named.items()}
    for case in cases_of(result, [()] * len(result)):
        if case.cell in SIZES and "moments" in case.sums:
            yield from records_of(replace(case, method=names[case.method]))


def is_trained(path: Path, settings: SICTraining) -> bool:
    """Whether `path` holds weights of as many steps on the same refined samples."""
    if not path.exists():
        return False
    card = read_card(path)
    refiner = weights_hash(settings.sr_weights)[:12] if settings.sr_weights else "0"
    needed = {"steps": settings.schedule.steps, "refined_by": refiner}
    return needed.items() <= card.training.items() and bool(card.calibration)


def markdown(rows: Sequence[Row]) -> str:
    """A table for each role."""
    heads = {"sr": ("RMSE of V - H, K", "% of bicubic's"), "sic": ("RMSE, %", "% of ASI's")}
    lines: list[str] = []
    for role, (error, fraction) in heads.items():
        result = [row for row in rows if row.role == role]
        if not result:
            continue
        names = ("network", "parameters", "kFLOP a cell", error, fraction, "seeds")
        lines += ["", f"| {' | '.join(names)} |", "| --- |" + 5 * " ---: |"]
        lines += [f"| {' | '.join(_shown(row))} |" for row in result]
    return "\n".join(lines[1:])


def _shown(row: Row) -> tuple[str, ...]:
    error = f"{row.rmse:.2f}" + ("" if math.isnan(row.spread) else f" ± {row.spread:.2f}")
    costs = (f"{row.parameters:,}", f"{row.flops / 1e3:.1f}") if row.parameters else ("-", "-")
    return row.name, *costs, error, f"{row.share:.0f}", str(row.seeds)


def _picture(rows: Sequence[Row]) -> Figure:
    """Error against arithmetic, one panel a role; the baseline is a line."""
    roles = [role for role in ("sr", "sic") if any(row.role == role for row in rows)]
    figure = Figure(figsize=(5.2 * len(roles), 4.0), layout="constrained")
    for axes, role in zip(figure.subplots(1, len(roles), squeeze=False)[0], roles, strict=True):
        _panel(axes, [row for row in rows if row.role == role])
    return figure


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    baseline, *networks = rows
    axes.axhline(baseline.rmse, color="0.5", linestyle="--", linewidth=1)
    axes.annotate(baseline.name, (0.99, baseline.rmse), xycoords=("axes fraction", "data"),
                  ha="right", va="bottom", fontsize=8, color="0.4")  # fmt: skip
    for row in networks:
        spread = 0.0 if math.isnan(row.spread) else row.spread
        axes.errorbar(row.flops / 1e3, row.rmse, yerr=spread, fmt="o", capsize=2, color="#2166ac")
        axes.annotate(row.name, (row.flops / 1e3, row.rmse), xytext=(5, 4),
                      textcoords="offset points", fontsize=7)  # fmt: skip
    axes.set_xscale("log")
    for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        which(LogFormatter())
    axes.margins(x=0.35, y=0.15)  # names are written to the right of their points
    axes.set_xlabel("cost (kFLOP per cell of the map)")
    axes.set_ylabel("RMSE of V - H (K)" if baseline.role == "sr" else "RMSE of concentration (%)")
    axes.grid(visible=True, which="both", alpha=0.25)


def write_comparison(rows: Sequence[Row], budget: Budget) -> Path:
    """Write compare.md, .csv and .png into the budget's folder; the path of the first."""
    seeds = f"{budget.seeds} seed{'s' if budget.seeds > 1 else ''}"
    title = f"{budget.steps} steps each, {seeds}, scored on the {budget.split} worlds."
    table = io.StringIO()
    writer = csv.DictWriter(table, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    for suffix, stored in (("md", f"{title}\n\n{markdown(rows)}\n"), ("csv", table.getvalue())):
        with atomic_file(budget.out / f"compare.{suffix}") as part:
            part.write_text(stored)
    with atomic_file(budget.out / "compare.png") as part:
        _picture(rows).savefig(part, format="png", dpi=130)
    return budget.out / "compare.md"
