"""The machines of the cluster, what each offers and what runs there.

Owns: this part of My work; nothing is drawn where no cluster is named. Leaves to others: finding them out
(`translearn_core.jobs`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import cluster, spaces
from translearn_core.errors import ClusterError
from translearn_core.i18n import _, ngettext
from translearn_core.jobs import current_runner, placer, warm_up
from translearn_core.jobs.machines import Machine, machines, waiting_for_a_place
from translearn_core.runs import Job, Run
from translearn_core.runs.annotations import display_name
from translearn_ui.shell import frame

EVERY_S = 3.0


def show() -> None:
    """The box with the machines, which looks again by itself."""
    if not cluster.is_named():
        return
    try:
        current_runner().check()
    except ClusterError as error:
        st.error(frame.plain(error.message), icon=":material/lan:")
        return
    _show_machines()


@st.fragment(run_every=EVERY_S)
def _show_machines() -> None:
    warm_up()
    view = placer.read_view()
    with st.expander(_("Machines"), icon=":material/lan:", key="machines", expanded=True):
        if not view.is_fresh:
            st.caption(_("Looking for the machines of the cluster …"))
            return
        if view.problem:
            st.warning(frame.plain(view.problem), icon=":material/warning:")
        for machine in machines(view.nodes):
            _show_machine(machine)
        n = len(waiting_for_a_place())
        if n:
            st.caption(
                ngettext(
                    "{n} training or search waits for a machine.",
                    "{n} trainings and searches wait for a machine.",
                    n,
                ).format(n=n)
            )


def _show_machine(machine: Machine) -> None:
    node = machine.node
    text = f"**{frame.plain(node.name)}**  \n:small[{frame.plain(machine.devices)}]"
    if machine.jobs:
        text += f"  \n:small[:material/model_training: {frame.plain(_what_runs(machine.jobs))}]"
    with st.container(
        horizontal=True, wrap=False, vertical_alignment="center", key=f"machine_{node.id[:12]}"
    ):
        st.markdown(text, width="stretch")
        if machine.jobs:
            st.badge(_("running"), icon=":material/progress_activity:", color="blue")
        elif node.works:
            st.badge(_("free"), icon=":material/check:", color="green")


def _what_runs(jobs: list[Job]) -> str:
    """The names of what runs, for whoever may see them; else how many."""
    if not spaces.is_whole():
        return ngettext("{n} training", "{n} trainings", len(jobs)).format(n=len(jobs))
    return ", ".join(display_name(Run(job.folder)) for job in jobs)
