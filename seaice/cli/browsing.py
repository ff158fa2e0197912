"""The verb that shows products in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from seaice.cli.show import watched
from seaice.errors import SettingsError

__all__ = ["browse"]


def browse(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of products; several, to compare methods.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    export: Annotated[
        Path | None, typer.Option(help="Write static files into this folder instead.")
    ] = None,
) -> None:
    """Show products in a web browser: days, layers, values of cells, comparisons."""
    from seaice.browse.index import shelf

    products = shelf(folders)
    if export is not None:
        from seaice.browse.export import export as write

        with watched() as progress:
            number = write(products, export, lambda done, steps: progress("export", done, steps))
        typer.echo(f"{number} files in {export}; any web server shows them, such as")
        typer.echo(f"python -m http.server --directory {export}")
        return
    from seaice.browse.server import server

    try:
        serving = server(products, port)
    except OSError as error:
        raise SettingsError(
            f"port {port}, which cannot be used ({error.strerror})", "a free one", "give --port 0"
        ) from error
    with serving:
        address = f"http://127.0.0.1:{serving.server_port}/"
        typer.echo(f"{address}  {len(products.folders)} products; Ctrl-C ends it")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            typer.echo("ended")
