"""FineFit: parameter-efficient fine-tuning of diffusion transformers as a reproducible workflow.

Importing the package imports neither torch nor any other heavy library; see `finefit.cli` for the commands.
"""

__version__ = "0.1.0"
