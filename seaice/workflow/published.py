"""Finished products put into an object store: each there whole, replaced in one step, or absent.

A product's files lie under NAME/KEY/, where KEY is the hash of what it was made of;
NAME/NAME.sha256 names them and is written last. Who reads trusts only what that list names: a run
that is killed leaves files that nobody sees, and a newer product takes over with one small object.
"""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seaice.io.object_store import ObjectStore
from seaice.product.folder import list_product_files, quality_page_path, read_manifest
from seaice.workflow.plan import Plan

__all__ = ["MANIFEST", "listed_in", "publish", "published", "put_product"]

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


def published(plan: Plan) -> dict[str, Any] | None:
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
    held = ObjectStore(url=f"{store.url}/{name}").list_files()
    old = [file for file in held if "/" in file and file not in keep]
    store.remove(f"{name}/{file}" for file in old)
