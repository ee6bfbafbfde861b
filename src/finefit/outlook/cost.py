"""What a job costs on some hardware: its work over the rates at which that is done, and its disk."""

from __future__ import annotations

from finefit.data import sources
from finefit.data.pictures import SHOWN
from finefit.jobs.job import Job
from finefit.outlook import facts, rates, work

# Always on a GPU; of the others those whose networks are large.
GPU_KINDS = {"latents", "source", "finetune", "sample", "denoise"}
KEPT = 16_384  # real pictures that are kept for the report, at most


def uses_gpu(job: Job) -> bool:
    """Whether a job is given a GPU: those that train and sample, and scores by large networks or through a large codec.

    The small networks of a small study are as well off on a CPU.
    """
    if job.kind == "judge":
        return facts.of_judge(job).operations > 0
    return job.kind in GPU_KINDS or any(work.amounts(job).get(kind) for kind in ("codec", "network"))


def shape(job: Job, kind: str) -> str:
    """The shape of some work of a job, by which measured rates are known."""
    if kind == "train":
        return f"{facts.shape_of(job).name}, {job.settings['method']}"
    if kind == "sample":
        return facts.shape_of(job.inputs.get("run", job)).name
    if kind == "codec":
        return f"{facts.encoded(job).settings['codec']['name']} at {facts.resolution(job)} pixels"
    if kind == "network":
        judging = [one for one in ([job] if "judge" in job.settings else job.judges) if facts.of_judge(one).operations]
        return ", ".join(one.settings["judge"] for one in judging)
    if kind in ("read", "judge"):
        return f"at {facts.resolution(job)} pixels"
    return "any"


def seconds(job: Job, hardware: str) -> tuple[float, float, float]:
    """Seconds that a job takes on one device of some hardware: as the rates say, at least, at most."""
    amounts = work.amounts(job).items()
    used = [(amount, rates.find(hardware, kind, shape(job, kind))) for kind, amount in amounts if amount]
    return (
        sum(amount / row.rate for amount, row in used),
        sum(amount / row.high for amount, row in used),
        sum(amount / row.low for amount, row in used),
    )


def disk(job: Job) -> float:
    """Bytes of a job's artifact, rounded up where the method decides."""
    settings = job.settings
    if job.kind == "base":
        return sources.find(settings["weights"]["name"]).bytes
    if job.kind == "latents":
        codec = facts.codec_of(job)
        side = settings["resolution"] // codec.factor
        pictures = 2 * facts.counts(facts.data_of(job)).train  # and mirror pictures
        return 2 * pictures * codec.values * codec.channels * side**2  # half precision
    if job.kind == "finetune":
        return 2 * 4 * facts.trained(job)  # averaged and last delta, single precision
    if job.kind == "source":
        shape = facts.shape_of(job)
        return 2 * settings["pictures"] * shape.latent_channels * shape.latent_size**2
    if job.kind == "sample":
        return facts.pictures_of(job) * 3 * facts.resolution(job) ** 2
    if job.kind == "judge":
        size = facts.counts(facts.data_of(job))
        return facts.of_judge(job).width * (4 * (size.train + size.test) + 8 * size.classes)
    if job.kind == "reference":
        return min(8 * facts.counts(facts.data_of(job)).classes, KEPT) * 3 * min(SHOWN, facts.resolution(job)) ** 2
    return 1e6  # tables, small networks, a page


def state(job: Job) -> float:
    """Bytes that a job keeps in scratch while it runs: weights, average and two moments, and the next such state."""
    return 2 * 4 * 4 * facts.trained(job) if job.kind == "finetune" else 0.0
