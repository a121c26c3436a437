"""The table of tasks: every network stands in it once, and what it says of settings can be said."""

from dataclasses import fields

import pytest

from minidil import data
from minidil.cli.experiment import Experiment, kind_of
from minidil.cli.settings import Settings
from minidil.cli.tasks import MODELS, PIXELS, TASKS, Task, task_of


def test_a_network_has_one_task_on_a_set() -> None:
    assert len(MODELS) == len(set(MODELS)) == len({name for task in TASKS for name in task.models})
    assert all(task_of(name, usual_set(task)) is task for task in TASKS for name in task.models)


def usual_set(task: Task) -> str:
    return next(name for name, source in data.SOURCES.items() if task.kind in source.kinds)


def test_a_folder_holds_images_for_a_network_of_several_tasks() -> None:
    assert task_of("tcn", "photos") is PIXELS
    assert task_of("wavenet", "words") is task_of("wavenet", "spoken_digits")


def test_a_name_of_none_is_an_image_classifier() -> None:
    assert task_of("vgg_smal") is task_of(None) is task_of("vgg_small")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kept_by)
def test_what_a_task_says(task: Task) -> None:
    assert task.by in task.metrics
    known = {field.name for field in fields(Settings)}
    assert task.usual.keys() | task.idle.keys() <= known
    assert not task.usual.keys() & task.idle.keys()
    assert task.usual.get("model", "vgg_small") in task.models
    assert all(issubclass(kind_of(name, usual_set(task)), Experiment) for name in task.models)
    assert any(task.kind in source.kinds for source in data.SOURCES.values())
