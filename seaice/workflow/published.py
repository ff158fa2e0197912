"""Publishes, lists, verifies and restores products in an object store.

A product's files are stored under NAME/KEY/, where KEY is the hash of the product's inputs.
NAME/NAME.sha256 lists them and is written last. Readers use only the files in that list, so an
interrupted upload is never visible, and a newer product replaces an older one by one small object.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from seaice.errors import StorageError
from seaice.io.object_store import ObjectStore
from seaice.product.folder import is_inside, list_product_files, quality_page_path, read_manifest
from seaice.workflow.plan import Plan
from seaice.workflow.season.status import PRODUCT, Status, no_products, status_of
from seaice.workflow.season.verify import Damage, ProductCount, problems_of_product

__all__ = [
    "MANIFEST",
    "count_stored_products",
    "fetch_product",
    "list_stored_damages",
    "list_stored_statuses",
    "listed_in",
    "publish",
    "published_provenance",
    "put_product",
    "restore_product",
]

logger = logging.getLogger(__name__)

MANIFEST = ".sha256"
AT_ONCE = 8  #: files on their way


def listed_in(store: ObjectStore, name: str) -> dict[str, str]:
    """The SHA-256 of each file of a product in a store; empty where it is not published.

    A list that is damaged, or names a path outside the product's folder, counts as none: what it
    names is not trusted, and the product is published again.

    Raises
    ------
    StorageError
        If the store does not answer.
    """
    try:
        return read_manifest(store.read_text(f"{name}/{name}{MANIFEST}") or "")
    except ValueError as error:
        logger.warning("the list of files of %s in %s is not used: %s", name, store.url, error)
        return {}


def published_provenance(plan: Plan) -> dict[str, Any] | None:
    """The provenance of the day's product in the store of the run; None where it is not this one.

    Raises
    ------
    StorageError
        If the store does not answer.
    """
    if plan.settings.run.publish_to is None:
        return None
    store, name = ObjectStore.from_url(plan.settings.run.publish_to), plan.folder.name
    document = f"{plan.product_key}/{name}.json"
    if document not in listed_in(store, name):
        return None
    try:
        told: Any = json.loads(store.read_text(f"{name}/{document}") or "null")
    except ValueError:
        return None  # damaged: it counts as not made
    return told if isinstance(told, dict) and "status" in told else None


def publish(plan: Plan) -> None:
    """Put the finished product of a day into the store of the run, if it names one.

    Raises
    ------
    StorageError
        If the store does not take it; what it shows is then as it was.
    """
    if plan.settings.run.publish_to is not None and list_product_files(plan.folder):
        put_product(plan.folder, ObjectStore.from_url(plan.settings.run.publish_to))


def put_product(folder: Path, store: ObjectStore) -> None:
    """Put a product's folder into a store, the list of its files last.

    Raises
    ------
    StorageError
        As `publish`.
    """
    name = folder.name
    key = json.loads((folder / f"{name}.json").read_text())["key"]
    own = read_manifest((folder / f"{name}{MANIFEST}").read_text())
    manifest = "".join(f"{digest}  {key}/{file}\n" for file, digest in own.items())
    former = store.read_text(f"{name}/{name}{MANIFEST}") or ""
    if former != manifest:
        replaced = listed_in(store, name)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda file: store.upload(f"{name}/{key}/{file}", folder / file), own))
        store.upload(f"{name}/{name}{MANIFEST}", manifest.encode())
        _tidy(store, name, keep={*read_manifest(manifest), *replaced})
    page = quality_page_path(folder)
    if page.exists():
        store.upload(f"{name}/{page.name}", page)


def _tidy(store: ObjectStore, name: str, keep: set[str]) -> None:
    """Remove generations older than the last two: the former stays for who reads it still."""
    stored = ObjectStore(url=f"{store.url}/{name}").list_files()
    old = [file for file in stored if "/" in file and file not in keep]
    store.remove(f"{name}/{file}" for file in old)


def list_stored_statuses(store: ObjectStore) -> Iterator[Status]:
    """Every day that the store shows, by place and date.

    Raises
    ------
    StorageError
        If it does not answer.
    """
    stored = store.list_files()
    for name, place, day in _listed_products(stored):
        files = listed_in(store, name)
        absent = [file for file in files if f"{name}/{file}" not in stored]
        yield status_of({} if absent else _document(store, name, files), place, str(day))


def count_stored_products(store: ObjectStore) -> ProductCount:
    """How many products the store shows.

    Raises
    ------
    NoInputError
        If there is none.
    StorageError
        If it does not answer.
    """
    products = sum(1 for _ in _listed_products(store.list_files()))
    if not products:
        raise no_products(store.url)
    return ProductCount(products=products, days=0)


def list_stored_damages(store: ObjectStore) -> Iterator[Damage]:
    """What is damaged in the store; every product is fetched and read, one after another.

    Raises
    ------
    StorageError
        If it does not answer.
    """
    for name, place, day in _listed_products(store.list_files()):
        with tempfile.TemporaryDirectory() as near:
            folder = Path(near, name)
            lost = fetch_product(store, name, folder)
            problems = lost or (*problems_of_product(folder),)
        if problems:
            yield Damage(what=name, place=place, day=day, problems=problems)


def restore_product(store: ObjectStore, damage: Damage, work: Path) -> Damage:
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


def _listed_products(held: dict[str, Any]) -> Iterator[tuple[str, str, date]]:
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


def fetch_product(store: ObjectStore, name: str, folder: Path) -> tuple[str, ...]:
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
