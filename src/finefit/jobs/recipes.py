"""Recipe number of each kind of job: part of every job's digest.

Raise a number when a change of the code changes what that kind of job computes; everything built on it is then
computed anew. Comments, messages and speed change no number.
"""

RECIPES = {
    "data": 3,
    "hierarchy": 1,
    "base": 1,
    "latents": 3,
    "source": 1,
    "finetune": 4,
    "sample": 2,
    "reference": 4,
    "denoise": 2,
    "judge": 3,
    "evaluate": 6,
    "utility": 2,
    "report": 4,
}
