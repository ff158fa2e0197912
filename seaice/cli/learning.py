"""The verbs of those who train networks; `seaice.cli.verbs` lists them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seaice.cli.options import OPTIONS
from seaice.cli.show import failed, watched
from seaice.config import Settings, read_toml
from seaice.errors import SettingsError

__all__ = ["compare", "export", "import_weights", "pretrain", "samples", "train"]

TRAINING = Path("training")
DEVICE = Annotated[str, typer.Option(help=OPTIONS["device"][2])]


def samples(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Zarr group to write; replaced if it exists.")
    ],
    scenes: Annotated[Path | None, typer.Option(help="Folder of scenes with charts.")] = None,
    granules: Annotated[
        Path | None,
        typer.Option(help="Instead of scenes: folder of granules; --charts have a date each."),
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Folder of charts, if they are not with the scenes.")
    ] = None,
    split: Annotated[
        Literal["train", "valid"], typer.Option(help="Use of the set: training or validation.")
    ] = "train",
    region: Annotated[str, typer.Option(help=f"With --granules: {OPTIONS['region'][2]}")] = "all",
    hemisphere: Annotated[
        Literal["north", "south"], typer.Option(help="With --granules: hemisphere to grid.")
    ] = "north",
) -> None:
    """Turn real scenes or granules and ice charts into training samples."""
    from seaice.files import ensure_writable
    from seaice.workflow.training.scene_samples import SIDE, write_day_samples, write_scene_samples

    if (scenes is None) == (granules is None) or (granules is not None and charts is None):
        raise SettingsError(
            "--granules without --charts"
            if granules is not None and scenes is None
            else f"{'both' if scenes else 'neither'} --scenes and --granules",
            "scenes with charts, or granules and a folder of charts",
            "write seaice samples --scenes FOLDER -o train.zarr, or seaice samples "
            "--granules FOLDER --charts FOLDER -o train.zarr",
        )
    ensure_writable(out.parent)
    if scenes is not None:
        counts = write_scene_samples(scenes, out, split, charts=charts)
    elif granules is not None and charts is not None:
        counts = write_day_samples(
            granules, charts, out, split, SIDE, region=region, hemisphere=hemisphere
        )
    for count, scene in counts:
        typer.echo(f"{scene}: {count} samples so far")
    typer.echo(out)


def train(
    step: Annotated[
        Literal["samples", "sr", "sic", "joint", "all"],
        typer.Argument(help="Step of the recipe; all: samples, sr and sic, in this order."),
    ] = "all",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for samples, checkpoints, weights.")
    ] = TRAINING,
    recipe: Annotated[
        Literal["compact", "paper"],
        typer.Option(help="compact: for two CPU cores; paper: for a GPU."),
    ] = "compact",
    model: Annotated[
        str | None, typer.Option(help="Train only this network of `seaice models` (sr or sic).")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with --model and the options below; options take precedence."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Size of the network: compact or published.")
    ] = None,
    hyper: Annotated[
        list[str] | None, typer.Option(help="A setting of the network, as dropkey=0.1; repeatable.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps.")] = None,
    batch: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    crop: Annotated[
        int | None, typer.Option(help="Side of a training sample, cells of 6.25 km.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same weights.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Weights file to start from, or the word default: the shipped weights."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Fine-tune --start on this set, written by `seaice samples`."),
    ] = None,
    valid: Annotated[
        Path | None,
        typer.Option(
            help="With --data: validation set; without it every fifth scene of DATA validates."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder: trained, slow (a tenth of the head's learning rate) or frozen."
        ),
    ] = None,
    sr_weights: Annotated[
        Path | None,
        typer.Option(help="Super-resolution weights whose maps are the input of sic; or bicubic."),
    ] = None,
    cost_weight: Annotated[
        float | None,
        typer.Option(help="Weight of GMACs in the loss, with --hyper pooling=dynopool."),
    ] = None,
    device: DEVICE = "auto",
) -> None:
    """Train networks: a recipe on simulated days, one network, or fine-tuning; resumes."""
    named: dict[str, Any] = {
        "model": model,
        "size": size,
        "steps": steps,
        "batch": batch,
        "rate": rate,
    }
    named |= {"crop": crop, "seed": seed, "start": start, "encoder": encoder}
    named |= {"sr_weights": sr_weights, "cost_weight": cost_weight, "hyper": _table(hyper or [])}
    arguments = (read_toml(config) if config else {}) | {k: v for k, v in named.items() if v}
    if data is not None or valid is not None:
        _fine_tune(step, named | {"data": data, "valid": valid, "config": config}, out, device)
    elif arguments:
        _train_one(step, arguments, out, device)
    else:
        _follow(step, recipe, out, device)


def _follow(step: Any, recipe: str, out: Path, device: str) -> None:
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.train import distributed
    from seaice.workflow.training.recipe import recipes, run_recipe

    run = Settings.read(None, {"run": {"device": device}}).run
    ensure_writable(out)
    with distributed.process_group(choose_device(run.device)) as chosen:
        with watched() as progress:
            result = run_recipe(recipes()[recipe], step, out, chosen, progress)
        if distributed.is_main_process():
            typer.echo("\n".join(map(str, result)))


def _fine_tune(step: str, options: dict[str, Any], out: Path, device: str) -> None:
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.train import distributed
    from seaice.workflow.training.fine_tuning import checked_settings, fine_tune

    if step != "sic" or options["data"] is None:
        raise SettingsError(
            f"the step {step!r} with {'--data' if options['data'] else '--valid without --data'}",
            "the step sic, and --data with samples of real scenes",
            "write seaice train sic --start default --data train.zarr",
        )
    settings = checked_settings(options)
    run = Settings.read(None, {"run": {"device": device}}).run
    folder = out / "fine_tuned" if out == TRAINING else out
    ensure_writable(folder)
    with distributed.process_group(choose_device(run.device)) as chosen:
        with watched() as progress:

            def report(done: int, _loss: float) -> None:
                if done < 0:
                    progress("samples left to refine", 0, -done)
                else:
                    progress("fine-tuning", done, settings.steps)

            path = fine_tune(settings, folder, chosen, report)
        if distributed.is_main_process():
            from seaice.models.weights import read_card

            scores = read_card(path).scores
            for name in ("rmse", "mae", "bias"):
                before, after = 100 * scores[f"start_{name}"], 100 * scores[name]
                typer.echo(f"validation {name}: {before:.2f} % before, {after:.2f} % after")
            if scores["rmse"] > scores["start_rmse"]:
                failed(
                    "warning: the validation scenes are mapped worse than before; "
                    "use more scenes, or scenes of more seasons and places"
                )
            typer.echo(path)


def _train_one(step: str, arguments: dict[str, Any], out: Path, device: str) -> None:
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.train import distributed
    from seaice.workflow.training.fine_tuning import SEE, SingleModelSettings, train_model

    if step not in ("sr", "sic") or "model" not in arguments:
        raise SettingsError(
            f"the step {step!r} of {arguments.get('model', 'no model')}",
            "sr or sic, and a network with --model or in the --config file",
            "write seaice train sic --model scalablevit",
        )
    if arguments.get("start") == Path("default"):
        from seaice.workflow.training.fine_tuning import default_weights

        arguments = arguments | {"start": default_weights()}
    task = SingleModelSettings.checked(arguments, SEE)
    run = Settings.read(None, {"run": {"device": device}}).run
    ensure_writable(out)
    with distributed.process_group(choose_device(run.device)) as chosen:
        with watched() as progress:
            result = train_model("sr" if step == "sr" else "sic", task, out, chosen, progress)
        if distributed.is_main_process():
            typer.echo(result)


def compare(
    sr: Annotated[str, typer.Option(help="Super-resolution networks, as espcn,hat.")] = "",
    sic: Annotated[str, typer.Option(help="Concentration networks, likewise.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Of each, from nothing.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Each is trained as often.")] = 1,
    split: Annotated[Literal["valid", "test"], typer.Option(help="To score on.")] = "valid",
    data: Annotated[Path, typer.Option(help="Folder of the samples.")] = TRAINING,
    out: Annotated[Path | None, typer.Option(help="DATA/compare where it is not given.")] = None,
    sr_weights: Annotated[
        Path, typer.Option(help="Whose refined maps concentration learns from; or bicubic.")
    ] = Path("bicubic"),
    device: DEVICE = "auto",
) -> None:
    """Train networks, all or some, on one budget; a table, and accuracy against cost."""
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.workflow.training.compare import (
        Budget,
        compare_models,
        list_trainable,
        write_comparison,
    )

    names = {"sr": _names(sr), "sic": _names(sic)} if sr or sic else list_trainable()
    folder = out or data / "compare"
    ensure_writable(folder)
    budget = Budget(data=data, out=folder, steps=steps, seeds=seeds, split=split)
    budget = replace(budget, sr_weights=sr_weights)
    chosen = choose_device(Settings.read(None, {"run": {"device": device}}).run.device)
    with watched() as progress:

        def report(what: str, done: int) -> None:
            progress(what, done, max(steps, done))

        rows = compare_models(names, budget, chosen, report)  # type: ignore[arg-type]
    result = write_comparison(rows, budget)
    typer.echo(result.read_text() + f"\n{result.with_suffix('.png')}")


def pretrain(
    method: Annotated[Literal["mae"], typer.Argument(help="Masked autoencoder.")] = "mae",
    data: Annotated[
        Path, typer.Option(help="Folder that `make daily` filled, or of training samples.")
    ] = TRAINING,
    out: Annotated[Path, typer.Option(help="Folder for weights and checkpoints.")] = TRAINING
    / "pretrained",
    model: Annotated[str, typer.Option(help="A concentration network.")] = "mae_vit",
    mask: Annotated[float, typer.Option(help="Share of a map that is hidden, 0.4 to 0.8.")] = 0.75,
    patch: Annotated[int, typer.Option(help="Cells to a side of what is hidden.")] = 32,
    target: Annotated[
        Literal["values", "pattern"], typer.Option(help="What of a hidden patch is predicted.")
    ] = "values",
    hyper: Annotated[list[str] | None, typer.Option(help="As of seaice train.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    batch: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    crop: Annotated[int | None, typer.Option(help="Coarse cells of a sample.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same weights.")] = 0,
    sr_weights: Annotated[Path | None, typer.Option(help="As of seaice train.")] = None,
    device: DEVICE = "auto",
) -> None:
    """Teach an encoder the look of maps without truth; then seaice train sic --start."""
    from seaice.files import ensure_writable
    from seaice.models.inference import choose_device
    from seaice.workflow.training.fine_tuning import SEE, SingleModelSettings
    from seaice.workflow.training.pretrain import MaskConfig, pretrain

    named: dict[str, Any] = {"model": model, "steps": steps, "batch": batch, "rate": rate}
    named |= {"crop": crop, "seed": seed, "sr_weights": sr_weights, "hyper": _table(hyper or [])}
    settings = SingleModelSettings.checked({k: v for k, v in named.items() if v is not None}, SEE)
    hiding = MaskConfig(ratio=mask, patch=patch, target=target)
    ensure_writable(out)
    chosen = choose_device(Settings.read(None, {"run": {"device": device}}).run.device)
    with watched() as progress:

        def report(done: int, _error: float) -> None:
            progress(f"{method}: {model}", max(done, 0), steps)

        result = pretrain(data, out, settings, hiding, chosen, report)
    typer.echo(result)


def import_weights(
    model: Annotated[str, typer.Argument(help="A network of `seaice models`.")],
    file: Annotated[Path, typer.Argument(help="Its official checkpoint, .safetensors or .pth.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="MODEL.safetensors where it is not given.")
    ] = None,
    size: Annotated[
        Literal["published", "compact"], typer.Option(help="The checkpoint's sizes.")
    ] = "published",
    hyper: Annotated[
        list[str] | None, typer.Option(help="A size that differs from these, as width=96.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what the checkpoint lacks.")] = 0,
) -> None:
    """Take over official weights, to train on from: seaice train --start."""
    from seaice.files import ensure_writable
    from seaice.workflow.model_export import import_weights as imported

    target = out or Path(f"{model}.safetensors")
    ensure_writable(target.parent)
    typer.echo(imported(model, file, target, size, _table(hyper or []), seed).summary())


def export(
    model: Annotated[str, typer.Option(help="A concentration network.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files and the table.")],
    weights: Annotated[
        Path | None, typer.Option(help="Its weights; left out: DATA/weights, or what ships.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Convolutions in eight bits too.")] = False,
    qat_steps: Annotated[
        int, typer.Option(min=0, help="With --int8: steps of learning with the rounding.")
    ] = 0,
    data: Annotated[Path, typer.Option(help="Folder of the samples.")] = TRAINING,
    sr_weights: Annotated[
        Path, typer.Option(help="Whose refined maps the network reads; or bicubic.")
    ] = Path("bicubic"),
    worlds: Annotated[int, typer.Option(min=1, help="Validation worlds to score on.")] = 24,
) -> None:
    """Export a trained network as fused, bfloat16 and int8 files; a table of error and time."""
    from seaice.files import ensure_writable
    from seaice.workflow.model_export import ExportConfig, export_model, find_weights, write_report

    if qat_steps and not int8:
        raise SettingsError(
            f"--qat-steps {qat_steps} without --int8", "both, or neither", "add --int8"
        )
    source = weights or find_weights(model, data)
    ensure_writable(out)
    config = ExportConfig(
        model=model,
        weights=source,
        out=out,
        data=data,
        sr_weights=None if sr_weights == Path("bicubic") else sr_weights,
        int8=int8,
        qat_steps=qat_steps,
        worlds=worlds,
    )
    with watched() as progress:
        rows = export_model(config, progress)
    typer.echo(write_report(rows, config).read_text())


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _table(pairs: list[str]) -> dict[str, Any]:
    """Key=value pairs as a table; a value is a number, a list, true, false or a word.

    >>> _table(["dropkey=0.1", "pooling=dynopool"])
    {'dropkey': 0.1, 'pooling': 'dynopool'}
    """
    table: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise SettingsError(f"--hyper {pair}", "key=value", "write --hyper dropkey=0.1")
        try:
            table[key] = json.loads(value)
        except json.JSONDecodeError:
            table[key] = value
    return table
