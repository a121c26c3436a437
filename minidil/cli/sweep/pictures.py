"""Pictures of a study: how good the trials were, one after the other; which values they had; and which setting mattered."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil import viz

if TYPE_CHECKING:
    import optuna

_LEAST = 2  # of one trial nothing can be compared


def importances(study: "optuna.Study") -> dict[str, float]:
    """The share of each setting in how the completed trials differ (PED-ANOVA, arXiv:2304.10255); empty if none do."""
    import optuna

    if len({trial.value for trial in _completed(study)}) < _LEAST:
        return {}
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    return {name: float(share) for name, share in found.items()}


def draw(study: "optuna.Study", metric: str, folder: Path) -> list[str]:
    """Write history.png, parallel.png and importance.png into `folder`, as far as there is something to show; their names."""
    import matplotlib.pyplot as plt
    import optuna
    from optuna.visualization import matplotlib as drawing

    if len(_completed(study)) < _LEAST:
        return []
    figures: dict[str, Any] = {
        "history.png": drawing.plot_optimization_history,
        "parallel.png": drawing.plot_parallel_coordinate,
    }
    if importances(study):
        figures["importance.png"] = drawing.plot_param_importances
    for name, plot in figures.items():
        with viz.style(), warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            figure = plot(study, target_name=metric).figure
        viz.save(figure, folder / name)
        plt.close(figure)
    return list(figures)


def _completed(study: "optuna.Study") -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
