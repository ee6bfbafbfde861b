"""What the shipped codecs keep of held-out pictures, for docs/data.md: `python benchmarks/codecs.py`.

Peak signal-to-noise ratio in decibels, averaged over pictures that no codec was fitted on: Tiny ImageNet's validation
photographs at 32 and 64 pixels, Grocery Store's test photographs, and the embedded test pictures. FINEFIT_MIRROR must
name a folder with both archives. A codec "of factor 4" is what the four leading components alone keep of a patch of
4 x 4 pixels: a quarter of the tokens that 64 pixels have otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tables import RESULTS, rewrite
from torch import Tensor
from torch.nn import functional as F

from finefit.codecs import patch_pca
from finefit.data.archives import unpacked
from finefit.datasets import embedded, grocery, tiny_imagenet

PICTURES = 2000
CODECS = {"drawings, 2 x 2": "patch-pca-2", "photographs, 4 x 4": "patch-pca-4"}
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
        found = reader.index(settings, root).query("split == 'test'")
        found = found.sample(min(PICTURES, len(found)), random_state=0)
        images = torch.from_numpy(reader.read(found, resolution, settings, root))
        row: dict[str, object] = {"pictures": title, "count": len(found)}
        for name, file in CODECS.items():
            codec = patch_pca.load(Path(f"data/base/{file}.safetensors"))
            latents = codec.encode(images)[0]
            row[name] = decibels(images, codec.decode(latents))
        leading = F.pixel_unshuffle(latents, codec.side // codec.factor)[:, : codec.channels]
        linear = torch.einsum("cp,nchw->nphw", (codec.components * codec.scale[:, None])[: codec.channels], leading)
        pixels = F.pixel_shuffle(linear + codec.mean.view(1, -1, 1, 1), codec.side).clamp(-1, 1)
        row["of factor 4"] = decibels(images, (pixels.permute(0, 2, 3, 1) + 1) * 127.5)
        rows.append(row)
    (RESULTS / "codecs.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    rewrite()


if __name__ == "__main__":
    main()
