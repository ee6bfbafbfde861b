"""The work that a job does, in countable units of each kind: `start`, `read`, `codec`, `train`, `sample` and so on.

Training is counted as three forward passes, two where the method leaves the base's weights frozen, and one more where
activations are recomputed, and what an objective adds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from finefit import processes
from finefit.hierarchy import clustered
from finefit.jobs.job import Job
from finefit.outlook import facts
from finefit.study.passes import evaluations, passes

PROBE_STEP_PIXELS = 64 * 3 * 2  # pictures of a step, forward and backward, of both networks that judge
JUDGED, JUDGED_PICTURES = 40, 1024  # sets of pictures, unharmed and harmed, that a judge is judged by; of each at most
COMPARED = 20_000  # pictures of a set at most that are compared with all of another
HEAD_PICTURES, HEAD_STEPS = 50_000, 300  # that a judge's head is fitted to, at most


@lru_cache(maxsize=2**16)  # asked several times of each job of a study
def amounts(job: Job) -> dict[str, float]:
    """Amounts of each kind of work that a job does; not to be changed."""
    return {"start": 1.0} | (OF_KIND[job.kind](job) if job.kind in OF_KIND else {})


def hierarchy(job: Job) -> dict[str, float]:
    """Where superclasses are derived, a network's features of some pictures of every class."""
    if job.settings["superclass"] != "derived":
        return {}
    size = facts.counts(facts.data_of(job))
    looked_at = min(size.train, size.classes * clustered.PER_CLASS)
    return {"read": looked_at} | seen(job, looked_at)


def latents(job: Job) -> dict[str, float]:
    """Both flips of every training picture."""
    train, pixels = facts.counts(facts.data_of(job)).train, job.settings["resolution"] ** 2
    return {"read": train, "codec": 2 * train * facts.codec_of(job).encode * pixels}


def source(job: Job) -> dict[str, float]:
    """Pictures that the base draws without a class."""
    base = job.inputs["base"].settings
    sampler = processes.few_steps(processes.of(base))
    asked = evaluations({"sampler": sampler, "steps": job.settings["steps"]} | processes.told(base))
    drawn = job.settings["pictures"] * asked
    return {"sample": drawn * facts.shape_of(job).forward_operations}


def finetune(job: Job) -> dict[str, float]:
    """All steps of a run."""
    return {"train": step_operations(job) * job.settings["train"]["steps"]}


def sample(job: Job) -> dict[str, float]:
    """A set of samples, decoded."""
    pictures, asked = facts.pictures_of(job), passes(job.settings) * evaluations(job.settings)
    decode = facts.codec_of(job).decode * facts.resolution(job) ** 2
    forward = facts.shape_of(job.inputs["run"]).forward_operations
    return {"sample": pictures * asked * forward, "codec": pictures * decode}


def denoise(job: Job) -> dict[str, float]:
    """The loss on held-out pictures at several timesteps, and the drift where it is asked for."""
    settings, size = job.settings, facts.counts(facts.data_of(job))
    pictures = min(size.test, size.classes * settings["denoising_per_class"])
    run = job.inputs.get("run", job)  # the base's has its own inputs
    encode = facts.codec_of(run.inputs["latents"]).encode * facts.resolution(job) ** 2
    asked = pictures + 2 * settings.get("drift_pictures", 0)
    operations = asked * settings["denoising_timesteps"] * facts.shape_of(run).forward_operations
    return {"read": pictures, "codec": pictures * encode, "sample": operations}


def reference(job: Job) -> dict[str, float]:
    """Training of the probe and the classifier, and the test pictures through both and through the codec."""
    size, pixels, codec = facts.counts(facts.data_of(job)), job.settings["resolution"] ** 2, facts.codec_of(job)
    looked_at = job.settings["probe_steps"] * PROBE_STEP_PIXELS + 4 * size.test
    both_ways = size.test * (codec.encode + codec.decode) * pixels
    return {"read": size.train + size.test, "judge": looked_at * pixels, "codec": both_ways}


def judge(job: Job) -> dict[str, float]:
    """Features of all real pictures and of those that are harmed, their comparisons, and the fit of a head."""
    size, network = facts.counts(facts.data_of(job)), facts.of_judge(job)
    looked_at = JUDGED * min(size.classes * job.settings["per_class"], size.test // 2, JUDGED_PICTURES)
    found = {"read": size.train + size.test} | seen(job, size.train + size.test + looked_at)
    found["compare"] = (min(size.test, COMPARED) + looked_at) * size.train * network.width
    found["network"] += 4 * min(size.train, HEAD_PICTURES) * size.classes * network.width * HEAD_STEPS
    return found


def utility(job: Job) -> dict[str, float]:
    """Classifiers trained on real pictures and, where there are samples, on these and on both in every ratio."""
    settings, size = job.settings, facts.counts(facts.data_of(job))
    sets = 1 + len(settings["ratios"]) if "sample" in job.inputs else 1
    pixels = sets * settings["classifiers"] * settings["steps"] * settings["resolution"] ** 2
    return {"read": size.train + size.test, "judge": PROBE_STEP_PIXELS / 2 * pixels}


def evaluate(job: Job) -> dict[str, float]:
    """Features of a set of samples by every judge, and their comparisons with those of real pictures."""
    pictures, size = facts.pictures_of(job.inputs["sample"]), facts.counts(facts.data_of(job))
    found = {"judge": 2 * pictures * facts.resolution(job) ** 2, "network": 0.0, "compare": 0.0}
    pairs = 1.5 * 6 * min(pictures, size.test, COMPARED) ** 2  # six tables of distances; of halves a quarter
    for judging in job.judges:
        found["network"] += seen(judging, pictures)["network"]
        found["compare"] += (pairs + min(pictures, COMPARED) * size.train) * facts.of_judge(judging).width
    return found


OF_KIND: dict[str, Callable[[Job], dict[str, float]]] = {
    "hierarchy": hierarchy,
    "latents": latents,
    "source": source,
    "finetune": finetune,
    "sample": sample,
    "denoise": denoise,
    "reference": reference,
    "judge": judge,
    "utility": utility,
    "evaluate": evaluate,
}


def step_operations(run: Job) -> float:
    """Operations of one step of a run's training."""
    train = run.settings["train"]
    forward = (3 if facts.trains_all(run) else 2) + train["recompute"] + facts.objective_of(run).passes
    return forward * facts.shape_of(run).forward_operations * train["batch_size"]


def seen(judging: Job, pictures: float) -> dict[str, float]:
    """The work of seeing so many pictures with a judge: pixels of the study's own, operations of another's network."""
    own = "weights" not in judging.settings
    return {
        "judge": pictures * facts.resolution(judging) ** 2 if own else 0.0,
        "network": pictures * facts.of_judge(judging).operations,
    }
