"""Recipe number of each kind of job: part of every job's digest.

Raise a number when a change of the code changes what that kind of job computes; everything built on it is then
computed anew. Comments, messages and speed change no number.
"""

RECIPES = {
    "data": 2,
    "hierarchy": 1,
    "base": 1,
    "latents": 2,
    "finetune": 3,
    "sample": 1,
    "reference": 2,
    "denoise": 1,
    "evaluate": 4,
    "utility": 1,
    "report": 3,
}
