"""Recipe number of each kind of job: part of every job's digest.

Raise a number when a change of the code changes what that kind of job computes; everything built on it is then
computed anew. Comments, messages and speed change no number.
"""

RECIPES = {
    "data": 2,
    "hierarchy": 1,
    "base": 1,
    "latents": 2,
    "source": 1,
    "finetune": 3,
    "sample": 1,
    "reference": 3,
    "denoise": 1,
    "judge": 1,
    "evaluate": 5,
    "utility": 1,
    "report": 4,
}
