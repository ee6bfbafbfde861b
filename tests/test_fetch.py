"""Fetching from a server that misbehaves: each case ends in the right file, or in one clear error and no file."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from finefit.data import archives, downloads, sources
from finefit.jobs.checksums import checksum

CONTENT = np.random.default_rng(0).bytes(40_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
TARGET = Path("data/raw/toy.bin")


class Misbehaving(BaseHTTPRequestHandler):
    """Serves CONTENT as the path's first folder says: `/truncates+ranges/toy.bin`."""

    asked: list[str] = []

    def do_GET(self):
        faults = self.path.split("/")[1].split("+")
        number = len(self.asked)
        self.asked.append(self.headers.get("Range", "all"))
        if "500" in faults or ("500once" in faults and not number):
            return self.send_error(500)
        if "403" in faults:
            return self.send_error(403)
        if "404" in faults:
            return self.send_error(404)
        whole = CONTENT[::-1] if "wrong" in faults else CONTENT
        start = 0
        if "ranges" in faults and (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(match[1])
            if start >= len(whole):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(whole)}")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        else:
            self.send_response(200)
        body = whole[start:]
        promised = len(body) + (1000 if "more" in faults else -1000 if "less" in faults and not number else 0)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        if "truncates" in faults or ("truncatesonce" in faults and not number):
            body = body[: len(body) // 2]
        self.wfile.write(body[: max(promised, 0)])
        self.wfile.flush()
        if "stalls" in faults or ("stallsonce" in faults and not number):
            self.server.released.wait(5)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving)
    httpd.released = threading.Event()
    Misbehaving.asked = []
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.released.set()
    httpd.shutdown()


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    """An empty project; `table(url)` writes its sources table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FINEFIT_MIRROR", raising=False)
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.3)
    Path("data").mkdir()

    def write(url: str, file="toy.bin", size: int | str = len(CONTENT), checksum=SHA256, by_hand="") -> None:
        row = f"toy,{file},{url},{size},{checksum},MIT,none,{by_hand}"
        sources.TABLE.write_text(f"name,file,url,bytes,checksum,licence,terms,by_hand\n{row}\n")
        sources.table.cache_clear()

    yield write
    sources.table.cache_clear()


LENGTH = len(CONTENT)
RECOVERABLE = [
    (faults, size, ranges)
    for faults in ("none", "truncatesonce", "500once", "stallsonce", "more", "less")
    for size in (LENGTH, "")
    for ranges in ("", "+ranges")
    # A lie about a length that nobody published is found out by the checksum alone: see below.
    if size or faults not in ("more", "less") or (faults == "more" and ranges)
]


@pytest.mark.parametrize(("faults", "size", "ranges"), RECOVERABLE)
def test_ends_in_the_right_file(server, table, faults, size, ranges):
    if faults == "stallsonce":
        faults = "stallsonce+truncatesonce"
    table(f"{server}/{faults}{ranges}/toy.bin", size=size)
    assert sources.fetch("toy").read_bytes() == CONTENT
    assert [path.name for path in TARGET.parent.iterdir() if not path.name.startswith(".")] == ["toy.bin"]


@pytest.mark.parametrize("size", [len(CONTENT), ""])
@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ("500", "the server answered 500"),
        ("403", "the server answered 403"),
        ("truncates", "toy.bin: "),
        ("stalls+truncates", "nothing came for 0.3 seconds"),
        ("wrong", "but data/sources.csv says"),
    ],
)
def test_ends_in_one_clear_error_and_no_file(server, table, faults, said, size):
    table(f"{server}/{faults}/toy.bin", size=size)
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        sources.fetch("toy")
    assert "\n" not in str(raised.value) and not TARGET.exists()


@pytest.mark.parametrize("faults", ["less", "more"])
def test_a_lie_about_an_unknown_length_is_found_out(server, table, faults):
    table(f"{server}/{faults}/toy.bin", size="")
    with pytest.raises(ValueError):
        sources.fetch("toy")
    assert not TARGET.exists()


def test_a_refusal_is_not_repeated(server, table):
    table(f"{server}/403/toy.bin")
    with pytest.raises(ValueError, match="403"):
        sources.fetch("toy")
    assert len(Misbehaving.asked) == 1


def test_goes_on_where_an_earlier_process_ended(server, table):
    table(f"{server}/ranges/toy.bin")
    TARGET.parent.mkdir()
    Path(f"{TARGET}.partial").write_bytes(CONTENT[:30_000])
    assert sources.fetch("toy").read_bytes() == CONTENT
    assert Misbehaving.asked == ["bytes=30000-"]


def test_a_wrong_beginning_is_not_kept(server, table):
    table(f"{server}/ranges/toy.bin")
    TARGET.parent.mkdir()
    Path(f"{TARGET}.partial").write_bytes(bytes(30_000))
    with pytest.raises(ValueError, match="but data/sources.csv says"):
        sources.fetch("toy")
    assert sources.fetch("toy").read_bytes() == CONTENT


def test_a_mirror_may_be_an_address_and_need_not_have_everything(server, table, monkeypatch):
    table(f"{server}/public/toy.bin")
    monkeypatch.setenv("FINEFIT_MIRROR", f"{server}/mirror/")
    sources.fetch("toy")
    assert len(Misbehaving.asked) == 1
    TARGET.unlink()
    monkeypatch.setenv("FINEFIT_MIRROR", f"{server}/404")
    assert sources.fetch("toy").read_bytes() == CONTENT


def test_a_full_disk_is_said_and_the_next_attempt_goes_on(server, table, monkeypatch):
    table(f"{server}/ranges/toy.bin")

    def full(path, mode):
        file = open(path, mode)  # noqa: SIM115

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, piece):
                file.write(piece[:10_000])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    monkeypatch.setattr(downloads, "open", full, raising=False)
    with pytest.raises(ValueError, match="the disk of data/raw is full after 10000 bytes"):
        sources.fetch("toy")
    assert not TARGET.exists()
    monkeypatch.setattr(downloads, "open", open, raising=False)
    assert sources.fetch("toy").read_bytes() == CONTENT
    assert Misbehaving.asked == ["all", "bytes=10000-"]


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_from_a_mirror_or_while_unpacking(table, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with tarfile.open(mirror / "toy.tar", "w") as tar:
        tar.add("data", "top")
    table("", file="toy.tar", size="", checksum=checksum(mirror / "toy.tar"), by_hand="none")
    monkeypatch.setenv("FINEFIT_MIRROR", str(mirror))
    with monkeypatch.context() as patched:
        patched.setattr(sources.shutil, "copyfile", full_disk)
        with pytest.raises(ValueError, match="the disk of data/raw is full"):
            sources.fetch("toy")
    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractall", full_disk)
        with pytest.raises(ValueError, match="No space left on device; free some of the disk"):
            archives.unpacked(("toy",))
    assert (archives.unpacked(("toy",)) / "top").is_dir()


def test_offline_says_what_is_missing_and_where_to_put_it(table):
    table("http://127.0.0.1:9/toy.bin")
    with pytest.raises(ValueError, match=rf"Put toy\.bin \({SHA256}\) into data/raw/ or into .*FINEFIT_MIRROR"):
        sources.fetch("toy")


def test_by_hand_says_how_and_takes_what_was_dropped_in_place(table):
    table("", by_hand="ask its authors")
    with pytest.raises(ValueError, match="By hand: ask its authors. Put toy.bin"):
        sources.fetch("toy")
    TARGET.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ValueError, match="but data/sources.csv says"):
        sources.fetch("toy")
    TARGET.write_bytes(CONTENT)
    assert sources.fetch("toy") == TARGET


def test_without_a_published_checksum_the_first_copy_decides(server, table):
    table(f"{server}/ranges/toy.bin", size="", checksum=sources.UNPUBLISHED)
    assert sources.fetch("toy").read_bytes() == CONTENT
    TARGET.write_bytes(CONTENT[::-1])
    with pytest.raises(ValueError, match=r"toy\.bin\.sha256 says"):
        sources.fetch("toy")


def fetched(queue, folder):
    os.chdir(folder)
    queue.put(sources.fetch("toy").read_bytes() == CONTENT)


def test_two_processes_may_ask_for_the_same_file(server, table, tmp_path):
    table(f"{server}/ranges/toy.bin")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    both = [context.Process(target=fetched, args=(queue, tmp_path)) for _ in range(2)]
    for process in both:
        process.start()
    assert [queue.get(timeout=20), queue.get(timeout=20)] == [True, True]
    for process in both:
        process.join()
    assert len(Misbehaving.asked) == 1


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("inside")
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../../escaped.txt"),
        tarfile.TarInfo("/escaped.txt"),
        link(tarfile.SYMTYPE, "/etc/passwd"),
        link(tarfile.SYMTYPE, "harmless.txt"),
        link(tarfile.LNKTYPE, "harmless.txt"),
        link(tarfile.FIFOTYPE, ""),
    ],
    ids=["escape", "absolute", "link out", "link in", "hard link", "pipe"],
)
def test_a_tar_keeps_to_its_folder(table, member):
    refused(table, "toy.tar.gz", lambda path: tarfile.open(path, "w:gz"), lambda tar: tar.addfile(member))


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "a/../../b", "C:/escaped.txt"])
def test_a_zip_keeps_to_its_folder(table, name):
    refused(table, "toy.zip", lambda path: zipfile.ZipFile(path, "w"), lambda file: file.writestr(name, "x"))


def test_a_zip_holds_no_links(table):
    member = zipfile.ZipInfo("link")
    member.external_attr = 0o120777 << 16
    refused(table, "toy.zip", lambda path: zipfile.ZipFile(path, "w"), lambda file: file.writestr(member, "/etc"))


def refused(table, name, opened, add):
    Path("data/raw").mkdir()
    with opened(Path("data/raw") / name) as archive:
        add(archive)
    table("", file=name, size="", checksum=checksum(Path("data/raw") / name), by_hand="none")
    with pytest.raises(ValueError, match=f"{name}: not unpacked: .*link, an absolute path or leaves the folder"):
        archives.unpacked(("toy",))
    assert sorted(path.name for path in Path("data/raw").iterdir() if not path.name.startswith(".")) == [name]
    assert not list(Path().glob("**/escaped.txt"))


def test_archives_within_an_archive_become_folders(table):
    Path("data/raw").mkdir()
    Path("picture.txt").write_text("x")
    with tarfile.open("n01.tar", "w") as inner:
        inner.add("picture.txt")
    with zipfile.ZipFile("data/raw/toy.zip", "w") as outer:
        outer.write("n01.tar", "deep/n01.tar")
    table("", file="toy.zip", size="", checksum=checksum(Path("data/raw/toy.zip")), by_hand="none")
    files = [path for path in archives.unpacked(("toy",)).rglob("*") if path.is_file()]
    assert [path.as_posix().split("/", 3)[3] for path in files] == ["deep/n01/picture.txt"]
