"""What the shipped codecs keep of held-out pictures, for docs/data.md: `python -m benchmarks.truth.codecs`.

Peak signal-to-noise ratio in decibels, averaged over pictures that no codec was fitted on: Tiny ImageNet's validation
photographs at 32 and 64 pixels, Grocery Store's test photographs, and the embedded test pictures. Beside it, of
photographs at 32 pixels, what a classifier names rightly of the pictures and of what each codec makes of them: decibels
alone do not say what is left to be seen. It is another classifier than the codec of photographs was fitted with.
FINEFIT_MIRROR must name a folder with both archives. Some ten minutes of one core.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.speed.tables import RESULTS, rewrite
from finefit.codecs import patch_pca
from finefit.data.archives import unpacked
from finefit.datasets import embedded, grocery, tiny_imagenet
from finefit.metrics import probe
from finefit.metrics.probe import in_batches

PICTURES = 2000
CODECS = {"of drawings": "patch-pca-2", "of photographs": "codec-photo"}
NAMED = {"Tiny ImageNet, 32 pixels": 4000, "Grocery Store, 32 pixels": 1500}  # and the steps of their classifiers
TINY, TARGET = tiny_imagenet.Settings(archive="tiny-imagenet-first250"), embedded.Settings()
SETS = {
    "Tiny ImageNet, 32 pixels": (tiny_imagenet, TINY, 32),
    "Tiny ImageNet, 64 pixels": (tiny_imagenet, TINY, 64),
    "Grocery Store, 32 pixels": (grocery, grocery.Settings(), 32),
    "drawings, 32 pixels": (embedded, TARGET, 32),
}


def decibels(images: Tensor, others: Tensor) -> float:
    """Mean over pictures of their peak signal-to-noise ratio."""
    errors = (images.float() - others.float()).square().mean((1, 2, 3)).clamp(min=1e-3)
    return (10 * torch.log10(255**2 / errors)).mean().item()


def main() -> None:
    """Measure, keep the numbers, and write the table anew."""
    torch.set_num_threads(1)
    rows = []
    for title, (reader, settings, resolution) in SETS.items():
        sources = reader.sources(settings)
        root = unpacked(sources) if sources else None
        index = reader.index(settings, root)
        ids, names = index["class_name"].factorize(sort=True)
        train, found = (index.assign(class_id=ids).query(f"split == '{split}'") for split in ("train", "test"))
        found = found.sample(min(PICTURES, len(found)), random_state=0)
        images = torch.from_numpy(reader.read(found, resolution, settings, root))
        row: dict[str, object] = {"pictures": title, "count": len(found)}
        made = {name: patch_pca.load(Path(f"data/base/{file}.safetensors")) for name, file in CODECS.items()}
        decoded = {name: codec.decode(codec.encode(images)[0]) for name, codec in made.items()}
        row |= {f"dB, {name}": decibels(images, others) for name, others in decoded.items()}
        if title in NAMED:
            known, labels = (torch.tensor(rows_of["class_id"].to_numpy()) for rows_of in (train, found))
            photographs = torch.from_numpy(reader.read(train, resolution, settings, root))
            network = probe.fit(photographs, known, len(names), NAMED[title], seed=2, width=40)
            for name, seen in {"the pictures": images, **decoded}.items():
                named = in_batches(network, seen).argmax(1) == labels
                row[f"named, {name}"] = f"{100 * named.float().mean():.0f} %"
        rows.append(row)
    columns = max(rows, key=len)
    rows = [{name: row.get(name, "-") for name in columns} for row in rows]
    (RESULTS / "codecs.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    rewrite()


if __name__ == "__main__":
    main()
