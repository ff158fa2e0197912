"""Finished products put into an object store: each there whole, replaced in one step, or absent.

A product's files lie under NAME/KEY/, where KEY is the hash of what it was made of;
NAME/NAME.sha256 names them and is written last. Who reads trusts only what that list names: a run
that is killed leaves files that nobody sees, and a newer product takes over with one small object.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipelines.plan import Plan
from seaice.series.reading import page_path
from seaice.storage import Store
from seaice.write.product import made_in

__all__ = ["MANIFEST", "named_in", "publish", "published"]

MANIFEST = ".sha256"
AT_ONCE = 8  #: files on their way


def named_in(manifest: str) -> dict[str, str]:
    """The SHA-256 of each file by its name below the product's folder.

    >>> named_in("ab12  0f/map.tif\\n")
    {'0f/map.tif': 'ab12'}
    """
    lines = (line.partition("  ") for line in manifest.splitlines())
    return {name: digest for digest, _, name in lines if name}


def published(plan: Plan) -> dict[str, Any] | None:
    """The provenance of the day's product in the store of the run; None where it is not this one.

    Raises
    ------
    StorageError
        If the store does not answer.
    """
    if plan.settings.run.publish_to is None:
        return None
    store, name = Store.at(plan.settings.run.publish_to), plan.folder.name
    document = f"{plan.product_key}/{name}.json"
    if document not in named_in(store.text(f"{name}/{name}{MANIFEST}") or ""):
        return None
    told: dict[str, Any] = json.loads(store.text(f"{name}/{document}") or "null")
    return told


def publish(plan: Plan) -> None:
    """Put the finished product of a day into the store of the run, if it names one.

    Raises
    ------
    StorageError
        If the store does not take it; what it shows is then as it was.
    """
    if plan.settings.run.publish_to is not None and made_in(plan.folder):
        put_product(plan.folder, Store.at(plan.settings.run.publish_to))


def put_product(folder: Path, store: Store) -> None:
    """Put a product's folder into a store, the list of its files last.

    Raises
    ------
    StorageError
        As `publish`.
    """
    name = folder.name
    key = json.loads((folder / f"{name}.json").read_text())["key"]
    own = (folder / f"{name}{MANIFEST}").read_text()
    manifest = "".join(f"{digest}  {key}/{file}\n" for file, digest in named_in(own).items())
    former = store.text(f"{name}/{name}{MANIFEST}") or ""
    if former != manifest:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            files = named_in(own)
            list(pool.map(lambda file: store.put(f"{name}/{key}/{file}", folder / file), files))
        store.put(f"{name}/{name}{MANIFEST}", manifest.encode())
        _tidy(store, name, keep={*named_in(manifest), *named_in(former)})
    page = page_path(folder)
    if page.exists():
        store.put(f"{name}/{page.name}", page)


def _tidy(store: Store, name: str, keep: set[str]) -> None:
    """Remove generations older than the last two: the former stays for who reads it still."""
    held = Store(url=f"{store.url}/{name}").entries()
    old = [file for file in held if "/" in file and file not in keep]
    store.remove(f"{name}/{file}" for file in old)
