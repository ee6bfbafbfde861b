"""What a job asks of a scheduler: host memory, minutes, a GPU; from the same counts as its cost.

Memory is what the parts of a job hold at once, counted, plus the libraries; a rehearsal says what it really came to.
Minutes are those of the slowest rate, doubled for what is not counted. A job that was killed asks for half as much
again of both at each further attempt, and none for more minutes than `LONGEST`: longer ones are continued.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from finefit.jobs.job import Job
from finefit.models.shapes import Shape
from finefit.outlook import cost, facts, rates, work

LIBRARIES, DRIVER = 1.2e9, 3.0e9  # bytes: torch and what it brings; a GPU's driver on the host
HELD = 2e9  # pictures of both splits (evaluation.pictures)
PARTS = 1.0e9  # blocks of features and distances, and what numpy makes of them on the way
EVALUATED = 256  # pictures in the small networks at once
PIXEL_BYTES = 64  # that such a network holds of each pixel
CODEC_BYTES = 2.5e9  # of the published autoencoder on a CPU, with its weights
ROW_BYTES = 3000  # of a picture's row in a data set's lists, while they are read
SPARE, MORE, MOST_OFTEN = 1.25, 1.5, 4  # counted memory asked for; at the next attempt; how often it grows
SHORTEST, LONGEST = 30, 1440  # minutes


def memory(job: Job, on_gpu: bool) -> float:
    """Bytes of host memory that a job holds at most, on a machine with a GPU for it or without."""
    return LIBRARIES + (DRIVER if on_gpu else 0) + OF_KIND[job.kind](job, on_gpu)


def network(shape: Shape) -> float:
    """Bytes of a network's weights in single precision."""
    return 4 * shape.block_parameters


def frozen(run: Job, on_gpu: bool) -> float:
    """A base as it is read, and the run's network: on a CPU beside it in half precision."""
    return network(facts.shape_of(run)) * (2 if on_gpu else 1.5) + 4 * facts.trained(run)


def training(run: Job, on_gpu: bool) -> float:
    """The base, and of what is trained: its weights, and on a CPU gradient, two moments, average and activations.

    On a GPU a state that is taken up again comes through the host: weights, average and moments.
    """
    trained = 4 * facts.trained(run)
    if on_gpu:
        return network(facts.shape_of(run)) + 5 * trained
    shape = facts.shape_of(run)
    tokens, rows = shape.grid**2, run.settings["train"]["batch_size"]
    kept = 48 * shape.width * tokens + 4 * shape.heads * tokens**2  # a block's, see docs/performance.md
    blocks = 1 if run.settings["train"]["recompute"] else shape.depth
    return 1.5 * network(shape) + 5 * trained + rows * kept * blocks


def denoising(job: Job, on_gpu: bool) -> float:
    """The network, and latents and noise of all pictures."""
    run = job.inputs.get("run", job)
    size, shape = facts.counts(facts.data_of(job)), facts.shape_of(run)
    pictures = min(size.test, size.classes * job.settings["denoising_per_class"])
    weights = frozen(run, on_gpu) if run is not job else 1.5 * network(shape)
    latents = 4 * pictures * shape.latent_channels * shape.latent_size**2
    return weights + 4 * latents + pictures_in_codec(job, on_gpu)


def scoring(job: Job, on_gpu: bool) -> float:
    """Pictures that are held, batches in small networks, blocks of features, a judge's head."""
    size, pixels = facts.counts(facts.data_of(job)), facts.resolution(job) ** 2
    count = size.train + size.test or 10**6  # a folder's pictures are not counted before its data phase
    pictures = min(HELD, 3 * pixels * count) + 2 * PIXEL_BYTES * min(EVALUATED, count) * pixels + PARTS
    if job.kind == "reference":
        return pictures + pictures_in_codec(job, on_gpu)
    if job.kind == "judge":  # pictures as they are, changed, and mixed with others
        pictures += 3 * 3 * pixels * min(work.JUDGED_PICTURES, count)
    judging = [job] if job.kind == "judge" else job.judges
    width = max((facts.of_judge(one).width for one in judging), default=0)
    compared = 4 * 8 * width * min(max(size.train, size.test), work.HEAD_PICTURES)
    head = 8 * width * size.classes * (28 if job.kind == "judge" else 1)  # the minimiser's memory of ten steps
    return pictures + compared + head


def pictures_in_codec(job: Job, on_gpu: bool) -> float:
    """Bytes of a batch of pictures and of the codec that takes them: little, but for the published one on a CPU."""
    large = facts.codec_of(facts.encoded(job)).encode > 0
    return 256 * 3 * facts.resolution(job) ** 2 + (CODEC_BYTES if large and not on_gpu else 0.5e9 if large else 0)


def drawing(job: Job, on_gpu: bool) -> float:
    """A base as it is read and beside it in half precision, and the pictures that it draws, as latents."""
    shape = facts.shape_of(job)
    return (
        network(shape) * (2 if on_gpu else 1.5)
        + 8 * job.settings["pictures"] * shape.latent_channels * shape.latent_size**2
    )


OF_KIND: dict[str, Callable[[Job, bool], float]] = {
    "data": lambda job, on_gpu: ROW_BYTES * (facts.counts(job).train + facts.counts(job).test),
    "hierarchy": lambda job, on_gpu: PARTS if "judge" in job.settings else 0.5e9,
    "base": lambda job, on_gpu: 1.5 * network(facts.base_shape(job)),
    "latents": pictures_in_codec,
    "source": drawing,
    "finetune": training,
    "sample": lambda job, on_gpu: frozen(job.inputs["run"], on_gpu) + pictures_in_codec(job, on_gpu),
    "reference": scoring,
    "denoise": denoising,
    "judge": scoring,
    "evaluate": scoring,
    "utility": scoring,
    "report": lambda job, on_gpu: 2e9,
}


def mem_mb(job: Job, attempt: int) -> int:
    """Megabytes to ask for, in half thousands."""
    bytes_asked = SPARE * memory(job, cost.uses_gpu(job)) * MORE ** min(attempt - 1, MOST_OFTEN)
    return 500 * math.ceil(bytes_asked / 500e6)


def minutes(job: Job, attempt: int) -> int:
    """Minutes to ask for, in tens."""
    _, _, most = cost.seconds(job, rates.gpu() if cost.uses_gpu(job) else "cpu")
    asked = SHORTEST + 2 * most / 60 * MORE ** min(attempt - 1, MOST_OFTEN)
    return min(10 * math.ceil(asked / 10), LONGEST)
