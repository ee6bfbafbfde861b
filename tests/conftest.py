"""All tests compute with one thread, as jobs do: two threads that wait for each other are slow on a busy machine."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
