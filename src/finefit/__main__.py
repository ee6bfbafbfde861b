"""`python -m finefit`: the command line by its interpreter, wherever `finefit` itself is not on the path."""

from finefit.cli import main

main()
