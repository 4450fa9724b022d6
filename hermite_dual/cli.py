"""The command line `hermite-dual`; each command has a file in `commands/`.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

from typing import Annotated

import typer

from hermite_dual._version import __version__
from hermite_dual.commands import shared
from hermite_dual.commands.atlas import atlas
from hermite_dual.commands.bench import bench
from hermite_dual.commands.check import check, verify
from hermite_dual.commands.demo import demo
from hermite_dual.commands.gram import gram
from hermite_dual.commands.phase import phase
from hermite_dual.commands.show import show
from hermite_dual.commands.table import table
from hermite_dual.commands.train import train
from hermite_dual.commands.validate import validate

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"hermite-dual {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Dual kernels, Gram matrices of infinitely wide deep equilibrium models, and networks that check them."""
    shared.debugging = debug


for command in (demo, show, table, phase, gram, check, verify, validate, train, bench, atlas):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    app(prog_name="hermite-dual")


if __name__ == "__main__":
    main()
