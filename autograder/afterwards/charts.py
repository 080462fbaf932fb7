"""Draws what the report's tables say, as SVG that stands in the page and takes its colours."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autograder.afterwards.overview import Band, Lost

# Colours that matplotlib is told, and what stands for them in the page, in its light or dark style.
_INK, _FILL, _LINE = "#010203", "#040506", "#070809"
_STYLED = {_INK: "currentColor", _FILL: "var(--bar)", _LINE: "var(--line)"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_INCHES_WIDE = 6.4


def distribution(bands: Sequence[Band], score: str, students: str) -> str:
    """How many students have which score, with the axes' labels."""
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": "distribution"}):
        figure, axes = _axes(3.0)
        width = bands[0].highest - bands[0].lowest
        axes.bar(
            [band.lowest + width / 2 for band in bands],
            [band.students for band in bands],
            width=0.92 * width,
            color=_FILL,
        )
        axes.set_xticks([bands[0].lowest, *(band.highest for band in bands)])
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(score)
        axes.set_ylabel(students)
        return _svg(figure)


def points_lost(tasks: Sequence[Lost], points: str) -> str:
    """What each task cost on average, beside what it is worth, with the axis's label."""
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": "lost"}):
        figure, axes = _axes(0.9 + 0.34 * len(tasks))
        places = range(len(tasks))
        axes.barh(places, [task.points for task in tasks], facecolor="none", edgecolor=_LINE)
        axes.barh(places, [task.mean for task in tasks], color=_FILL)
        axes.set_yticks(places, [task.task for task in tasks])
        axes.invert_yaxis()
        axes.set_xlabel(points)
        return _svg(figure)


def _axes(inches_high: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_INCHES_WIDE, inches_high), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    """The drawing as an element of a page: no header, no names that another one may have."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    # Its size is the page's matter; a table beside it says the same in words.
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg
    )
    for told, styled in _STYLED.items():
        svg = svg.replace(told, styled)
    return svg
