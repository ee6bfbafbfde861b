"""Bringing a file over HTTP: goes on where an earlier attempt ended, never longer than one stall at a time."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import requests

from finefit.jobs.progress import progress

ATTEMPTS = 5  # per address, counted anew whenever bytes arrived
STALL_SECONDS = 30.0  # without a byte, the connection is given up
PAUSE_SECONDS = 2.0  # before the next attempt, doubled each time
CHUNK = 1 << 20


def download(addresses: list[str], partial: Path, size: int, what: str) -> None:
    """Bring a file into `partial` from the first address that gives it whole, going on where `partial` ends.

    Args:
        addresses: where it can be had, in order of preference.
        partial: where its bytes are gathered; kept when the network fails, so that a repetition goes on.
        size: its length in bytes where known, else 0.
        what: its name, for the progress.

    Raises:
        ValueError: no address gave it, each with its reason; or the disk is full.
    """
    reasons = []
    for address in addresses:
        try:
            return attempts(address, partial, size, what)
        except requests.RequestException as error:
            reasons.append(f"{address}: {reason(error)}")
        except OSError as error:
            raise disk_full(error, partial) from None
    raise ValueError(f"could not be fetched ({'; '.join(reasons) or 'it has no public address'})")


def attempts(address: str, partial: Path, size: int, what: str) -> None:
    """Try one address until the file is whole; raises the last failure of `requests` after `ATTEMPTS` barren tries."""
    left, pause = ATTEMPTS, PAUSE_SECONDS
    while True:
        before = length(partial)
        try:
            if receive(address, partial, size, what):
                return
            raise requests.ConnectionError(f"ended after {length(partial)} bytes")
        except requests.RequestException as error:
            left = ATTEMPTS if length(partial) > before else left - 1
            status = error.response.status_code if error.response is not None else None
            refused = status is not None and 400 <= status < 500 and status not in (408, 416, 429)
            if size and length(partial) == size:  # whole, whatever the server promised
                return
            if refused or not left:
                raise
        time.sleep(pause)
        pause *= 2 if length(partial) == before else 1


def receive(address: str, partial: Path, size: int, what: str) -> bool:
    """One request: append what is missing to `partial`; whether it is now as long as it should be."""
    have = length(partial)
    if size and have == size:
        return True
    if size and have > size:
        partial.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(address, headers=headers, stream=True, timeout=STALL_SECONDS) as response:
        if response.status_code == 416:  # nothing lies beyond what is here: it is whole, or not this file
            if response.headers.get("Content-Range") == f"bytes */{have}" and size in (0, have):
                return True
            partial.unlink()
        response.raise_for_status()
        if response.headers.get("Content-Range", "").split("-")[0] != f"bytes {have}":
            have = 0  # the server does not continue: from the start
        response.raw.enforce_content_length = False  # which would drop the last bytes; the length is checked here
        promised = have + int(response.headers.get("Content-Length", 0))
        total = size or promised
        with open(partial, "ab" if have else "wb") as file:
            pieces = response.iter_content(CHUNK)
            name = f"fetching {what} (MiB)"
            for piece in progress(pieces, name, have // CHUNK, max(-(-total // CHUNK), have // CHUNK)):
                file.write(piece)
    return length(partial) >= total


def disk_full(error: OSError, partial: Path) -> Exception:
    """The clear error for a disk that filled while `partial` was written; any other error as it is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return ValueError(f"the disk of {partial.parent} is full after {length(partial)} bytes; free some and repeat")


def length(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def reason(error: requests.RequestException) -> str:
    """Why a request failed, in a few words."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"nothing came for {STALL_SECONDS:g} seconds"
    return str(error).split("(Caused by")[0][:200]
