"""Show results: a table on the terminal, JSON to keep, a roofline picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minidil import viz
from minidil.bench.cases import ConvCase
from minidil.bench.machine import Machine
from minidil.errors import BackendError

Row = dict[str, Any]


def conditions(machine: Machine, rounds: int) -> str:
    """One line that says under which conditions the figures hold."""
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.threads} threads; {machine.system}; {versions}; "
        f"{machine.blas}; matmul peak {machine.peak:.0f} GFLOP/s; copy {machine.bandwidth:.0f} GB/s; "
        f"{'' if machine.load is None else f'load {machine.load:.1f}; '}medians of {rounds} interleaved rounds, float32"
    )


def table(rows: Sequence[Row], machine: Machine | None = None) -> None:
    """Print the rows. Raises: BackendError if the package rich is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        raise BackendError("the tables of bench need the package rich: pip install 'minidil[bench]'") from None
    columns = [name for name in _FORMATS if any(row.get(name) is not None for row in rows)]
    shown = Table(show_edge=False, pad_edge=False)
    for name in columns:
        words = name in ("case", "part", "library")
        shown.add_column(_FORMATS[name][0], justify="left" if words else "right", no_wrap=words)
    if machine and "gflops" in columns:
        shown.add_column("of peak", justify="right")
    for row in rows:
        cells = [_FORMATS[name][1].format(row[name]) if row.get(name) is not None else "" for name in columns]
        if machine and "gflops" in columns:
            cells.append(f"{row['gflops'] / machine.peak:.0%}" if "gflops" in row else "")
        shown.add_row(*cells)
    console = Console()
    # A file or a pipe has no width: give the table the room that it needs.
    (console if console.is_terminal else Console(width=180)).print(shown)


_FORMATS: dict[str, tuple[str, str]] = {
    "case": ("case", "{}"),
    "part": ("part", "{}"),
    "library": ("library", "{}"),
    "seconds": ("seconds", "{:.6f}"),
    "cpu_seconds": ("cpu seconds", "{:.6f}"),
    "torch_seconds": ("torch seconds", "{:.6f}"),
    "ratio": ("ratio to torch", "{:.2f}"),
    "ratio_mygrad": ("ratio to mygrad", "{:.2f}"),
    "ratio_onnxruntime": ("ratio to onnxruntime", "{:.2f}"),
    "gflops": ("GFLOP/s", "{:.1f}"),
    "gbytes": ("GB/s", "{:.3g}"),
    "images": ("images/s", "{:.0f}"),
    "error": ("max error", "{:.1e}"),
    "before": ("MiB before", "{:.0f}"),
    "peak": ("MiB peak", "{:.0f}"),
    "first_step": ("s to first step", "{:.2f}"),
}


def beside(rows: Sequence[Row]) -> list[Row]:
    """For each case and part minidil's row alone, with the seconds of PyTorch in its better memory order."""
    own = [row for row in rows if row["library"] == "numba"]
    return [row | {"torch_seconds": row["seconds"] / row["ratio"]} if row["ratio"] else row for row in own]


def content(rows: Sequence[Row], machine: Machine, rounds: int) -> dict[str, Any]:
    """Everything that was measured, with its conditions, for a JSON document."""
    return {"machine": asdict(machine), "rounds": rounds, "rows": list(rows)}


def roofline(path: Path, rows: Sequence[Row], machine: Machine) -> None:
    """Draw the speed of each forward pass against its arithmetic intensity, below the roof that this machine sets.

    The roof is min(peak, bandwidth x intensity), with the intensity in operations per byte that must be moved at least
    (Williams, Waterman & Patterson 2009, "Roofline"). Winograd does fewer operations than are counted, and may pierce it.
    """
    from matplotlib.figure import Figure

    forward = [row for row in rows if row["part"] == "forward"]
    intensity = {row["case"]: _intensity(row["case"]) for row in forward}
    with viz.style():
        figure = Figure(figsize=(9.0, 4.8), layout="constrained")
        axes = figure.subplots()
        low, high = 0.5 * min(intensity.values()), 2 * max(intensity.values())
        knee = machine.peak / machine.bandwidth
        corners = [low, *([knee] if low < knee < high else []), high]
        roof = [min(machine.peak, machine.bandwidth * corner) for corner in corners]
        axes.plot(
            corners, roof, color=viz.BLACK, label=f"roof: {machine.peak:.0f} GFLOP/s, {machine.bandwidth:.0f} GB/s"
        )
        for library, marker in zip(dict.fromkeys(row["library"] for row in forward), "osD^v", strict=False):
            own = [row for row in forward if row["library"] == library]
            points = [intensity[row["case"]] for row in own], [row["gflops"] for row in own]
            axes.plot(*points, marker, linestyle="none", label=library)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="operations per byte",
            ylabel="GFLOP/s",
            title="convolution, forward pass",
        )
        axes.legend(fontsize="small")
    viz.save(figure, path)


def _intensity(name: str) -> float:
    case = ConvCase.parse(name)
    return case.flops / case.bytes
