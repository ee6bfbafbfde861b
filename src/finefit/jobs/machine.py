"""The machine that a job runs on, in calls that Linux and macOS both have."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # Linux's alone


def cores() -> int:
    """Cores that this process may use; all of the machine's where the system does not tell them apart."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's model name, or what the system calls its kind."""
    names = [line for line in cpuinfo().splitlines() if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.processor() or platform.machine()


def cpuinfo() -> str:
    """What Linux says of its processors; nothing elsewhere."""
    return CPUINFO.read_text() if CPUINFO.exists() else ""


def hardware() -> dict[str, str | int]:
    """Processor, cores, and the GPU if torch was used and sees one."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else "none"
    return {"processor": processor(), "cores": cores(), "gpu": gpu}


def peak_bytes() -> int:
    """The most memory that this process has held since its program began.

    Linux's own count goes on from that of the process that started it, so there the kernel's high-water mark is read.
    """
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def gpu_peak_bytes() -> int:
    """The most GPU memory that this process's tensors have taken; 0 without a GPU."""
    torch = sys.modules.get("torch")
    return torch.cuda.max_memory_allocated() if torch and torch.cuda.is_available() else 0


def free_bytes() -> int:
    """Memory that a process started here may take: what the system has, its control group and its limits leave."""
    found = [value for value in (available(), group_left(), resource.getrlimit(resource.RLIMIT_AS)[0]) if value > 0]
    return min(found)


def available() -> int:
    """Memory that the system could give without swapping; all that the machine has where it does not say."""
    table = Path("/proc/meminfo")
    lines = table.read_text().splitlines() if table.exists() else []
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    return free[0] if free else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def group_left() -> int:
    """Memory that the control groups around this process leave (Linux's second kind); 0 where none sets a limit."""
    membership = Path("/proc/self/cgroup")
    names = [line.partition("::")[2] for line in membership.read_text().splitlines()] if membership.exists() else []
    group = Path(f"/sys/fs/cgroup/{names[-1]}" if names else "/sys/fs/cgroup")
    left = []
    for place in (group, *group.parents):
        most, used = place / "memory.max", place / "memory.current"
        if most.exists() and used.exists() and (limit := most.read_text().strip()) != "max":
            left.append(max(1, int(limit) - int(used.read_text())))
    return min(left, default=0)
