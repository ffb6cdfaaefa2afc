"""What a run was made with: facts, and every setting with a mark where it was changed."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from translearn_core.i18n import _
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import format, run_text, setting_words, tables


def show(run: Run, metrics: RunMetrics) -> None:
    """What the run was made with: facts, and every setting with a mark where it was changed."""
    with st.expander(_("Settings and facts of this training"), key="results_settings"):
        facts = {
            _("Backbone"): run_text.describe(run.config.settings),
            _("Layers frozen"): _("{n} of {all}").format(
                n=metrics.frozen_layers, all=metrics.total_layers
            ),
            _("Trainable weights"): f"{metrics.trainable_weights:,}",
            _("Photos"): _("{train:,} to learn from, {val:,} validation, {test:,} test").format(
                train=metrics.n_train, val=metrics.n_val, test=metrics.n_test
            ),
            _("Rounds (epochs)"): str(metrics.epochs_run),
            _("Time"): format.duration(metrics.seconds.total),
            _("Device"): str(metrics.device),
            _("Saved model against the measured one"): _(
                "probabilities differ by at most {difference}"
            ).format(difference=format.percent(metrics.parity_max_diff or 0.0, 2)),
        }
        changed = run.config.settings.changed()
        for name, value in run.config.settings.model_dump().items():
            if name in ("backbone", "freeze"):
                continue
            mark = " ●" if name in changed else ""
            title = _(setting_fields()[name].title or name)
            facts[title + mark] = setting_words.words_for(name, value) or "–"
        table = pd.DataFrame({"": list(facts), " ": list(facts.values())})
        st.dataframe(
            tables.fit(table),
            hide_index=True,
            key="results_facts",
            height="content",
            alt=_("Settings and facts of this training"),
        )
        st.caption(_("● differs from the default."))
