"""The network: a class-conditional Diffusion Transformer and its label embedder."""
