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
    """The most memory that this process has held; the system counts it in kilobytes on Linux, in bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
