"""Sentences about a run's calibration and limits, for page and report.

Owns: sentences about calibration, the confidence threshold, out-of-distribution detection and the
limits of a model.
Leaves to others: the figures (`evaluation/calibration.py`, `runs/threshold.py`,
`evaluation/ood.py`), the layout.

Sentences are Markdown with nothing but `**bold**` in it; `limits` are plain.
"""

from __future__ import annotations

from translearn_core.evaluation import calibration
from translearn_core.formatting import never_seen, percent
from translearn_core.i18n import _, ngettext
from translearn_core.runs import Run, run_caveats, threshold
from translearn_core.runs.run_metrics import CalibrationMetrics, UnlikeMetrics

_FEWEST_TO_JUDGE = 30


def trade_sentence(trade: threshold.ThresholdEffect, *, share: bool = True) -> str:
    """The effect of a confidence threshold on the test photos, as Markdown.

    Args:
        share: whether the share of right answers may be said; not where many test photos are of
            scenes that were learned from.
    """
    wrong = trade.wrong + trade.avoided
    if not trade.refused:
        return _("All {n} test photos get an answer; {wrong} of them a wrong one.").format(
            n=trade.n, wrong=wrong
        )
    sentence = ngettext(
        "**{refused}** of {n} test photos would be refused, ",
        "**{refused}** of {n} test photos would be refused, ",
        trade.refused,
    ).format(refused=trade.refused, n=trade.n)
    sentence += ngettext(
        "which avoids **{avoided}** of {wrong} mistake; right answers lost: {lost}.",
        "which avoids **{avoided}** of {wrong} mistakes; right answers lost: {lost}.",
        wrong,
    ).format(avoided=trade.avoided, wrong=wrong, lost=trade.lost)
    if share and trade.accuracy is not None:
        sentence += " " + _("Of the others, {share} are right.").format(
            share=percent(trade.accuracy)
        )
    return sentence


def calibration_sentence(figures: CalibrationMetrics | None) -> str:
    """How the confidence was calibrated, and its calibration error, as Markdown."""
    if not figures:
        return _("The confidence of this training was not calibrated.")
    if figures.fitted_on < calibration.MIN_PHOTOS:
        return _("There were too few validation photos to calibrate the confidence.")
    words = {
        "validation": _(
            "Confidence is calibrated: scaled so that it fits what {n} validation photos showed "
            "(temperature {t:.2f})."
        ),
        "out_of_fold": _(
            "Confidence is calibrated: scaled so that it fits what {n} photos showed while they "
            "were kept aside in turn (cross-validation; temperature {t:.2f})."
        ),
    }
    sentence = words[figures.how].format(n=figures.fitted_on, t=figures.temperature)
    if figures.error is None:
        return sentence
    sentence += " " + _(
        "On the test photos it is off by {after} points on average; without it, {before} "
        "(expected calibration error, {bins} bins)."
    ).format(
        after=round(100 * figures.error),
        before=round(100 * (figures.error_before or 0.0)),
        bins=figures.bins,
    )
    return (
        sentence
        + " "
        + _(
            "With so few photos even perfect confidence would look {chance} points off by chance."
        ).format(chance=round(100 * (figures.error_by_chance or 0.0)))
    )


def unlike_sentence(figures: UnlikeMetrics) -> str:
    """Out-of-distribution detection and its error rates, as Markdown."""
    parts = [
        _(
            "A new photo is compared with {n:,} training photos. Where even the nearest ones are "
            "far away, the model says **{words}** "
            "(out-of-distribution detection by the distance in feature space)."
        ).format(n=figures.photos, words=never_seen())
    ]
    if figures.refused is not None and figures.n_test >= _FEWEST_TO_JUDGE:
        low, high = figures.refused_interval or (0.0, 1.0)
        parts.append(
            _(
                "It says so, wrongly, of **{share}** of the test photos, which are all of known "
                "kinds (false refusals; 95 % interval {low} to {high})."
            ).format(
                share=percent(figures.refused),
                low=percent(low),
                high=percent(high),
            )
        )
    if figures.accepted is not None:
        parts.append(
            _(
                "And of photos of an unknown kind it still takes about **{share}** for a known one "
                "(false accepts). That was measured by leaving out each class in turn and showing "
                "its photos; the more a photo differs from your classes, the better it is detected."
            ).format(share=percent(figures.accepted))
        )
    return "\n\n".join(parts)


def limits(run: Run) -> list[str]:
    """What a person should know before relying on a run's model: sentences, the general ones last.

    Raises:
        RunError: the run has no figures.
    """
    metrics = run.metrics
    said = [*run_caveats.caveats_of(metrics), *(str(text) for text in metrics.warnings)]
    found = list(dict.fromkeys(said))
    low, high = metrics.test_interval
    n = metrics.n_test if metrics.test_accuracy is not None else 0
    if n and high - low > 0.1:
        found.append(
            _(
                "Tested on {n} photos only: the 95 % confidence interval of its accuracy reaches "
                "from {low} to {high}."
            ).format(n=n, low=percent(low), high=percent(high))
        )
    if n and low <= metrics.guessing:
        found.append(
            _("Its accuracy is not significantly above that of always giving the same answer.")
        )
    return [
        *found,
        strange_photos(metrics.unlike),
        _(
            "The figures hold for photos like those it was tested with: the same places, cameras, "
            "light and seasons. Elsewhere it may do worse."
        ),
        _(
            "It may have learned something that only happens to go with a class, like a "
            "background. Look at its mistakes before you trust it, and let a person decide where "
            "it matters."
        ),
    ]


def strange_photos(figures: UnlikeMetrics | None) -> str:
    """What the model says of a photo of something else, and how reliably."""
    if figures is None or figures.threshold is None:
        return _(
            "It always answers with one of its classes, also for a photo that shows something else "
            "entirely."
        )
    sentence = _(
        "A photo of something else is not always noticed: it may still be taken for one of the "
        "classes."
    )
    if figures.accepted is None:
        return sentence
    return (
        sentence
        + " "
        + _("That happened to {share} of photos of a class left out on purpose.").format(
            share=percent(figures.accepted)
        )
    )
