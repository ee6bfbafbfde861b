"""What a block keeps for its backward pass: docs/performance.md counts memory by these numbers."""

import pytest
import torch

from finefit.deltas.network import add_norm_affine
from finefit.models.dit import Block, DiT
from finefit.models.embedders import LabelEmbedder
from finefit.models.shapes import Shape

PICTURES = 4


def kept(block: Block, tokens: int, width: int) -> float:
    """Activations that a block keeps, in numbers per token and channel; a storage seen twice counts once."""
    own = {parameter.untyped_storage().data_ptr() for parameter in block.parameters()}
    storages = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    x = torch.randn(PICTURES, tokens, width, requires_grad=True)
    condition = torch.randn(PICTURES, width, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(x * 1, condition)
    whole = PICTURES * tokens * width * 4  # bytes of one number per token and channel
    return sum(storage.nbytes() / whole for storage in storages.values() if storage.nbytes() >= whole)


@pytest.mark.parametrize(("words", "numbers"), [(("bias", "norm"), 14), (("",), 20)], ids=["finediffusion", "full"])
def test_frozen_matrices_keep_no_inputs(words, numbers):
    """Both: two norms' inputs and outputs, q, k, v, attention's output, 4 in GELU, two gated branches: 14.

    Full beside them: the inputs of qkv (1), fc1 (1) and fc2 (4); that of proj is attention's output.
    """
    shape = Shape("Mini", 2, 32)
    model = DiT(shape, LabelEmbedder(2, shape.width))
    add_norm_affine(model)
    block = model.blocks[0]
    for name, parameter in block.named_parameters():
        parameter.requires_grad_(any(word in name for word in words))
    assert kept(block, shape.grid**2, shape.width) == pytest.approx(numbers)
