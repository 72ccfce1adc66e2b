"""Published migration models as PyMC graphs, each posterior beside the printed number."""

from importlib import import_module
from typing import Any

__version__ = "0.3.0"

# what is public, and where it lives: imported when first used, so that listing,
# auditing and every --help answer at once
_WHERE = {
    "BayesmigError": "errors",
    "CacheWarning": "errors",
    "ConvergenceWarning": "errors",
    "DataError": "errors",
    "DataWarning": "errors",
    "PriorError": "errors",
    "PriorWarning": "errors",
    "RecompiledWarning": "errors",
    "StudyError": "errors",
    "Study": "study",
    "list_studies": "study",
    "load_study": "study",
    "register_study": "study",
    "Spec": "priors",
    "PriorSet": "priors",
    "fit": "fitting",
    "refit": "fitting",
    "compile": "ready",
    "open_fit": "saving",
    "save_fit": "saving",
    "recover": "fitting",
    "discard": "keeping",
    "across_priors": "priorsets",
    "rebase": "results",
    "prior_predictive": "groups",
    "add_groups": "groups",
    "compare": "comparison",
    "summary": "comparison",
    "problems": "diagnostics",
    "plot_compare": "plots",
    "plot_fits": "plots",
    "plot_prior_posterior": "panels",
    "report": "reporting",
    "sensitivity": "powerscaling",
    "misfit": "misfits",
    "loo": "crossvalidation",
    "kfold": "crossvalidation",
    "predict": "prediction",
    "comparisons": "prediction",
    "plot_effects": "effects_plot",
    "calibrate": "calibration",
    "coverage": "calibration",
    "plot_calibration": "calibration_plot",
}
__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that holds it."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bayesmig' has no attribute {name!r}")
    value = getattr(import_module(f"bayesmig.{_WHERE[name]}"), name)
    globals()[name] = value  # next time without the detour, and past any module of that name
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
