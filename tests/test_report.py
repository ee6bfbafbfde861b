"""The report: intervals against theory, a fake tiny study rendered whole and half, numbers traced, failures told."""

from __future__ import annotations

import ast
import html
import itertools
import json
import math
import re
from importlib import import_module
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from made_up import CLASSES, REAL, ROOT
from scipy import stats

from finefit.analysis import blocks, collect, scores, statistics
from finefit.analysis import pairs as compared
from finefit.analysis.classes import by_class
from finefit.analysis.factors import FACTORS, effects, pairs_of
from finefit.analysis.tables import metrics
from finefit.claims import theory
from finefit.exhibits import embeddings, factors, papers
from finefit.report import (
    answers,
    classes,
    costs,
    drawers,
    figures,
    guidance,
    matrix,
    pairs,
    readme,
    sheets,
    site,
    style,
    tables,
    text,
)


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.1, 2.9, 3.4], [0.1, 0.5, 0.2, 0.9, 0.4]])
def test_the_interval_is_students(values):
    found = statistics.estimate([*values, math.nan])
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.count == len(values)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 3))
    covered = [found.low <= 3.0 <= found.high for found in map(statistics.estimate, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_holm_corrects_as_published():
    corrected = statistics.holm([0.01, 0.04, math.nan, 0.03, 0.005])
    assert corrected == pytest.approx([0.03, 0.06, math.nan, 0.06, 0.02], nan_ok=True)


def test_a_finished_study_is_a_site_that_loads_nothing(made_up_site):
    out = made_up_site
    assert sorted(path.name for path in out.iterdir()) == [
        "digests.json", "factors.html", "index.html", "metrics.json", "notebooks", "results.csv", "seeds.csv",
        "sweep.csv", "verdicts.json",
    ]  # fmt: skip
    page = (out / "index.html").read_text()
    loaded = re.findall(r"<(?:script|link|img|iframe|source|video|object)\b[^>]*?(?:src|href|data)=\"([^\"]*)", page)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)
    assert "@import" not in page and not re.search(r"url\((?!#|['\"]?data:)", page)
    assert 'class="pending"' not in page
    assert "class &lt;1&gt;" in page and "class <1>" not in page

    values = json.loads((out / "metrics.json").read_text())
    distances = [values_of(path)["fd_probe"] for path in out.parents[2].glob("metrics/embedded-8/full-*/metrics.json")]
    assert values["embedded-8/full/fd_probe"] == pytest.approx(np.mean(distances))
    assert values["embedded-8/real/fd_probe_floor"] == REAL["fd_probe_floor"]
    results = between(page, '<table class="results">', "</table>")
    rows = (
        pd.read_csv(out / "seeds.csv", keep_default_na=False, na_values=[""])
        .query("main")
        .pivot(index=["entry", "guidance"], columns="seed", values="fd_probe")
    )
    table = rows.to_numpy()
    residuals = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    pooled = (residuals**2).sum() / 3  # four rows and two seeds
    own = 2 * ((residuals[list(rows.index).index(("full", "null"))] ** 2).sum() - pooled / 4)
    mean, error = np.mean(distances), math.sqrt(max(pooled, own) / 2)
    half = stats.t.ppf(1 - 0.025 / blocks.NAMED / 4, 3) * error
    assert f"{text.number(mean, beside=half)} " in results and text.number(half, beside=mean) in results
    for expected in (
        "1.23",
        "0.432",
        "87.5 %",
        "93.8 %",
        "3.46",
        "81.2 %",
        "29.9 dB",
        "1,234",
        "12.3 %",
        "5.0 kB",
        "12 s",
    ):
        assert expected in html.unescape(results)
    links = [link for name in ("index", "factors") for link in drawer_links((out / f"{name}.html").read_text())]
    assert len(links) > 20
    for target in links:
        assert f'id="{target}"' in page
    for digest in json.loads((out / "digests.json").read_text()):
        assert digest in page
    made_of = pd.read_csv(out / "sweep.csv")
    assert sorted(made_of.loc[made_of["entry"] == "finediffusion", "scale"]) == [1.0, 1.5, 1.5, 3.0, 3.0]


def test_names_of_close_points_stand_apart_and_inside_the_chart():
    places = [0.0, 5.0, 5.1, 5.2, 9.9]
    moved = figures.apart(places, gap=1.0, top=9.5)
    assert moved == sorted(moved) and all(after - before >= 1.0 for before, after in itertools.pairwise(moved))
    assert moved == [0.0, 5.0, 6.0, 7.0, 9.5]
    assert figures.apart([5.0] * 4, gap=1.0, top=6.0) == [3.0, 4.0, 5.0, 6.0]


def test_names_of_more_points_than_an_axis_has_room_for_stand_inside_it(made_up_study):
    found = collect.read("study.yaml")
    many = pd.concat([found.main.assign(variant=found.main["variant"] + str(copy)) for copy in range(10)])
    axis = style.panels(1)[1][0]
    figures.points(axis, found, many.reset_index(drop=True), "trained_parameters")
    low, high = axis.get_ylim()
    heights = sorted(name.xy[1] for name in axis.texts if name.get_text())
    assert len(heights) == len(many) > 20 and low < heights[0] and heights[-1] < high
    assert np.diff(heights).min() > 0.9 * (high - low) / (len(many) + 1)


def test_what_is_missing_is_pending(made_up_study):
    missing = [job for job in made_up_study.jobs if "finediffusion-s1" in job.name]
    for job in missing:
        job.marker.unlink()
    found = collect.read("study.yaml")
    row = found.main[found.main["variant"] == "finediffusion-null"].iloc[0]
    assert (row["done"], row["planned"], row["fd_probe"].count) == (1, 2, 1)
    assert "1 of 2 seeds" in tables.results(found).data
    shown = pairs.separations(found).data
    assert "one seed in common" in shown and "Left out, since runs are missing: finediffusion" in shown
    assert "pending" in drawers.drawers(found).data
    for job in made_up_study.jobs:
        job.marker.unlink(missing_ok=True)
    found = collect.read("study.yaml")
    parts = [tables.results, pairs.separations, figures.against_cost, figures.guidance_curves, guidance.sweep]
    parts += [figures.losses, sheets.compared, sheets.by_method, drawers.drawers, answers.which, tables.further]
    parts += [
        classes.comparison,
        costs.cost,
        embeddings.label_embeddings,
        factors.contributions,
        factors.picture,
        papers.superclasses,
    ]
    for part in parts:
        assert "pending" in part(found).data, part.__name__
    assert metrics(found) == {}


def test_absent_weights_make_no_number(made_up_study):
    found = collect.read("study.yaml")
    assert "FID and LPIPS: weights absent" in tables.results(found).data
    assert not [key for key in metrics(found) if "fid" in key or "lpips" in key]


def test_a_failing_notebook_says_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell(code) for code in ("a = 1", "print('here')\nraise KeyError('no such column')")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), "broken.ipynb")
    with pytest.raises(ValueError) as told, site.kernel() as python:
        site.execute(Path("broken.ipynb"), Path("partial.ipynb"), {}, python)
    assert "broken.ipynb: cell 2 failed: KeyError: 'no such column'" in str(told.value)
    assert "partial.ipynb" in str(told.value)
    assert "here" in Path("partial.ipynb").read_text()


def values_of(path: Path) -> dict:
    return json.loads(path.read_text())


def drawer_links(page: str) -> list[str]:
    return re.findall(r'href="index.html#(made-[^"]*)"', page)


def between(text: str, start: str, end: str) -> str:
    """The part of a text from `start` to the next `end`."""
    return text[text.index(start) :].partition(end)[0]


def test_a_factors_effect_is_the_difference_of_runs_that_differ_in_it_alone(made_up_study):
    found = collect.read("study.yaml")
    named = {
        factor: [(first["variant"], second["variant"]) for first, second in pairs_of(found, "embedded-8", factor)]
        for factor in FACTORS
    }
    assert named == {
        "embedder": [("finediffusion-null", "flat")],
        "guidance": [("finediffusion-superclass", "finediffusion-null")],
        "sum": [],
        "norm_affine": [],
    }
    rows = found.evaluations.query("scale == 1.5").set_index(["variant", "seed"])["class_accuracy"]
    known = {(effect.factor, effect.metric): effect for effect in effects(found, "embedded-8")}
    difference = (rows["finediffusion-null"] - rows["flat"]).mean()
    assert known["embedder", "class_accuracy"].estimate.mean == pytest.approx(difference)
    alone = found.contrast(known["embedder", "class_accuracy"].pairs, "class_accuracy")
    assert alone.p <= known["embedder", "class_accuracy"].p <= known["embedder", "class_accuracy"].estimate.p
    shown = factors.contributions(found).data
    assert shown.count("not varied in this study") == 2 * len(found.headline)


def test_an_average_over_pairs_keeps_what_they_share(made_up_study):
    found = collect.read("study.yaml")
    rows = {row["variant"]: row for _, row in found.main.iterrows()}
    both = [(rows["full"], rows["flat"]), (rows["flat"], rows["full"])]
    assert found.contrast(both, "fd_probe").mean == pytest.approx(0)
    assert found.contrast(both, "fd_probe").error == pytest.approx(0, abs=1e-12)


def test_classes_are_compared_as_blocks(made_up_study):
    found = collect.read("study.yaml")
    rows = {row["variant"]: row for _, row in found.main.iterrows()}
    accuracy = {
        variant: np.mean([pd.read_csv(job.path / "classes.csv")["class_accuracy"] for job in row["jobs"]], axis=0)
        for variant, row in rows.items()
    }
    fit = by_class(found, "embedded-8", "class_accuracy")
    assert fit.used.shape == (4, CLASSES)
    difference = fit.difference(*(scores.key(rows[name], "class_accuracy") for name in ("flat", "full")))
    assert difference.mean == pytest.approx((accuracy["flat"] - accuracy["full"]).mean())
    assert difference.freedom == 3 * (CLASSES - 1)
    shown = classes.comparison(found).data
    assert text.measured(difference, "class_accuracy") in shown
    assert between(shown, '<table class="classes">', "</table>").count("<tr>") == 1 + 6


def test_a_method_that_failed_leaves_the_others_compared(made_up_study):
    for job in made_up_study.kind("evaluate"):
        if "/full-" in job.name:
            values = json.loads((job.path / "metrics.json").read_text())
            (job.path / "metrics.json").write_text(json.dumps(values | {"fd_probe": math.nan, "kid_probe": math.inf}))
    found = collect.read("study.yaml")
    verdicts = {
        (p.first["variant"], p.second["variant"]): p.verdict for p in compared.pairs(found, "embedded-8", "fd_probe")
    }
    assert {verdict for names, verdict in verdicts.items() if "full" in names} == {"pending"}
    assert {verdict for names, verdict in verdicts.items() if "full" not in names} <= {
        "lower",
        "higher",
        "not separated",
    }
    for part in (tables.results, pairs.separations, answers.which, classes.comparison, figures.against_cost):
        assert part(found).data


def test_scale_factors_are_recovered_inside_the_family_only():
    errors = theory.recovery(8, None, seed=0)
    assert errors[0] > 0.1 and errors[-1] < 1e-4 and (np.diff(errors) < 0).all()
    more, fewer = (np.mean([theory.recovery(8, n, seed)[-1] for seed in range(8)]) for n in (16_000, 1_000))
    assert more == pytest.approx(fewer / 4, rel=0.4)  # the square root of sixteen
    assert theory.unexplained(8, 0, shear=0.0) < 1e-4 < 0.1 < theory.unexplained(8, 0, shear=0.4)


def test_a_section_without_content_is_left_out_from_the_bar_too():
    def ran(*outputs: str):
        shown = [nbformat.v4.new_output("execute_result", {"text/html": text}) for text in outputs]
        return nbformat.v4.new_code_cell("f()", outputs=shown, execution_count=1)

    prose = nbformat.v4.new_markdown_cell
    cells = [
        prose("# Title"), ran("<p>first</p>"),
        prose("## Silent\n\nNothing follows."), ran(""), ran(),
        prose("## Half"), ran("<p>half</p>"), prose("### Silent part"), ran(""), prose("### Loud part"), ran("loud"),
        prose("## Prose alone\n\nWords."),
        prose("## Not reached"), nbformat.v4.new_code_cell("g()"),
    ]  # fmt: skip
    page = site.render(nbformat.v4.new_notebook(cells=cells), "study", "x")
    bar = between(page, '<div class="sections">', "</nav>")
    assert re.findall(r">([^<]+)</a>", bar) == ["Half", "Prose alone", "Not reached"]
    assert "Silent" not in page and "Nothing follows" not in page
    assert "half" in page and "Loud part" in page and "loud" in page


def test_a_matrix_of_pairs_has_a_sign_and_a_sentence_for_each():
    told = {("a", "b"): "lower", ("b", "a"): "higher", ("a", "c"): "equal within the margin"}
    shown = matrix.matrix(told | {("b", "c"): "not separated"}, ["a", "b", "c"], "fd_probe")
    cells = re.findall(r'<td class="(\w+)"(?: title="([^"]*)")?>(?:<span[^>]*>(.?)</span>)?</td>', shown)
    assert [(shade, sign) for shade, _, sign in cells] == [
        ("self", ""), ("good", "−"), ("equal", "="),
        ("bad", "+"), ("self", ""), ("open", "·"),
        ("open", ""), ("open", ""), ("self", ""),
    ]  # fmt: skip
    assert cells[1][1] == "a: lower than b" and cells[6][1] == "c: no interval beside a"
    better = {shade: matrix.shade("higher", shade) for shade in ("lower", "higher", "neither")}
    assert better == {"lower": "bad", "higher": "good", "neither": "apart"}


def test_beside_a_failing_notebook_the_other_pages_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes = {
        "study": "left = 'whole'\nleft",
        "theory": "1 / 0",
        "claims": "import os\nos._exit(1)",
        "factors": "'left' not in globals()",
    }
    monkeypatch.setattr(site, "PAGES", {name: name.title() for name in codes})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for notebook, code in codes.items():
        cells = [
            nbformat.v4.new_code_cell("study = ''", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        Path("notebooks").mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), f"notebooks/{notebook}.ipynb")
    out = Path("out")
    out.mkdir()
    with pytest.raises(ValueError) as told:
        site.build(Path("study.yaml"), "tiny", out)
    failure = "notebooks/theory.ipynb: cell", "ZeroDivisionError: division by zero"
    for said in (
        *failure,
        "out/theory.html",
        "out/index.html",
        "notebooks/claims.ipynb: not executed: DeadKernelError",
    ):
        assert said in str(told.value)
    assert "whole" in (out / "index.html").read_text() and "True" in (out / "factors.html").read_text()
    partial = (out / "theory.html").read_text()
    assert "This page is partial" in partial and "division by zero" in partial


@pytest.mark.parametrize("notebook", [*site.PAGES, *site.UTILITY, "ledger"])
def test_notebooks_call_what_exists_and_state_no_number(notebook):
    cells = nbformat.read(ROOT / f"notebooks/{notebook}.ipynb", as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert cells[0].metadata["tags"] == ["parameters"]
    imports = [node for node in ast.parse(code[1]).body if isinstance(node, ast.ImportFrom)]
    rooms = {alias.name: node.module for node in imports for alias in node.names}
    for node in ast.walk(ast.parse("\n".join(code[2:]))):
        if isinstance(node, ast.Attribute):
            assert callable(getattr(import_module(f"{rooms[node.value.id]}.{node.value.id}"), node.attr))
        assert not isinstance(getattr(node, "value", None), (int, float)), "a number is a literal"


def test_every_exhibit_has_a_page_with_its_section():
    exhibits = yaml.safe_load((ROOT / papers.EXHIBITS).read_text())
    pages = {site.address(notebook): notebook for notebook in site.PAGES}
    for exhibit in exhibits:
        assert ("never" in exhibit) != ("where" in exhibit)
        if "where" in exhibit:
            address, _, section = exhibit["where"].partition("#")
            cells = nbformat.read(ROOT / f"notebooks/{pages[address]}.ipynb", as_version=4).cells
            heads = [cell.source.splitlines()[0].removeprefix("## ").replace(" ", "-") for cell in cells]
            assert not section or section in heads, exhibit
    assert {row["paper"] for row in exhibits} == {"FineDiffusion", "DiffFit"}


def test_the_readmes_table_is_the_committed_results():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    results = Path("docs/results/mini/results.csv")
    advice = f"run: finefit readme-table {results} README.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert readme.replace_table(page, results) == page, advice
        with pytest.raises(ValueError, match="no place for the table"):
            readme.replace_table("# A page\n", results)


def test_a_table_that_drifted_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    header = "entry,guidance,trained_share,fd_probe,fd_probe_half,diversity_probe,diversity_probe_half,"
    header += "class_accuracy,class_accuracy_half,superclass_accuracy,superclass_accuracy_half"
    Path("results.csv").write_text(f"{header}\nfull,null,0.5,2.9289,0.0402,1.5,,0.914,0.0993,,\n")
    page = f"before\n{readme.START.format('results.csv')}\nold\n{readme.END}\nafter\n"
    written = readme.replace_table(page, Path("results.csv"))
    assert "| full | null | 50.0 % | 2.93 ± 0.04 | 1.50 | 91.4 % ± 9.9 | pending |" in written
    assert written != page and readme.replace_table(written, Path("results.csv")) == written


def test_a_superclass_without_pictures_is_a_dash_in_its_row(made_up_study):
    """As where no test picture of it is there, or none was asked for in a trial."""
    from finefit.analysis import collect
    from finefit.exhibits import papers

    for file in Path("metrics").rglob("superclasses.csv"):
        pd.read_csv(file).query("superclass_id != 0").to_csv(file, index=False)
    first = re.search(r"<tbody><tr>(.*?)</tr>", papers.superclasses(collect.read("study.yaml")).data, re.DOTALL)[1]
    assert 0 < first.count("–") == first.count("<td")


def test_of_many_classes_the_embeddings_show_some_of_every_superclass(made_up_study, monkeypatch):
    """Classes come superclass by superclass, so the first of them would be those of few."""
    found, laid = collect.read("study.yaml"), []
    monkeypatch.setattr(embeddings, "flattened", lambda rows: laid.append(len(rows)) or rows[:, :2])
    assert "drawn" not in embeddings.label_embeddings(found).data
    monkeypatch.setattr(embeddings, "MOST", 4)
    text = embeddings.label_embeddings(found).data
    assert set(laid) == {4, CLASSES}
    assert f"4 of {CLASSES} drawn" in text
    assert np.array_equal(embeddings.spread(10), [0, 3, 6, 9])


def test_a_sheet_encodes_the_pictures_that_it_shows(made_up_study, monkeypatch):
    """Of 10,000 classes sixteen are shown: encoding all of them took minutes."""
    from finefit.analysis import collect

    found, encoded, strip = collect.read("study.yaml"), [], sheets.strip
    monkeypatch.setattr(sheets, "CLASSES", 2)
    monkeypatch.setattr(sheets, "strip", lambda *what: encoded.append(what) or strip(*what))
    page = sheets.by_method(found).data
    assert len(encoded) == page.count("<img") == 2 * 2 * len(found.main)
