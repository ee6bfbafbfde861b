"""Where files, people's input and the machine reach other people's code: listed in docs/faults.md, each held here.

A border is a place that turns whatever comes out of a library into a line about the file. Every call of a reader stands
in one, or in the list of those that read what this process has just made.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import ROOT

from finefit.codecs import patch_pca
from finefit.deltas.delta import load_delta
from finefit.jobs import borders, faults, readers, tensors
from finefit.jobs.arrays import OnDisk
from finefit.metrics import head, probe, published
from finefit.models import about, checkpoint
from finefit.study import reading

SOURCE, DOCUMENT = ROOT / "src/finefit", ROOT / "docs/faults.md"
READERS = {
    *("Image.open", "yaml.safe_load", "yaml.compose", "zipfile.ZipFile", "tarfile.open", "safe_open", "load_file"),
    *("torch.load", "pd.read_csv", "pd.read_excel", "np.load", "np.loadtxt", "json.loads", "json.load", "pickle.load"),
    *("subprocess.run", "subprocess.Popen", "requests.get", "nbformat.read", "from_pretrained", "create_model"),
}
KINDS = (
    *("a.safetensors", "delta.safetensors", "about.safetensors", "codec.safetensors", "probe.safetensors", "a.pt"),
    *("alexnet.pth", "a.npy", "b.npy", "a.npz", "head.npz", "a.csv", "a.json", "a.yaml"),
)
GUARDS = ("borders.reading(", "tensors.opened(", "files.opened(")


def places() -> dict[tuple[str, str], bool]:
    """Each function that calls a reader, by its module and name: whether every such call in it stands in a border."""
    found: dict[tuple[str, str], bool] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for function, guarded in calls(ast.parse(file.read_text(encoding="utf-8")), "", False):
            key = (file.relative_to(SOURCE).as_posix(), function)
            found[key] = found.get(key, True) and guarded
    return found


def calls(node: ast.AST, function: str, guarded: bool) -> Iterator[tuple[str, bool]]:
    """The outermost function around each call of a reader, and whether a `try` or a border is around it."""
    if isinstance(node, ast.FunctionDef):
        function = function or node.name
    if isinstance(node, ast.Try):
        guarded = True
    if isinstance(node, ast.With):
        guarded = guarded or any(ast.unparse(item).startswith(GUARDS) for item in node.items)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name in READERS or name.split(".")[-1] in ("from_pretrained", "create_model"):
            yield function, guarded
    for child in ast.iter_child_nodes(node):
        yield from calls(child, function, guarded)


def listed(title: str) -> set[tuple[str, str]]:
    """Modules and functions in the first column of a table of the document."""
    part = DOCUMENT.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {(file, name) for row in rows for file, names in re.findall(r"`([\w/.]+)`: ([^;|]+)", row)
            for name in re.findall(r"\w+", names)}  # fmt: skip


def test_every_call_of_a_reader_stands_in_a_border_that_is_listed():
    found = places()
    assert {place for place, guarded in found.items() if guarded} == listed("Borders")
    assert {place for place, guarded in found.items() if not guarded} == listed("No borders")


def test_nothing_is_caught_without_a_reason_that_is_listed():
    """`except Exception` and its like, and who says "a bug of"."""
    broad = set()
    for file in sorted(SOURCE.rglob("*.py")):
        text, name = file.read_text(encoding="utf-8"), file.relative_to(SOURCE).as_posix()
        for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler) and (
                    node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                ):
                    broad.add((name, function.name))
        assert ("a bug of" not in text.partition('"""\n\n')[2]) or name == "jobs/faults.py"
    assert broad == listed("What catches everything")


def damages(whole: bytes) -> Iterator[bytes]:
    """A file cut off, empty, of other content, and with bits turned in it."""
    yield from (b"", b"<html>", whole[: len(whole) // 2], whole[:-1], bytes(len(whole)), b"\xff" * 64, b"null", b"[]")
    chance = np.random.default_rng(0)
    for _ in range(20):
        content = np.frombuffer(whole, np.uint8).copy()
        content[chance.integers(0, min(len(content), 400), 3)] ^= chance.integers(1, 256, 3).astype(np.uint8)
        yield content.tobytes()


def saved(write: Callable) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def every_kind(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """A small whole file of each kind, and its reader."""
    small = {"x": torch.arange(4.0)}
    tensors.save(small, folder / "a.safetensors", {"finefit": json.dumps({"run": {}, "base": None})})
    judge = probe.Probe(num_classes=2, width=4)
    probe.save(judge, folder / "p.safetensors")
    array, table = np.arange(300.0).reshape(100, 3), b"a,b\n1,2\n3,4\n"
    fitted = saved(lambda file: np.savez(file, x=array))
    return {
        "a.safetensors": ((folder / "a.safetensors").read_bytes(), checkpoint.read),
        "delta.safetensors": ((folder / "a.safetensors").read_bytes(), lambda file: load_delta(file, None, None)),
        "about.safetensors": ((folder / "a.safetensors").read_bytes(), about.about),
        "codec.safetensors": ((folder / "a.safetensors").read_bytes(), patch_pca.load),
        "probe.safetensors": ((folder / "p.safetensors").read_bytes(), probe.load),
        "a.pt": (saved(lambda file: torch.save(small, file)), checkpoint.read),
        "alexnet.pth": (saved(lambda file: torch.save(small, file)), published.lpips_distance),
        "a.npy": (saved(lambda file: np.save(file, array)), readers.array),
        "b.npy": (saved(lambda file: np.save(file, array)), lambda file: OnDisk(file)[:]),
        "a.npz": (fitted, lambda file: read_all(file)),
        "head.npz": (fitted, head.load),
        "a.csv": (table, readers.table),
        "a.json": (b'{"a": 1}', readers.content),
        "a.yaml": (b"name: x\ntrain: {steps: 3}\n", reading.load),
    }


def read_all(file: Path) -> list[np.ndarray]:
    with readers.arrays(file) as content:
        return [content[name] for name in content]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_read_or_named_and_never_a_bug(tmp_path, name):
    whole, read = every_kind(tmp_path)[name]
    for content in damages(whole):
        (tmp_path / name).write_bytes(content)
        try:
            read(tmp_path / name)
        except Exception as error:
            said = faults.expected(error)
            lines = said.splitlines()  # one for each finding
            assert lines and all(line.startswith(f"{tmp_path / name}") for line in lines), (content[:40], repr(error))


def test_what_the_system_refuses_and_our_own_words_pass_a_border_as_they_are(tmp_path):
    for error in (PermissionError(13, "Permission denied"), MemoryError("no more"), OSError(28, "No space left")):
        with pytest.raises(type(error)) as raised, borders.reading(tmp_path / "a", "damaged"):
            raise error
        assert raised.value is error and "damaged" not in faults.line(error)
    assert PermissionError(13, "x").filename is None
    with pytest.raises(ValueError, match=r"^a: damaged \(unpack requires more\); get it again$"):
        with borders.reading(Path("a"), "damaged", "get it again"):
            raise RuntimeError("unpack requires more\nand a second line")
