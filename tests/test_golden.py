"""What each recipe number stands for: changed numerics must raise the number in finefit.jobs.recipes.

After a wanted change raise the number there, then store the new values: `python tests/test_golden.py`.
The tolerance lets other processors round differently and lets nothing else through.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finefit.codecs import patch_pca
from finefit.datasets import embedded
from finefit.deltas.network import network
from finefit.jobs.recipes import RECIPES
from finefit.metrics import probe
from finefit.metrics.frechet import frechet_distance
from finefit.models.checkpoint import read_base
from finefit.sampling.sample import sample
from finefit.training.learning_rate import peak_rates
from finefit.training.train import train

ROOT = Path(__file__).parents[1]
STORED = Path(__file__).with_suffix(".json")
BASE = read_base(ROOT / "data/base/mini-32.safetensors")
RUN = {
    "method": "finediffusion",
    "method_settings": {"lr": 1e-3, "guidance": ("superclass", "null")},
    "network": {"size": "Mini", "patch": 2},
    "seed": 0,
    "num_classes": 4,
    "superclass_of": [0, 0, 1, 1],
    "latent_shape": [4, 16, 16],
}


def pictures(**options: object) -> np.ndarray:
    settings = embedded.Settings(**{"classes": 4, "train_per_class": 2, "test_per_class": 1} | options)
    return embedded.read(embedded.index(settings, None).query("split == 'train'"), 32, settings, None)


def latents() -> torch.Tensor:
    return patch_pca.load(ROOT / "data/base/patch-pca-2.safetensors").encode(torch.tensor(pictures()))[0]


def losses(tmp: Path) -> list[float]:
    encoded = latents()
    pack = SimpleNamespace(
        count=8, shape=(4, 16, 16), labels=torch.arange(4).repeat_interleave(2), sample=lambda rows, *_: encoded[rows]
    )
    settings = SimpleNamespace(
        steps=20, batch_size=2, schedule="cosine", warmup_steps=2, weight_decay=0.0, label_dropout=0.1, ema_decay=0.9,
        flip=True, precision="float32", recompute=False,
    )  # fmt: skip
    model = network(RUN, BASE)
    average, record = train(model, peak_rates(model, 1e-3, {}), pack, settings, ["null"], 0, tmp / "state")
    return [record[0]["loss"], sum(value.abs().sum().item() for value in average.values())]


def drawn() -> list[float]:
    model = network(RUN, BASE)
    settings = {"seed": 0, "sampler": "dpmpp", "steps": 3, "guidance": "superclass", "scale": 2.0}
    settings |= {"guided_channels": 3, "guidance_interval": (0, 999)}
    result = sample(model, torch.tensor([0, 3]), torch.tensor([0, 1]), settings, "float32", "cpu")
    return [result.abs().mean().item(), result.std().item()]


def scores() -> list[float]:
    images = torch.tensor(pictures())
    judge = probe.fit(images, torch.arange(4).repeat_interleave(2), 4, steps=1, seed=0, width=4)
    features = probe.in_batches(judge.features, images).numpy()
    return [frechet_distance(np.eye(5), 2 * np.eye(5) + 1), float(features.shape[1])]


def worlds() -> list[float]:
    """Mean and deviation of the target's pictures, of shifted ones, and of the source's fine classes."""
    found = [pictures(), pictures(shift=1.0), pictures(domain="source", fine_classes=64)]
    return [float(value) for images in found for value in (images.mean(), images.std())]


def measured(tmp: Path) -> dict[str, list[float]]:
    """A few numbers that stand for what each kind of job computes."""
    return {
        "data": worlds(),
        "latents": [latents().mean().item(), latents().std().item()],
        "finetune": losses(tmp),
        "sample": drawn(),
        "evaluate": scores(),
    }


def test_numbers_are_those_of_the_recipes(tmp_path):
    stored = json.loads(STORED.read_text())
    for kind, values in measured(tmp_path).items():
        assert stored[kind]["recipe"] == RECIPES[kind], f"recipe of {kind} was raised: run python tests/test_golden.py"
        advice = (
            f"{kind} computes something else: raise its number in jobs/recipes.py; then python tests/test_golden.py"
        )
        assert values == pytest.approx(stored[kind]["values"], rel=2e-3), advice


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        numbers = {kind: {"recipe": RECIPES[kind], "values": v} for kind, v in measured(Path(folder)).items()}
    STORED.write_text(json.dumps(numbers, indent=1) + "\n")
