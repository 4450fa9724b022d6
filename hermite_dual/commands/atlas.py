"""`hermite-dual atlas`: the data file of the atlas, made again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hermite_dual.commands.shared import Force, check_outputs, errors_to_exit_codes, progress_bar, say


def atlas(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, JSON.")] = Path("atlas.json"),
    cache: Annotated[
        Path | None, typer.Option(help="Folder of finished records, to go on from; <output>.cache by default.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many processes.", min=1)] = 2,
    force: Force = False,
) -> None:
    """Prove every number of the atlas again and write its data file; minutes, and it can be ended and resumed.

    Example: `hermite-dual atlas --output hermite_dual/data/atlas.json --cache build/atlas --force`
    """
    with errors_to_exit_codes():
        from hermite_dual.atlases.build import build_atlas, digest

        check_outputs([output], [], force=force)
        with progress_bar() as progress:
            build_atlas(output, cache=cache, jobs=jobs, progress=progress)
        say(f"wrote {output}; digest of the numbers: {digest(json.loads(output.read_text(encoding='utf-8')))}")
