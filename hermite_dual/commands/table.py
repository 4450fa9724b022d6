"""`hermite-dual table`: a table of activations for a paper."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hermite_dual.commands.shared import (
    Force,
    ModelOptions,
    SigmaB,
    SigmaU,
    SigmaW,
    SigmaW2,
    Sphere,
    check_outputs,
    errors_to_exit_codes,
    progress_bar,
    read_data,
    say,
    what_was_read,
)


class Format(StrEnum):
    """Formats of a table."""

    TEXT = "text"
    LATEX = "latex"
    MARKDOWN = "markdown"
    CSV = "csv"
    HTML = "html"
    JSON = "json"


class Layout(StrEnum):
    """Layouts of a table."""

    WIDE = "wide"
    LONG = "long"


_ENDINGS = {".tex": Format.LATEX, ".md": Format.MARKDOWN, ".txt": Format.TEXT} | {
    f".{one.value}": one for one in (Format.CSV, Format.HTML, Format.JSON)
}


def table(
    activations: Annotated[list[str], typer.Argument(help="Catalogue names or formulas in x; `all` is the catalogue.")],
    *,
    columns: Annotated[
        str | None, typer.Option(help="Column keys separated by commas, such as name,dual,coefficients,lambda.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Samples for lambda and the theory's bounds; - reads standard input.")
    ] = None,
    sigma_w2: SigmaW2 = None,
    sigma_w: SigmaW = None,
    sigma_u: SigmaU = None,
    sigma_b: SigmaB = None,
    sphere: Sphere = True,
    coefficients: Annotated[int, typer.Option(help="How many Hermite coefficients.", min=0, max=64)] = 4,
    digits: Annotated[int, typer.Option(help="Significant digits.", min=1, max=12)] = 6,
    form: Annotated[Format | None, typer.Option("--format", help="By default what --output ends in, or text.")] = None,
    layout: Annotated[Layout, typer.Option(help="A row per activation, or per activation and quantity.")] = Layout.WIDE,
    output: Annotated[Path | None, typer.Option(help="File to write; otherwise the table is printed.")] = None,
    force: Force = False,
) -> None:
    """Write a table of activations whose every digit is proven.

    Examples: `hermite-dual table relu tanh gelu --format latex`,
    `hermite-dual table tanh gelu --columns name,lambda,khatri_rao --data X.npy --output table.tex`
    """
    with errors_to_exit_codes():
        import hermite_dual as hd

        check_outputs([] if output is None else [output], [data], force=force)
        samples = None if data is None else read_data(data)
        if samples is not None and sphere:
            samples = hd.on_sphere(samples)
        names = [entry.name for entry in hd.catalogue()] if activations == ["all"] else activations
        with progress_bar() as progress:
            made = hd.table(
                names,
                None if columns is None else [key.strip() for key in columns.split(",")],
                data=samples,
                **_scales(sigma_w2, sigma_w, sigma_u, sigma_b),
                coefficients=coefficients,
                digits=digits,
                progress=progress,
            )
        chosen = form or (_ENDINGS.get(output.suffix, Format.TEXT) if output else Format.TEXT)
        options = {} if chosen is Format.JSON else {"layout": layout.value}
        text: str = getattr(made, f"to_{chosen.value}")(**options)
        if samples is not None:
            say(what_was_read(data, samples, sphere=sphere), err=True)
        if output is None:
            say(text.rstrip("\n"))
            return
        from hermite_dual.data.atomic import atomic_path

        with atomic_path(output) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        say(f"wrote {output}")


def _scales(
    sigma_w2: float | None, sigma_w: float | None, sigma_u: float | None, sigma_b: float | None
) -> dict[str, float]:
    """The scales of the model, by default the papers'; with others than theirs all three are named."""
    if sigma_w is None and sigma_u is None and sigma_b is None:
        return {} if sigma_w2 is None else {"sigma_w2": sigma_w2}
    model = ModelOptions(sigma_w2, sigma_w, sigma_u, sigma_b, depth=0).equilibrium("tanh")
    return {"sigma_w": model.sigma_w, "sigma_u": model.sigma_u, "sigma_b": model.sigma_b}
