"""Plots are SVG that a page can hold as it is."""

from xml.etree import ElementTree as ET

import pytest

from bench.plots import bars, lines, shown


def test_bars_are_in_proportion_and_a_missing_figure_is_said() -> None:
    drawn = ET.fromstring(bars("stored <a>", {"ours": [10.0, 30.0, 20.0], "peer": [10.0], "gone": []}, "ours"))
    widths = [float(rect.attrib["width"]) for rect in drawn.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert len(list(drawn.iter("circle"))) == 4
    assert "no figure" in [text.text for text in drawn.iter("text")]


def test_lines_keep_within_the_picture() -> None:
    drawn = ET.fromstring(lines("rates", {"stored": [(0.5, 10.0), (1.0, 40.0)], "received": []}))
    line = next(iter(drawn.iter("polyline")))
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert all(0 <= x <= 640 and 0 <= y <= 150 for x, y in points)


def test_numbers_show_what_matters() -> None:
    assert [shown(value) for value in (15_234.4, 12.345, 0.12345)] == ["15,234", "12.3", "0.123"]
