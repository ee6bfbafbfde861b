"""What fixes a network's tensors; no torch, so that a study can be checked without it."""

from __future__ import annotations

from dataclasses import dataclass

CLASS_TABLE = "y_embedder.embedding_table.weight"  # the parameter that every method trains, and no base brings

# depth, width, heads. S to XL are the published sizes; Mini is the base that this project trained and ships.
SIZES = {"Mini": (6, 192, 6), "S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16), "XL": (28, 1152, 16)}


@dataclass(frozen=True)
class Shape:
    """A network without its class table.

    `size` is a key of `SIZES`, `patch` the side of a token in latent pixels, `latent_size` the side of the latent map;
    `coordinate_scale` multiplies the token coordinates of the position embedding.
    """

    size: str
    patch: int
    latent_size: int
    latent_channels: int = 4
    coordinate_scale: float = 1.0

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return SIZES[self.size][0]

    @property
    def width(self) -> int:
        """Channels of a token."""
        return SIZES[self.size][1]

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return SIZES[self.size][2]

    @property
    def grid(self) -> int:
        """Tokens along a side."""
        return self.latent_size // self.patch

    @property
    def name(self) -> str:
        """What it is called in tables of rates."""
        return f"DiT-{self.size}/{self.patch} on {self.latent_size} x {self.latent_size} latents"

    @property
    def forward_operations(self) -> float:
        """Floating-point operations of one picture's forward pass; a multiplication and its addition count as two.

        Each block has, for N tokens of width D, matrices of 12 D^2 (24 N D^2 operations), attention (4 N^2 D) and
        modulations (12 D^2). For XL/2 at 256 pixels it gives 237e9, twice the 118.6 Gflops of DiT's table.
        """
        tokens, width = self.grid**2, self.width
        return self.depth * (24 * tokens * width**2 + 4 * tokens**2 * width + 12 * width**2)

    @property
    def block_parameters(self) -> float:
        """Parameters of all blocks' matrices, 18 D^2 each: the network but for embedders, biases and the last layer."""
        return self.depth * 18 * self.width**2
