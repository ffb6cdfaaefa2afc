"""Step 3: how good is it? One figure, then four tabs: overview, mistakes, trust, details."""

from __future__ import annotations

from translearn_core.i18n import _
from translearn_core.runs import ENDED_STATES, Run
from translearn_ui.components import sample_tiles
from translearn_ui.results import (
    attack_view,
    calibration_view,
    class_table,
    learning_view,
    mistakes_view,
    settings_table,
    slices_view,
    summary,
    tabs,
    task_heads_view,
    techniques_view,
)
from translearn_ui.shell import frame


def show_result(run: Run) -> None:
    """Everything about one run with a result."""
    metrics = run.metrics
    predictions = sample_tiles.read_predictions(run)
    summary.show(run, metrics)
    summary.show_next(run)
    summary.show_caveats(run, metrics)
    overview, mistakes, trust, details = tabs.show()
    with overview:
        summary.show_tiles(run)
        class_table.show(run, metrics)
        slices_view.show(metrics)
        task_heads_view.show_results(metrics)
        techniques_view.show(run.config.settings, metrics)
    with mistakes:
        mistakes_view.show(run, metrics, predictions)
    with trust:
        calibration_view.show_threshold(run, predictions)
        calibration_view.show_reliability(metrics, predictions)
        calibration_view.show_unlike(metrics)
        attack_view.show(run, metrics)
    with details:
        learning_view.show(run)
        settings_table.show(run, metrics)


frame.page("results")
run = frame.current_run()
if run is not None and run.has_result and run.state.state in ENDED_STATES:
    show_result(run)
elif run is not None:
    frame.empty_state(
        title=_("No result yet"),
        text=frame.plain(run.problem) or _("This training has no result."),
        icon=":material/hourglass_top:",
        key="results_wait",
        heads=True,
        button=_("See how it is going"),
        page="train",
    )
else:
    frame.empty_state(
        title=_("No result yet"),
        text=_("Train a model. Then you see here how good it is and where it is wrong."),
        icon=":material/insights:",
        key="results",
        heads=True,
        button=_("Go to training"),
        page="train",
    )
