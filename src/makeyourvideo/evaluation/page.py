"""The page of a suite: its tables, plots and strips, without scripts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from makeyourvideo.evaluation.tables import TOLD, Columns, Table, cell, measures_in
from makeyourvideo.outputs import written_whole


@dataclass(frozen=True)
class Section:
    """What a page shows of a part.

    Attributes:
        columns: the scores behind the first table.
        tables: by title; the first has its plots.
    """

    columns: Columns
    tables: Mapping[str, Table]


def write_page(about: dict[str, Any], sections: Sequence[Section], folder: Path) -> None:
    """Write `index.html`: of each part the tables, a plot a measure, and every strip with its prompt."""
    parts = []
    for place, section in enumerate(sections):
        plot = _plot(next(iter(section.tables.values())), folder / f"measures-{place}.png")
        tables = "".join(f"<h2>{escape(title)}</h2>{_html(table)}" for title, table in section.tables.items())
        parts.append(f"{tables}<img src='{plot.name}'>{_strips(section.columns)}")
    page = (
        "<!doctype html><meta charset=utf-8><title>Held-out suite</title><style>body{font:15px sans-serif;"
        "margin:2em auto;max-width:1200px}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:"
        "left;border-bottom:1px solid #ccc}small{font-weight:400;color:#666}img{max-width:100%}</style>"
        f"<h1>Held-out suite</h1><p>{escape(json.dumps(about))}</p><p>Mean and 95 % interval over scenes; in "
        f"each strip the truth stands over the result.</p>{''.join(parts)}"
    )
    with written_whole(folder / "index.html", force=True) as partial:
        partial.write_text(page, encoding="utf-8")


def _strips(columns: Columns) -> str:
    scores = [(name, score) for name, column in columns.items() for score in column]
    figures = ""
    for scene, prompt in sorted({score.scene: score.prompt for _, score in scores}.items()):
        strips = "".join(
            f"<p>{escape(name)}<br><img loading=lazy src='strips/{score.name}.png'></p>"
            for name, score in scores
            if score.scene == scene
        )
        figures += f"<details><summary>{scene}: {escape(prompt)}</summary>{strips}</details>"
    return figures


def _html(table: Table) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in table)
    rows = "".join(
        f"<tr><th>{escape(name)}<br><small>{escape(TOLD[name])}</small></th>"
        + "".join(f"<td>{cell(column.get(name), name)}</td>" for column in table.values())
        + "</tr>"
        for name in measures_in(table)
    )
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _plot(table: Table, path: Path) -> Path:
    from matplotlib.figure import Figure

    names = measures_in(table)
    figure = Figure(figsize=(12, 2.6 * -(-len(names) // 4)), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(-(-len(names) // 4), 4, place)
        axes.set_title(name, fontsize=9)
        for row, (system, column) in enumerate(table.items()):
            if name in column:
                mean, low, high = (column[name][key] for key in ("mean", "low", "high"))
                axes.errorbar(
                    mean, row, xerr=[[max(mean - low, 0)], [max(high - mean, 0)]], fmt="o", label=system
                )
        axes.set_yticks(range(len(table)), list(table), fontsize=7)
        axes.invert_yaxis()
    with written_whole(path, force=True) as partial:
        figure.savefig(partial, format="png", dpi=110)
    return path
