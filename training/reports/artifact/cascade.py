"""The report's part about rankings in two stages."""

from ranker.artifact import Artifact
from ranker.fusion import DEFAULT
from ranker.student import Agreement
from training.display import AGREEMENT, agreement_lines
from training.reports.charts import lines
from training.reports.page import Page

WHAT = {
    "sampled": "A held-out row's context with candidates of other held-out rows, as many as in requests; as many are "
    "kept as in serving. Time is that of scoring, measured by `distill`.",
    "logged": "Groups of held-out rows as they were logged. They are shorter than requests, and the plain share is "
    "kept, although the service would score all of so few.",
}


def add_cascade(page: Page, artifact: Artifact) -> None:
    """Agreement with the full ranking against cost; nothing for an artifact without a student."""
    student = artifact.student
    if student is None:
        return
    page.heading("Ranking in two stages").text(
        "A student scores all candidates, and the full model the share that is kept. Gains of NDCG@10 are the full "
        "model's fused scores above the lowest of the list; regret is what the top 10 lose of its mean fused score."
    )
    doubt = artifact.student_doubt()
    if doubt is not None:
        page.note(f"Used only by requests that ask for it: {doubt}.")
    for each in student.agreement:
        page.text(f"{each.count:,} {each.lists} lists of {each.candidates:,.0f} candidates. {WHAT[each.lists]}")
        page.table(list(AGREEMENT), agreement_lines(each, student.keep))
    if curve := [record for each in student.agreement for record in _curve(each)]:
        page.chart(lines(curve, "time of scoring", "agreement", "measure", points=True))
    others = {name: found.ndcg for name, found in student.fusions.items() if name != DEFAULT}
    if others:
        page.table(
            ["fusion", f"NDCG@10 at {student.keep:g}"],
            [[name, "undefined" if ndcg is None else f"{ndcg:.5f}"] for name, ndcg in others.items()],
        )


def _curve(agreement: Agreement) -> list[dict[str, float | str]]:
    """NDCG and recall by relative cost, where it was measured."""
    return [
        {"time of scoring": point.cost, "agreement": value, "measure": measure}
        for point in agreement.points
        for measure, value in (("NDCG@10", point.ndcg), ("recall of the top 10", point.recall))
        if point.cost is not None and value is not None
    ]
