"""Several processes that share one job, one on each GPU that it has; in a single process all of this is trivial.

In training every rank draws the same chance for the whole batch and computes its share of it; gradients are summed
over ranks, so the number of ranks changes neither the data's order nor the update (up to the order of floating-point
sums). In sampling each rank takes every so many batches, and the number of ranks changes nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor, distributed
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record

from finefit.jobs import stopping

SECONDS_TO_STOP = 240  # for keeping the state, before ranks are killed; SLURM tells a job 300 before its limit


def wanted() -> int:
    """How many ranks a job has: one for each GPU that it was given, else as many as `FINEFIT_RANKS` says, else one."""
    return torch.cuda.device_count() or int(os.environ.get("FINEFIT_RANKS", "1"))


def launch(function: Callable, processes: int, *arguments: Any) -> None:
    """Call `function(*arguments)` in as many ranks, by torchrun's launcher; here and now if it is one.

    Raises:
        ToBeContinued: the ranks were told to stop.
        ValueError: a rank raised it.
    """
    if processes == 1:
        return function(*arguments)
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,  # a failed job is repeated by whoever started it
        shutdown_timeout=SECONDS_TO_STOP,
    )
    try:
        elastic_launch(config, one_rank)(function, *arguments)
    except SignalException:
        raise stopping.ToBeContinued from None
    except ChildFailedError as error:
        if all(failure.exitcode == stopping.EXIT_CODE for failure in error.failures.values()):
            raise stopping.ToBeContinued from None
        if fault := fault_of(error):
            raise ValueError(fault) from None
        if killed := [
            f"rank {rank} by signal {-one.exitcode}" for rank, one in error.failures.items() if one.exitcode < 0
        ]:
            raise ValueError(f"killed: {', '.join(killed)}, as the system does when memory is short; repeat") from None
        raise


def fault_of(error: ChildFailedError) -> str:
    """The ValueError that a rank ended with, empty where none did."""
    for failure in error.failures.values():
        text = failure.message["message"] if isinstance(failure.message, dict) else failure.message
        if text.startswith("ValueError: "):
            return text.removeprefix("ValueError: ")
    return ""


@record  # what a rank ends with reaches the process that launched it
def one_rank(function: Callable, *arguments: Any) -> None:
    """What each process runs; ends with the code for "to be continued" when told to stop. The first rank reports."""
    stopping.listen()
    gpus = torch.cuda.is_available()
    distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if number() > 0:
        sys.stderr = open(os.devnull, "w")
    try:
        function(*arguments)
    except stopping.ToBeContinued:
        any_rank(True)  # all have stopped: the first one's state is written
        sys.exit(stopping.EXIT_CODE)
    finally:
        distributed.destroy_process_group()


def number() -> int:
    """This process's number among the ranks, 0 for the one that writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def count() -> int:
    """How many ranks there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share(batch_size: int) -> slice:
    """The part of a batch that this rank computes; the parts differ by at most one row."""
    return slice(batch_size * number() // count(), batch_size * (number() + 1) // count())


def add(tensors: list[Tensor]) -> None:
    """Sum each tensor over all ranks, in place."""
    if distributed.is_initialized():
        for pending in [distributed.all_reduce(tensor, async_op=True) for tensor in tensors]:
            pending.wait()


def any_rank(flag: bool) -> bool:
    """Whether the flag is set in at least one rank: on stopping all must agree. Costs no wait for a GPU."""
    votes = torch.tensor(float(flag))
    add([votes])
    return bool(votes > 0)
