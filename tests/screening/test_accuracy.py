"""Sentences on accuracy: from self-tests, from verdicts, and from documents that nobody describes."""

import pytest

from audioae.screening.accuracy import MAX_FIGURES, accuracy_sentences, named_figures


def test_mislabeled_reports_recall_and_precision_of_each_kind_of_swap():
    figures = {"recall_at_budget": 0.87, "precision_at_budget": 0.68, "chance": 0.078, "budget": 18}
    (random, albums) = accuracy_sentences("mislabeled", {"share": 0.08, "random": figures, "albums": figures})
    assert random == (
        "Self-test: with 8 % of the labels swapped, the check found 87 % of them, and 68 % of what it flagged "
        "(the 18 lowest scores) had been swapped (8 % expected by chance)."
    )
    assert albums == "With whole albums mislabeled: 87 % found, 68 % of what it flagged had been swapped."


def test_corrupt_reports_mean_auroc_and_the_hardest_fault():
    types = {"hum": {"seen": 0.99, "left_out": 0.9}, "stutter": {"seen": 0.79, "left_out": 0.7}}
    measured = {"types": types, "seen": 0.89, "left_out": 0.8, "broken": 0.02, "false_positive_rate": 0.003}
    auroc, rates = accuracy_sentences("corrupt", measured)
    assert "0.89 for faults that the classifier was trained on and 0.80 for faults that it was not" in auroc
    assert auroc.endswith("hardest to find: stutter (0.79).")
    assert rates == "2 % of the tracks break a rule; the classifier flags 0.3 % of the others."
    assert accuracy_sentences("corrupt", {"broken": 0.02}) == ["2 % of the tracks break a rule."]


def test_generated_reports_auroc_limits_and_abstentions():
    families = {"mel": {"known": 0.98, "left_out": 0.96}, "own_decoder": {"known": 1.0, "left_out": None}}
    measured = {"known": 0.969, "families": families, "false_positive_rate": 0.006, "abstained": 0.09}
    assert accuracy_sentences("generated", measured) == [
        "Self-test: excerpts resynthesized by known decoders are separated from real ones with an AUROC of 0.97, those "
        "of decoders left out of the training with 0.96 (0.5 expected by chance).",
        "0.6 % of the tracks exceed the limit for generated; for 9 % the check cannot tell.",
    ]


def test_a_document_without_sentences_is_shown_as_figures():
    measured = {"types": {"hum": {"seen": 0.5}}, "seen": 0.9, "note": "a sentence"}
    assert named_figures(measured) == ["seen 0.9", "types hum seen 0.5"]
    assert accuracy_sentences("no such check", measured) == ["Self-test: seen 0.9; types hum seen 0.5"]
    many = {f"figure {i}": i for i in range(MAX_FIGURES + 3)}
    assert accuracy_sentences("no such check", many)[0].endswith("; 3 more figures with --json")
    assert accuracy_sentences("duplicate", {}) == []


@pytest.mark.parametrize(
    ("verdicts", "sentences"),
    [
        (
            {"note": "the threshold moves after 10 verdicts of each kind on tracks with a score"},
            ["The threshold moves after 10 verdicts of each kind on tracks with a score."],
        ),
        (
            {"calibrated": {"threshold": 0.43, "precision": 0.95, "recall": 0.9}},
            ["The threshold learned from the verdicts, 0.43, has precision 95 % and recall 90 % (cross-validated)."],
        ),
        ({"calibrated": {"threshold": 0.43, "precision": None, "recall": None}}, []),
    ],
)
def test_verdicts_are_reported_after_the_self_test(verdicts: dict, sentences: list[str]):
    own = {"threshold": 0.5, "precision": 0.8, "recall": 1.0}
    measured = {"verdicts": {"issue": 4, "fine": 1, "the check's own threshold": own, **verdicts}}
    first = (
        "Verdicts: 4 issue, 1 fine. At its own threshold, 0.5, the check has precision 80 % and recall 100 % "
        "on these tracks."
    )
    assert accuracy_sentences("duplicate", measured) == [first, *sentences]
