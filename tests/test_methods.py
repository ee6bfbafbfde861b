"""The contract that every file of methods/ keeps, the guide's example among them; deltas and published layouts."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny import BASE, BASE_FILE, ROOT, answer, fine_tuned, run_of, shaken, trained_tensors

from finefit import methods
from finefit.deltas import published
from finefit.deltas.beside import beside
from finefit.deltas.delta import load_delta, save_delta
from finefit.deltas.merge import merged
from finefit.deltas.network import network, unconditional
from finefit.models.checkpoint import export_base, read, read_base, read_class_table
from finefit.models.shapes import CLASS_TABLE
from finefit.outlook import counts
from finefit.study import reading

# The whole method that docs/extending.md shows, as a file beside the package's own.
GUIDE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"`(\w+)\.py`.*?```python\n(.*?)```", GUIDE[GUIDE.index("## A method") :], re.DOTALL)
FOLDER = tempfile.TemporaryDirectory()
(Path(FOLDER.name) / f"{EXAMPLE[1]}.py").write_text(EXAMPLE[2], encoding="utf-8")
methods.__path__.append(FOLDER.name)

NOT_MERGED = {"vpt", "adaptformer"}  # computations of their own


def test_the_guides_example_is_found():
    assert EXAMPLE[1] in methods.names()


@pytest.mark.parametrize("method", methods.names())
class TestEveryMethod:
    def test_only_what_it_names_is_trained(self, method, latents, tmp_path):
        before = network(run_of(method), BASE)
        after, _ = fine_tuned(run_of(method), latents, tmp_path)
        start, end = before.state_dict(), after.state_dict()
        changed = {name for name in start if not torch.equal(start[name], end[name])}
        assert changed <= after.trained
        assert {name for name, p in after.named_parameters() if p.requires_grad} == after.trained
        assert len(changed) > 0.9 * len(after.trained)

    def test_it_starts_at_the_base_if_it_says_so(self, method):
        """With one and the same class table, the output at step 0 is the base's, bit for bit."""
        plain = network(run_of("full", guidance=(), embedder="tiered"), BASE)
        model = network(run_of(method, guidance=(), embedder="tiered"), BASE)
        model.y_embedder.load_state_dict(plain.y_embedder.state_dict())
        starts = getattr(methods.find(method), "STARTS_AT_BASE", True)
        assert torch.equal(answer(model), answer(plain)) == starts

    def test_delta_gives_the_model_back(self, method, latents, tmp_path):
        run = run_of(method)
        model, _ = fine_tuned(run, latents, tmp_path)
        save_delta(tmp_path / "d", trained_tensors(model), run, "base")
        assert torch.equal(answer(load_delta(tmp_path / "d", BASE, "base")), answer(model))
        # float32 values, a name each, and one line of metadata: nothing else is in the file
        assert (tmp_path / "d").stat().st_size < 4 * sum(v.numel() for v in trained_tensors(model).values()) + 20_000

    def test_interruption_changes_nothing(self, method, latents, tmp_path, monkeypatch):
        _, whole = fine_tuned(run_of(method), latents, tmp_path)
        monkeypatch.setattr("finefit.training.train.STEPS_PER_RECORD", 1)
        monkeypatch.setattr("finefit.training.train.SECONDS_BETWEEN_STATES", 0.0)
        monkeypatch.setattr("finefit.training.train.SHARE_FOR_STATES", 1e9)
        (tmp_path / "cut").mkdir()
        with monkeypatch.context() as patched:
            patched.setattr("finefit.training.train.draw", interrupted_at(2))
            with pytest.raises(KeyboardInterrupt):
                fine_tuned(run_of(method), latents, tmp_path / "cut")
        _, resumed = fine_tuned(run_of(method), latents, tmp_path / "cut")
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)

    def test_merged_equals_unmerged(self, method):
        model = shaken(network(run_of(method, norm_affine=True), BASE))
        if method in NOT_MERGED:
            with pytest.raises(ValueError, match="fold into no weight of the base"):
                merged(model)
            return
        whole = merged(model.double())
        assert whole.state_dict().keys() == network(run_of("full"), BASE).state_dict().keys()
        assert (answer(whole) - answer(model)).norm() / answer(model).norm() < 1e-12

    def test_beside_its_base_it_is_two_networks(self, method):
        """Guidance away from the base: in one batch, what both answer by themselves, in the memory of what differs."""
        model = shaken(network(run_of(method, norm_affine=True), read_base(BASE_FILE)))  # as it is cached now
        base, alone = (unconditional(BASE_FILE, model.shape) for _ in range(2))
        x, t = torch.randn(3, 4, 16, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 500, 900])
        rows, none = torch.tensor([0, 3, 1]), torch.zeros(3, dtype=torch.int64)
        with torch.no_grad():
            expected = torch.cat([model.eval()(x, t, rows), alone.eval()(x, t, none)])
            pair = beside(model, base).eval()
            found = pair(torch.cat([x, x]), torch.cat([t, t]), torch.cat([rows, none]))
        assert (found - expected).norm() / expected.norm() < 1e-6
        added = sum(tensor.numel() for tensor in held(pair).values()) - sum(t.numel() for t in held(model).values())
        theirs = [value for name, value in alone.named_parameters() if name in model.trained - {CLASS_TABLE}]
        assert added == sum(value.numel() for value in theirs) + model.shape.width  # and the null row

    def test_count_without_memory_is_the_built_ones(self, method):
        count = counts.counted("DiT-Mini/2", method, {}, 4, 2)
        model = network(run_of(method) | {"latent_shape": [4, 32, 32]}, BASE)
        sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
        assert (count.trained, count.total) == (sum(sizes[n] for n in model.trained), sum(sizes.values()))


def held(model: torch.nn.Module) -> dict[int, torch.Tensor]:
    """A network's parameters by where they lie in memory: those that it holds twice, once."""
    return {parameter.data_ptr(): parameter for parameter in model.parameters()}


def interrupted_at(limit: int):
    """`train.draw`, interrupted at a step."""
    from finefit.training.train import draw as real

    def draw(pack, embedder, references, settings, seed, step, device, objective):
        if step == limit:
            raise KeyboardInterrupt
        return real(pack, embedder, references, settings, seed, step, device, objective)

    return draw


def test_swapped_deltas_equal_fresh_ones_and_share_their_base(tmp_path):
    """One base in memory: networks of other methods and class counts made from it leave each other alone."""
    before = {name: value.clone() for name, value in BASE.items()}
    runs = {
        "one": run_of("finediffusion"),
        "two": run_of("lora") | {"num_classes": 7},
        "three": run_of("full", embedder="tiered"),
    }
    outputs = {}
    for name, run in runs.items():
        model = shaken(network(run, BASE))
        save_delta(tmp_path / name, trained_tensors(model), run, "base")
        outputs[name] = answer(model)
    for name in ("one", "two", "three", "one"):
        model = load_delta(tmp_path / name, BASE, "base")
        assert torch.equal(answer(model), outputs[name])
        if name == "one":
            assert model.blocks[0].mlp.fc1.weight.data_ptr() == BASE["blocks.0.mlp.fc1.weight"].data_ptr()
    assert all(torch.equal(before[name], BASE[name]) for name in before)


def test_embedder_guidance_and_norm_are_settings_of_any_method():
    """FineDiffusion's three changes, each by itself on another method: rows of the table and trained norms say so."""
    for method in ("bitfit", "lora"):
        rows = {
            4: network(run_of(method, guidance=()), BASE),
            5: network(run_of(method), BASE),
            6: network(run_of(method, embedder="tiered", guidance=("superclass",)), BASE),
            7: network(run_of(method, embedder="tiered", guidance=("superclass", "null")), BASE),
        }
        for expected, model in rows.items():
            assert model.y_embedder.embedding_table.num_embeddings == expected
        normed = network(run_of(method, norm_affine=True), BASE)
        assert {"blocks.0.norm1.weight", "final_layer.norm_final.bias"} <= normed.trained


def job_like(folder: Path, run: dict) -> SimpleNamespace:
    """A published run's artifact on the shipped base, as `export_run` asks for it."""
    (folder / "base.safetensors").symlink_to(ROOT / "data/base/mini-32.safetensors")
    base = SimpleNamespace(path=folder, digest="base")
    return SimpleNamespace(path=folder, inputs={"base": base}, settings=run)


def test_finediffusions_released_layout_goes_out_and_comes_back(tmp_path):
    """Superclass rows leave by falling number of classes, as the released eleven of iNaturalist stand."""
    run = run_of("finediffusion") | {"num_classes": 6, "superclass_of": [0, 1, 2, 1, 1, 2]}
    model = shaken(network(run, BASE))
    save_delta(tmp_path / "delta.safetensors", trained_tensors(model), run, "base")
    found = published.export_run(job_like(tmp_path, run), tmp_path / "released.pt")
    assert found.startswith("DiT-Mini/2") and "9 rows" in found and "trained LayerNorm" in found
    state = torch.load(tmp_path / "released.pt", weights_only=True)["ema"]
    table = model.y_embedder.embedding_table.weight
    assert torch.equal(state["y_embedder.embedding_table.weight"], table[[0, 1, 2, 3, 4, 5, 7, 8, 6]])
    torch.testing.assert_close(
        published.trained_part(read(tmp_path / "released.pt"), network(run, BASE), tmp_path), trained_tensors(model)
    )


def test_a_merged_run_goes_out_in_dits_layout(tmp_path):
    run = run_of("difffit")
    model = shaken(network(run, BASE))
    save_delta(tmp_path / "delta.safetensors", trained_tensors(model), run, "base")
    published.export_run(job_like(tmp_path, run), tmp_path / "out.safetensors")
    plain = network(run_of("full"), None)
    plain.load_state_dict(read(tmp_path / "out.safetensors"))
    assert (answer(plain) - answer(model)).norm() / answer(model).norm() < 1e-4


def test_an_exported_base_tells_its_classes_and_its_null_row(tmp_path):
    model = network(run_of("full"), BASE)
    names = ["plain red bird", "plain red bird 2", "lobed, red leaf", "ring"]
    (tmp_path / "classes.csv").write_text(
        "class_id,class_name\n" + "".join(f'{i},"{n}"\n' for i, n in enumerate(names))
    )
    (tmp_path / "provenance.json").write_text("{}")
    latents = SimpleNamespace(inputs={"data": SimpleNamespace(path=tmp_path)})
    run = SimpleNamespace(
        digest="abc", marker=tmp_path / "provenance.json", inputs={"latents": latents}, settings={"network": {}}
    )
    file = tmp_path / "base.safetensors"
    export_base(run, file, model)
    assert file.with_suffix(".provenance.json").read_text() == "{}"
    table, rows = read_class_table(file), model.y_embedder.embedding_table.weight
    assert (list(table.names), table.null_row) == (names, 4)
    torch.testing.assert_close(table.rows, rows.detach(), rtol=1e-3, atol=1e-4)
    assert CLASS_TABLE not in read_base(file)


def test_in_a_published_checkpoint_the_last_row_is_null(tmp_path):
    torch.save({CLASS_TABLE: torch.zeros(1001, 8)}, tmp_path / "published.pt")
    table = read_class_table(tmp_path / "published.pt")
    assert (table.names, table.null_row) == ((), 1000)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    state = network(run_of("full"), None).state_dict()
    with pytest.raises(ValueError, match="other.pt: is no checkpoint of this run: .*is not the base's"):
        published.trained_part(state, network(run_of("bitfit"), BASE), Path("other.pt"))
    state["extra"] = state.pop("x_embedder.proj.bias")
    with pytest.raises(ValueError, match="left over extra; missing x_embedder.proj.bias"):
        published.trained_part(state, network(run_of("full"), BASE), Path("other.pt"))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"model": Path("x")}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="evil.pt: no checkpoint that can be read safely"):
        read(tmp_path / "evil.pt")


def test_both_kinds_of_rows_fit_no_published_layout():
    model = network(run_of("finediffusion", guidance=("superclass", "null")), BASE)
    with pytest.raises(ValueError, match="neither published layout"):
        published.published_state(model)


def test_delta_of_another_base_is_refused(tmp_path):
    model = network(run_of("bitfit"), BASE)
    save_delta(tmp_path / "d", trained_tensors(model), run_of("bitfit"), "one")
    with pytest.raises(ValueError, match="d: made on base one, not on two"):
        load_delta(tmp_path / "d", BASE, "two")


def test_base_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"does not fit the study's base\.size"):
        network(run_of("full") | {"network": {"size": "S", "patch": 2}}, BASE)


def test_tiered_table_without_superclasses_is_refused():
    with pytest.raises(ValueError, match="embedder: tiered needs superclasses"):
        network(run_of("finediffusion") | {"superclass_of": None}, BASE)


def test_class_out_of_range_is_refused():
    model = network(run_of("bitfit"), BASE)
    with pytest.raises(ValueError, match=r"class 4: the table has classes 0 to 3"):
        model.y_embedder.check(torch.tensor([0, 4]))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("lora: {rank: 0}", "methods.lora: rank is 0: use a whole number of at least 1"),
        ("adaptformer: {bottleneck: 0}", "methods.adaptformer: bottleneck is 0"),
        ("vpt: {tokens: 0}", "methods.vpt: tokens is 0"),
        ("difffit: {blocks: [1, 7]}", r"methods.difffit: blocks is \[1, 7\]: the network has blocks 1 to 6"),
        ("bitfit: {rank: 8}", "methods.bitfit: rank: unknown key"),
        ("lorra: {}", "methods.lorra: unknown method 'lorra'"),
        ("bitfit: {guidance: [superclass]}", "methods.bitfit: guidance 'superclass' needs embedder: tiered"),
    ],
)
def test_wrong_settings_are_one_line_with_file_and_key(entry, line, tmp_path):
    text = (ROOT / "studies/smoke.yaml").read_text(encoding="utf-8")
    study = tmp_path / "study.yaml"
    study.write_text(re.sub(r"methods:\n(  .*\n)+", f"methods:\n  {entry}\n", text), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"study\.yaml:\d+: {line}"):
        reading.load(study)
