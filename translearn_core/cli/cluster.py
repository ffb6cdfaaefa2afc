"""The command that shows the cluster: `cluster`."""

from __future__ import annotations

from typing import Any

from translearn_core import cluster as connection
from translearn_core.cli.app import JsonOption, app
from translearn_core.cli.screen import print_json, print_line
from translearn_core.i18n import _, ngettext


@app.command()
def cluster(json_: JsonOption = False) -> int:
    """Show the machines of the cluster that `config.toml` names, and what runs on each."""
    from translearn_core.jobs.machines import machines, waiting_for_a_place
    from translearn_core.jobs.placer import ensure

    connection.check_folder()
    with connection.connected() as ray:
        nodes = connection.list_nodes(ray)
    found, waiting = machines(nodes), waiting_for_a_place()
    if waiting:
        ensure()
    if json_:
        told: dict[str, Any] = {
            "nodes": [
                machine.node.model_dump(mode="json")
                | {"jobs": [str(job.folder) for job in machine.jobs]}
                for machine in found
            ],
            "waiting": [str(job.folder) for job in waiting],
        }
        print_json(told, indent=None)
        return 0
    for machine in found:
        print_line(f"{machine.node.name}  {machine.node.address}  {machine.devices}")
        for job in machine.jobs:
            print_line(f"  {job.id}")
    print_line(
        ngettext(
            "{n} training or search waits for a machine.",
            "{n} trainings and searches wait for a machine.",
            len(waiting),
        ).format(n=len(waiting))
        if waiting
        else _("Nothing waits for a machine.")
    )
    return 0
