"""The part "Ask it from another program" of the page Export.

Owns: how the command and the examples are shown. Leaves to others: their texts
(`translearn_core/service/examples.py`), the service (`python -m translearn_core serve`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import spaces
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.service import examples
from translearn_ui.shell import frame


def show(run: Run) -> None:
    """The part, folded; not for a pupil of a class, who has no terminal of the machine."""
    if not spaces.is_whole():
        return
    words = _("Ask it from another program")
    with st.expander(words, icon=":material/lan:", key="share_ask"), frame.errors_shown():
        reason = examples.obstacle(run)
        if reason:
            st.caption(f":material/block: {reason}")
            return
        st.markdown(
            _(
                "A shop system, a script or a web page can ask this model over HTTP and gets the same "
                "answers as this app. Start the service in a terminal, in the folder of TransLearn:"
            )
        )
        here, others = st.tabs([_("For this machine"), _("For others, with a key")])
        with here:
            st.code(examples.command(run), language="bash", wrap_lines=True)
            _show_examples(run, with_keys=False)
            st.caption(
                _(
                    "The service answers this machine only, until you start it with keys for others. "
                    "docs/service.md says how. Its page http://127.0.0.1:{port}/docs lets you try it in "
                    "the browser."
                ).format(port=examples.PORT)
            )
        with others:
            st.code(examples.key_command(), language="bash", wrap_lines=True)
            st.code(examples.command(run, with_keys=True), language="bash", wrap_lines=True)
            st.markdown(
                _(
                    "The first line makes a key for a client called shop and prints it. Set it there as "
                    "`{variable}` in the environment, and put the name of this machine in the place of "
                    "127.0.0.1."
                ).format(variable=examples.VARIABLE)
            )
            _show_examples(run, with_keys=True)


def _show_examples(run: Run, *, with_keys: bool) -> None:
    st.markdown(_("Then ask it about `{photo}`:").format(photo=examples.PHOTO))
    lines = examples.examples(run, with_keys=with_keys)
    for tab, example in zip(st.tabs([one.title for one in lines]), lines, strict=True):
        with tab:
            st.code(example.text, language=example.language, wrap_lines=True)
