"""The table of tasks: every network stands in it once, and what it says of settings can be said."""

from dataclasses import fields

import pytest

from minidil import data
from minidil.cli.experiment import Experiment, kind_of
from minidil.cli.settings import Settings
from minidil.cli.tasks import MODELS, TASKS, task_of


def test_a_network_has_one_task() -> None:
    assert len(MODELS) == len(set(MODELS)) == sum(len(task.models) for task in TASKS)
    assert all(task_of(name) is task for task in TASKS for name in task.models)


def test_a_name_of_none_is_an_image_classifier() -> None:
    assert task_of("vgg_smal") is task_of(None) is task_of("vgg_small")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_what_a_task_says(task) -> None:
    assert task.by in task.metrics
    known = {field.name for field in fields(Settings)}
    assert task.usual.keys() | task.idle.keys() <= known
    assert not task.usual.keys() & task.idle.keys()
    assert task.usual.get("model", "vgg_small") in task.models
    assert all(issubclass(kind_of(name), Experiment) for name in task.models)
    assert any(task.kind in source.kinds for source in data.SOURCES.values())
