"""The page's own arithmetic in a browser, against the library's: all that is shown, for random networks and settings."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import chromium
import pytest
from hypothesis import HealthCheck, given, settings
from random_networks import networks

from minidil import nn
from minidil.analysis import picture
from minidil.analysis.explorer.look import Look, facts, look
from minidil.analysis.explorer.network import Network
from minidil.analysis.explorer.sources import of_model, of_schedule
from minidil.analysis.explorer.window import Axis, axis_of, drawn, least_size, usual_size
from minidil.analysis.receptive import receptive_field
from minidil.errors import MinidilError, OptionError

SCRIPTS = Path(picture.__file__).parent / "explorer"

ASK = """
const plain = (name, value) => typeof value === "bigint" ? String(value) : value;
const answers = {
  look([network, depth, at]) {
    const seen = look(network, depth, at), map = coverageMap(seen.counted, seen.box);
    const strips = seen.paths.map((paths, axis) => bars(paths, seen.first[axis], network.size[axis]));
    const counted = seen.counted.map((row) => [...row]), facts = factsOf(network, depth, seen);
    return { ...seen, counted, jump: seen.jump.map(ratio), map, legend: legendOf(counted.flat()), strips, facts };
  },
  pass([settings, frame]) {
    const trial = settings.map((map) => axisOf(5, map)), size = usualSize(trial), axes = settings.map((map) => axisOf(size, map));
    return { size, least: trial.map(leastSize), ...passOf(axes, frame(axes)) };
  },
};
"""


def asked(browser: chromium.Browser, folder: Path, body: str, cases: list[Any]) -> list[Any]:
    """What the body gives for each `one` of the cases, in one go."""
    names = ("arithmetic.js", "drawing.js")
    code = "\n".join((SCRIPTS / name).read_text(encoding="utf-8") for name in names)
    work = f"const cases = {json.dumps(cases)};\nwindow.answer = JSON.stringify(cases.map((one) => {body}), plain);"
    page = f'<!doctype html><meta charset="utf-8"><script>{code}{ASK}{work}</script>'
    path = folder / "cases.html"
    path.write_text(page, encoding="utf-8")
    browser.open(path)
    assert browser.log() == []
    return list(json.loads(browser.run("return window.answer")))


def expected(network: Network, depth: int, seen: Look) -> dict[str, Any]:
    """The same from Python, as JSON would have it."""
    counted = seen.counted.reshape((-1, seen.counted.shape[-1]))
    strips = [picture.bars(paths, seen.first[axis], seen.counted.shape[axis]) for axis, paths in enumerate(seen.paths)]
    found = {
        "at": seen.at,
        "out": seen.out,
        "size": seen.size,
        "start": seen.start,
        "jump": list(map(str, seen.jump)),
        "first": seen.first,
        "paths": [list(map(str, paths)) for paths in seen.paths],
        "counted": counted.tolist(),
        "box": seen.box,
        "within": seen.within,
        "reached": seen.reached,
        "holes": seen.holes,
        "parameters": seen.parameters,
        "map": picture.coverage_map(seen.counted, seen.box),
        "legend": picture.legend(list(map(int, seen.counted.ravel().tolist()))),
        "strips": strips,
        "facts": facts(network, depth, seen),
    }
    return json.loads(json.dumps(found))


def random_models(count: int) -> list[tuple[Network, int, list[int]]]:
    """Networks with branches, pooling, transposed layers and resizing, a row of each, and an output position."""
    found: list[tuple[Network, int, list[int]]] = []
    choose = random.Random(0)

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(networks())
    def collect(case: Any) -> None:
        try:
            network = of_model(case[0], case[2])
        except OptionError:  # no layer in it reads anything but its own position
            return
        depth = choose.randrange(len(network.rows))
        out = network.run.layout(network.rows[depth].value).sizes
        found.append((network, depth, [choose.randrange(n) for n in out]))

    collect()
    return found


def check_models(browser: chromium.Browser, folder: Path, count: int) -> int:
    cases = random_models(count)
    answers = asked(
        browser, folder, "answers.look(one)", [(network.as_data(), depth, at) for network, depth, at in cases]
    )
    for (network, depth, at), answer in zip(cases, answers, strict=True):
        assert answer == expected(network, depth, look(network, depth, at))
    return len(cases)


@pytest.mark.slow
def test_of_random_models(browser: chromium.Browser, tmp_path: Path) -> None:
    assert check_models(browser, tmp_path, 25) > 12


@pytest.mark.long
def test_of_many_random_models(browser: chromium.Browser, tmp_path: Path) -> None:
    assert check_models(browser, tmp_path, 400) > 250


Setting = tuple[str, int, int, int, str]  # as the page has a window: kind, kernel, stride, dilation, padding


def random_settings(choose: random.Random, count: int) -> list[Setting]:
    return [
        (
            choose.choice(("slide", "slide", "slide", "spread")),
            choose.randint(1, 5),
            choose.choice((1, 1, 1, 2, 3)),
            choose.randint(1, 5),
            choose.choice(("half", "half", "none", "full", "causal")),
        )
        for _ in range(count)
    ]


def built(chosen: list[Setting], ndim: int) -> nn.Sequential:
    """Real layers with these settings."""
    model = nn.Sequential()
    for kind, kernel, stride, dilation, padding in chosen:
        axis = axis_of(1, kernel, stride, dilation, padding, False)
        layer = getattr(nn, f"{'Conv' if kind == 'slide' else 'ConvTranspose'}{ndim}d")
        pads = [(axis.before, axis.after)] * ndim
        model.append(layer(2, 2, kernel, stride=stride, dilation=dilation, padding=pads))
    return model


def changed(network: Network, chosen: list[Setting]) -> dict[str, Any]:
    """The data of a schedule after somebody has moved all its sliders."""
    data = network.as_data()
    for ((_, maps),), setting in zip(data["steps"], chosen, strict=False):
        maps[:] = [list(setting)] * network.ndim
    return data


def check_changes(browser: chromium.Browser, folder: Path, count: int) -> int:
    choose, cases, wanted = random.Random(1), [], []
    while len(cases) < count:
        ndim, side = choose.choice((1, 2)), choose.randint(6, 15)
        chosen = random_settings(choose, choose.randint(1, 4))
        shape = (2, *(side,) * ndim)
        try:
            field = receptive_field(built(chosen, ndim), shape)
        except MinidilError:  # a window does not fit
            continue
        if field.reached.size * max(field.size) > 20_000:
            continue
        network = of_schedule((1,) * 3, shape, 2, 1)
        cases.append((changed(network, chosen), len(chosen) - 1, None))
        wanted.append((field, 2 * 2 * sum(setting[1] ** ndim for setting in chosen) + 2 * len(chosen)))
    for answer, (field, parameters) in zip(asked(browser, folder, "answers.look(one)", cases), wanted, strict=True):
        assert (tuple(answer["size"]), tuple(answer["start"])) == (field.size, field.start)
        assert answer["jump"] == list(map(str, field.jump))
        assert [list(map(int, paths)) for paths in answer["paths"]] == [list(axis.paths) for axis in field.axes]
        assert answer["holes"] == [list(holes) for holes in field.holes]
        assert answer["reached"] == field.reached.sum()
        assert answer["parameters"] == parameters
        assert [[n > 0 for n in row] for row in answer["counted"]] == field.reached.reshape(
            (-1, field.reached.shape[-1])
        ).tolist()
    return len(cases)


def test_after_changes_it_is_that_of_the_layers_so_changed(browser: chromium.Browser, tmp_path: Path) -> None:
    assert check_changes(browser, tmp_path, 25) == 25


@pytest.mark.slow
def test_after_many_changes_it_is_that_of_the_layers_so_changed(browser: chromium.Browser, tmp_path: Path) -> None:
    assert check_changes(browser, tmp_path, 400) == 400


def test_of_windows_on_their_way(browser: chromium.Browser, tmp_path: Path) -> None:
    choose, cases, wanted = random.Random(2), [], []
    while len(cases) < 40:
        chosen = random_settings(choose, choose.choice((1, 2)))
        if len({setting[0] for setting in chosen}) > 1:
            continue
        trial = [axis_of(5, k, s, d, p, kind == "spread") for kind, k, s, d, p in chosen]
        size = usual_size(trial)
        axes = [Axis(size, a.kernel, a.stride, a.dilation, a.before, a.after, a.transposed) for a in trial]
        count = axes[0].out * axes[-1].out if len(axes) == 2 else axes[0].out
        frame = choose.randrange(count)
        cases.append((chosen, frame))
        shown = drawn(axes, frame)
        wanted.append({"size": size, "least": [least_size(axis) for axis in trial], **_as_in_the_page(shown)})
    answers = asked(browser, tmp_path, "answers.pass([one[0], () => one[1]])", cases)
    for answer, shown in zip(answers, wanted, strict=True):
        assert answer == shown


def _as_in_the_page(shown: dict[str, str]) -> dict[str, str]:
    return {{"over-box": "overBox", "made-box": "madeBox"}.get(name, name): value for name, value in shown.items()}


def test_branches_that_no_longer_meet_are_an_error(browser: chromium.Browser, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Residual(nn.Conv1d(1, 1, 3, padding=1)), nn.Conv1d(1, 1, 3))
    data = of_model(model, (1, 9)).as_data()
    data["steps"][0][0][1][0][2] = 2
    said = "(() => { try { look(one, 1, null); } catch (error) { return error.message; } })()"
    assert asked(browser, tmp_path, said, [data]) == ["the branches that meet in step 2 have 5 and 9 positions"]
    data["steps"][0][0][1][0][2] = 1
    data["steps"][2][0][1][0][1] = 11
    assert asked(browser, tmp_path, said, [data]) == ["the window of step 3 is larger than what it slides over"]
