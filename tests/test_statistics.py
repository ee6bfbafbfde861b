"""Comparisons in blocks against a published example, scipy and theory; missing runs cost intervals and no traceback."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from finefit.analysis import decisions, statistics
from finefit.analysis.blocks import NAMED, PAIRS, Fit, complete
from finefit.analysis.statistics import Estimate

# Vascular grafts: percent without flicks at four extrusion pressures, each on the same six batches of resin
# (Montgomery, Design and Analysis of Experiments, example 4.1, tables 4.3 and 4.4).
GRAFTS = pd.DataFrame(
    [
        [90.3, 89.2, 98.2, 93.9, 87.4, 97.9],
        [92.5, 89.5, 90.6, 94.7, 87.0, 95.8],
        [85.5, 90.8, 89.6, 86.2, 88.0, 93.4],
        [82.5, 89.5, 85.6, 87.4, 78.9, 90.7],
    ],
    index=["8500", "8700", "8900", "9100"],
)


def plain(found: Estimate) -> Estimate:
    """A difference at the textbook's level, for methods that are known to be equally variable."""
    return replace(found, tests=1.0)


def test_a_published_block_design_comes_out_as_printed():
    fit = Fit(GRAFTS)
    assert fit.freedom == 15
    assert fit.pooled * 15 == pytest.approx(109.89, abs=0.01)
    assert fit.pooled == pytest.approx(7.33, abs=0.005)
    assert list(fit.used.mean(axis=1).round(2)) == [92.82, 91.68, 88.92, 85.77]
    between = 6 * np.var(fit.used.mean(axis=1)) * 4 / 3
    assert between / fit.pooled == pytest.approx(8.11, abs=0.005)


def test_pairs_of_a_block_design_separate_by_tukeys_table():
    """q(0.05; 4, 15) is 4.08 in printed tables."""
    fit = Fit(GRAFTS)
    least = 4.08 * math.sqrt(7.33 / 6)
    critical = statistics.critical(0.05, 4, 15) * math.sqrt(2)
    assert critical == pytest.approx(4.08, abs=0.005)
    assert critical * math.sqrt(fit.pooled / 6) == pytest.approx(least, rel=2e-3)
    pooled = {
        pair: Estimate(fit.difference(*pair).mean, math.sqrt(2 * fit.pooled / 6), 15, 6, methods=4)
        for pair in combinations(GRAFTS.index, 2)
    }
    apart = {pair for pair, found in pooled.items() if decisions.verdict(found) in ("lower", "higher")}
    assert apart == {("8500", "9100"), ("8700", "9100")}
    assert all(fit.difference(*pair).half >= found.half for pair, found in pooled.items())


def test_tukeys_range_is_scipys():
    random = np.random.default_rng(3)
    groups = [random.normal(mean, 1, 7) for mean in (0, 0.5, 1.5, 1.7)]
    theirs = stats.tukey_hsd(*groups)
    intervals = theirs.confidence_interval(0.95)
    variance = np.mean([np.var(group, ddof=1) for group in groups])
    for i, j in combinations(range(4), 2):
        ours = Estimate(groups[i].mean() - groups[j].mean(), math.sqrt(2 * variance / 7), 24, 7, methods=4)
        assert (ours.low, ours.high) == pytest.approx((intervals.low[i, j], intervals.high[i, j]), rel=1e-6)
        assert ours.p == pytest.approx(theirs.pvalue[i, j], abs=1e-8)


def test_two_methods_are_the_paired_t_test():
    first, second = [1.2, 49.7, -30.9, 8.0], [3.0, 52.2, -29.0, 9.4]
    fit = Fit(pd.DataFrame([first, second], ["a", "b"]))
    expected = stats.ttest_rel(first, second)
    for found in (fit.difference("a", "b"), fit.contrast({"a": 1, "b": -1})):
        assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
        assert found.p == pytest.approx(expected.pvalue)
    assert decisions.verdict(fit.difference("a", "b")) == "lower"
    alone = stats.t.interval(1 - 0.025, 3, np.mean(first), stats.sem(first))
    assert (fit.mean("a").low, fit.mean("a").high) == pytest.approx(alone)


def test_what_a_seed_does_to_all_methods_changes_no_comparison():
    fits = [Fit(GRAFTS), Fit(GRAFTS + [100.0, -50.0, 3.0, 0.0, 9.0, -7.0])]
    assert fits[0].difference("8500", "9100").half == pytest.approx(fits[1].difference("8500", "9100").half)
    assert fits[0].mean("8900").half == pytest.approx(fits[1].mean("8900").half)


def test_only_the_louder_method_keeps_a_variance_of_its_own():
    random, seen = np.random.default_rng(4), []
    for _ in range(300):
        table = random.normal(size=(6, 40))
        table[2] *= 3
        seen.append(Fit(pd.DataFrame(table, list("abcdef"))).variances)
    found = pd.concat(seen, axis=1).mean(axis=1)
    assert found["c"] == pytest.approx(9, rel=0.03)  # unbiased: Russell and Bradley
    assert found.drop("c").to_numpy() == pytest.approx(np.full(5, (5 + 9) / 6), rel=0.03)


def test_a_contrast_weighs_means_and_errors():
    fit = Fit(GRAFTS)
    found = fit.contrast({"8500": 0.5, "8700": 0.5, "8900": -0.5, "9100": -0.5})
    assert found.mean == pytest.approx((92.82 + 91.68 - 88.92 - 85.77) / 2, abs=0.01)
    assert found.error == pytest.approx(math.sqrt(fit.variances.sum() / 4 / 6))
    assert found.half == pytest.approx(stats.t.ppf(1 - 0.025 / NAMED, 15) * found.error)
    assert found.among(4).half == pytest.approx(stats.t.ppf(1 - 0.025 / NAMED / 4, 15) * found.error)
    nothing = fit.contrast({"8500": 1.0, "8700": 0.0})
    assert nothing.mean == pytest.approx(92.82, abs=0.01)


def test_missing_runs_leave_complete_blocks_or_methods_out():
    table = GRAFTS.copy()
    table.loc["8700", 2] = math.nan
    assert Fit(table).used.shape == (4, 5)
    table.loc["8900", 1:] = math.nan  # one run is left of it
    fit = Fit(table)
    assert list(fit.used.index) == ["8500", "8700", "9100"] and fit.used.shape[1] == 5
    left_out = fit.difference("8500", "8900")
    assert (left_out.mean, left_out.count) == (pytest.approx(90.3 - 85.5), 1)
    assert math.isnan(left_out.half) and decisions.verdict(left_out) == "one seed"
    assert (fit.mean("8900").mean, fit.mean("8900").count) == (85.5, 1)
    table.loc["9100"] = [math.inf, *[math.nan] * 5]  # a failed method
    fit = Fit(table)
    assert list(fit.used.index) == ["8500", "8700"]
    assert decisions.verdict(fit.difference("8500", "9100")) == "pending"
    assert fit.mean("9100").count == 0 and decisions.seeds_to_decide(fit.difference("8500", "9100")) is None


def test_seeds_that_overlap_for_no_two_methods_compare_nothing():
    table = pd.DataFrame([[1.0, 2.0, math.nan, math.nan], [math.nan, math.nan, 3.0, 4.0]], ["a", "b"])
    fit = Fit(table)
    assert fit.freedom == 0
    assert decisions.verdict(fit.difference("a", "b")) == "pending"
    assert math.isnan(fit.mean("a").half)
    assert complete(pd.DataFrame(columns=[0, 1], dtype=float)).empty
    three = pd.DataFrame([[1, 2, 3], [1, 2, math.nan], [math.nan, 2, 3]], list("abc"), dtype=float)
    assert decisions.verdict(Fit(three).difference("a", "c")) == "no interval"


def test_one_seed_has_no_interval_and_no_ranking():
    fit = Fit(GRAFTS[[0]])
    assert math.isnan(fit.mean("8500").half)
    assert decisions.verdict(fit.difference("8500", "9100")) == "one seed"


@pytest.mark.parametrize("table", [np.zeros((3, 2)), [[0.503906, 0.5], [0.25, 0.246094], [0.75, 0.746094]]])
def test_residuals_that_vanish_by_chance_separate_nothing(table):
    """Accuracies in steps of 1/256, to six digits: two seeds whose differences happen to agree."""
    fit = Fit(pd.DataFrame(table, list("abc")))
    found = fit.difference("a", "b")
    assert fit.freedom == 0 and found.count == 2
    assert decisions.verdict(found, margin=0.1) == "no interval"
    assert math.isnan(found.p) and math.isnan(fit.mean("a").half)
    assert decisions.verdict(replace(found, error=0.0)) in ("not separated", "higher")


def test_equivalence_is_two_one_sided_tests():
    differences = np.array([0.11, -0.05, 0.08, 0.02, -0.01])
    found = statistics.estimate(differences)
    for margin in (0.05, 0.1, 0.3):
        above = stats.ttest_1samp(differences, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(differences, margin, alternative="less").pvalue
        assert decisions.equivalence(found, margin) == pytest.approx(max(above, below))
    assert decisions.verdict(found, 0.3) == "equal within the margin"
    assert decisions.verdict(found, 0.05) == "not separated"
    assert math.isnan(decisions.equivalence(statistics.NOTHING, 0.1))


def test_a_difference_larger_than_the_margin_is_rarely_called_equal():
    draws = np.random.default_rng(5).normal(0.5, 1, (4000, 12))
    called = [decisions.equivalence(statistics.estimate(row), 0.5) < 0.05 for row in draws]
    assert np.mean(called) < 0.06


def test_so_many_seeds_decide_four_times_out_of_five():
    now = Fit(pd.DataFrame([[0.0, 1.0, 2.0], [0.4, 1.9, 3.9]], ["a", "b"])).difference("a", "b")
    seeds = decisions.seeds_to_decide(now)
    spread = now.error * math.sqrt(now.count)
    draws = np.random.default_rng(6).normal(now.mean, spread, (4000, seeds))
    found = [decisions.verdict(statistics.estimate(row)) == "lower" for row in draws]
    assert 0.78 < np.mean(found) < 0.9
    assert decisions.seeds_to_decide(replace(now, mean=1e-6)) is None
    assert decisions.seeds_to_decide(replace(now, mean=1e-6), margin=spread) < decisions.MOST_SEEDS


def test_pairs_hold_at_the_level_that_a_loud_method_costs():
    found = Fit(GRAFTS).difference("8500", "8700")
    assert found.half == pytest.approx(stats.studentized_range.ppf(1 - 0.05 / PAIRS, 4, 15) / 2**0.5 * found.error)
    assert plain(found).half < found.half


@pytest.mark.parametrize(("methods", "seeds"), [(3, 2), (9, 2), (9, 3)])
def test_critical_values_of_more_seeds_are_near_the_exact_ones(methods, seeds):
    now = Estimate(1.0, 1.0, (methods - 1) * (seeds - 1), seeds, methods=methods)
    for more in (seeds + 1, 2 * seeds, 40):
        exact = stats.studentized_range.ppf(0.95, methods, (methods - 1) * (more - 1)) / math.sqrt(2)
        assert decisions.later(now, (methods - 1) * (more - 1)) == pytest.approx(exact, rel=0.05)
