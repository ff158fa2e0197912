"""Products in an object store: which there are, and whether they are what their lists say."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from seaice.errors import StorageError
from seaice.io.object_store import ObjectStore
from seaice.product.folder import is_inside, read_manifest
from seaice.workflow.published import MANIFEST, listed_in, put_product
from seaice.workflow.season.status import PRODUCT, Status, no_products, status_of
from seaice.workflow.season.verify import Checked, Damage, problems_of_product

__all__ = ["checked_stored", "damages_stored", "fetched_product", "put_again", "statuses_stored"]


def statuses_stored(store: ObjectStore) -> Iterator[Status]:
    """Every day that the store shows, by place and date.

    Raises
    ------
    StorageError
        If it does not answer.
    """
    held = store.list_files()
    for name, place, day in _products(held):
        files = listed_in(store, name)
        absent = [file for file in files if f"{name}/{file}" not in held]
        yield status_of({} if absent else _document(store, name, files), place, str(day))


def checked_stored(store: ObjectStore) -> Checked:
    """How many products the store shows.

    Raises
    ------
    NoInputError
        If there is none.
    StorageError
        If it does not answer.
    """
    products = sum(1 for _ in _products(store.list_files()))
    if not products:
        raise no_products(store.url)
    return Checked(products=products, days=0)


def damages_stored(store: ObjectStore) -> Iterator[Damage]:
    """What is damaged in the store; every product is fetched and read, one after another.

    Raises
    ------
    StorageError
        If it does not answer.
    """
    for name, place, day in _products(store.list_files()):
        with tempfile.TemporaryDirectory() as near:
            folder = Path(near, name)
            lost = fetched_product(store, name, folder)
            problems = lost or (*problems_of_product(folder),)
        if problems:
            yield Damage(what=name, place=place, day=day, problems=problems)


def put_again(store: ObjectStore, damage: Damage, work: Path) -> Damage:
    """Put a damaged product into the store anew, from the folder where it was made.

    Parameters
    ----------
    work : the folder of products and stages that the run with this store worked in
    """
    folder = work / damage.what
    wrong = (*problems_of_product(folder),)
    if wrong:
        advice = f"not repaired: no whole copy in {work} ({wrong[0]}); run the day again"
        return replace(damage, problems=(*damage.problems, advice))
    store.remove([f"{folder.name}/{folder.name}{MANIFEST}"])  # else it would be found finished
    put_product(folder, store)
    return replace(damage, state="repaired")


def _products(held: dict[str, Any]) -> Iterator[tuple[str, str, date]]:
    """Name, place and day of each product whose list is there."""
    for path in sorted(held):
        name, _, file = path.partition("/")
        known = PRODUCT.fullmatch(name)
        if known and file == f"{name}{MANIFEST}":
            yield name, known["place"], date.fromisoformat(known["day"])


def _document(store: ObjectStore, name: str, files: dict[str, str]) -> dict[str, Any]:
    """The provenance of a product; empty where it cannot be read."""
    for file in files:
        if file.endswith(f"/{name}.json"):
            try:
                told: dict[str, Any] = json.loads(store.read_text(f"{name}/{file}") or "{}")
            except ValueError:
                break
            return told if isinstance(told, dict) else {}
    return {}


def fetched_product(store: ObjectStore, name: str, folder: Path) -> tuple[str, ...]:
    """Bring a product near as the folder it was made as; what could not be fetched."""
    try:
        files = read_manifest(store.read_text(f"{name}/{name}{MANIFEST}") or "")
    except ValueError as error:
        return (f"its list of files is damaged: {error}",)
    lost, lines = [], []
    for file, digest in files.items():
        own = file.partition("/")[2]
        if not is_inside(own):
            return (f"its list names {file}, which is not in a folder of its own",)
        lines.append(f"{digest}  {own}\n")
        try:
            store.download(f"{name}/{file}", folder / own)
        except StorageError as error:
            lost.append(error.found)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}{MANIFEST}").write_text("".join(lines))
    return tuple(lost)
