"""A class table whose conditions are sums of a class's and its superclass's row: asked, trained, saved and folded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tiny import BASE, TRAIN, answer, fine_tuned, run_of, shaken, trained_tensors

from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.merge import merged
from finefit.deltas.network import network
from finefit.deltas.published import published_state, trained_part
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import CLASS_TABLE
from finefit.objectives import Material, plain
from finefit.training.batches import draw

RUN = run_of("bitfit", embedder="summed", guidance=("superclass", "null"))


def test_a_class_is_a_sum_and_whatever_guidance_points_away_from_is_a_row():
    table = LabelEmbedder(4, 3, torch.tensor([0, 0, 1, 1]), summed=True)
    rows = table.embedding_table.weight
    expected = torch.stack([rows[0] + rows[4], rows[3] + rows[5], rows[4], rows[5], rows[6]])
    torch.testing.assert_close(table(torch.tensor([0, 3, 4, 5, 6])), expected)
    assert table.reference_rows(torch.tensor([1, 2]), "superclass").tolist() == [4, 5]
    flat, tiered = LabelEmbedder(4, 3), LabelEmbedder(4, 3, torch.tensor([0, 0, 1, 1]))
    for other in (flat, tiered):
        assert torch.equal(other(torch.tensor([0, 4])), other.embedding_table.weight[[0, 4]])


def test_a_step_names_every_row_that_it_adds_up_and_no_other(latents):
    model = network(RUN, BASE)
    settings, objective = (
        SimpleNamespace(**TRAIN | {"label_dropout": 0.2}),
        plain.Objective(plain.Settings(), Material(4)),
    )
    seen = set()
    for step in range(6):
        rows, batch = draw(latents, model.y_embedder, ["superclass", "null"], settings, 0, step, "cpu", objective)
        places = batch["places"]
        named = torch.where(places >= 0, rows[places.clamp(min=0)], -1)
        assert named.unique()[-len(rows) :].tolist() == rows.tolist()
        for first, second in named.tolist():
            assert second == (4 + first // 2 if first < 4 else -1)
            seen.add("class" if first < 4 else "superclass" if first < 6 else "null")
        window = model.y_embedder.embedding_table.weight[rows]
        by_window = torch.func.functional_call(model.y_embedder, {"embedding_table.weight": window}, (places,))
        torch.testing.assert_close(by_window, model.y_embedder(named[:, 0]))
    assert seen == {"class", "superclass", "null"}


def test_training_moves_both_rows_and_the_delta_gives_the_network_back(latents, tmp_path):
    run = run_of("bitfit", embedder="summed")
    model, average = fine_tuned(run, latents, tmp_path)
    start = network(run, BASE).y_embedder.embedding_table.weight
    moved = (model.y_embedder.embedding_table.weight - start).abs().amax(1) > 0
    assert moved[:4].any() and moved[4:6].any()
    save_delta(tmp_path / "delta.safetensors", average, run, "base")
    again = load_delta(tmp_path / "delta.safetensors", BASE, "base")
    assert again.y_embedder.summed and torch.equal(trained_tensors(again)[CLASS_TABLE], average[CLASS_TABLE])


def test_it_folds_into_a_tiered_table_and_into_the_released_layout(tmp_path):
    run = run_of("finediffusion", embedder="summed")
    model = shaken(network(run, BASE))
    plain_network = merged(model)
    assert not plain_network.y_embedder.summed and model.y_embedder.summed
    torch.testing.assert_close(answer(plain_network), answer(model), rtol=1e-4, atol=1e-4)
    state = published_state(model)
    rows = model.y_embedder.embedding_table.weight
    torch.testing.assert_close(state[CLASS_TABLE][:4], rows[:4] + rows[torch.tensor([4, 4, 5, 5])])
    with pytest.raises(ValueError, match="a published class table is no sum"):
        trained_part(state, network(run, BASE), tmp_path / "released.pt")
