"""Throw-away clones of this repository in which the smoke study, of few methods, is the study; what ran in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from finefit.jobs.checksums import checksum
from finefit.jobs.job import PHASES

ROOT = Path(__file__).parents[1]
JOB = re.compile(r"^Job \d+: (\w+) (\S+)$", re.MULTILINE)
METHODS = ("bitfit", "difffit", "finediffusion")  # enough for engines, who know no method
MEMORY: list[Path] = []  # the folder in which this run's clones remember what depends on code alone (`jobs.remembered`)


@dataclass(frozen=True)
class Clone:
    """A clone of this repository in which the smoke study is the study."""

    root: Path

    def start(self, *command: str, bin: Path | None = None, stdout=subprocess.PIPE) -> subprocess.Popen:
        """A running command; it has the clone's own code, and programs in `bin` come first."""
        paths = [*([str(bin)] if bin else []), str(Path(sys.executable).parent), os.environ["PATH"]]
        mine = {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(self.root / "src"), "NO_COLOR": "1"}
        who = {f"GIT_{role}_{key}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=os.environ | mine | who,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *command: str, bin: Path | None = None, ok: bool = True) -> str:
        """What a command printed, once it has ended as expected."""
        running = self.start(*command, bin=bin)
        said, _ = running.communicate()
        assert (running.returncode == 0) == ok, f"{' '.join(command)} ended with {running.returncode}:\n{said}"
        return said

    def jobs(self, *command: str) -> list[str]:
        """Jobs that a command ran, e.g. "finetune embedded-32/full-s0" (digests left out), in alphabetical order."""
        before = set(self.logs())
        self(*command)
        said = "".join(log.read_text(encoding="utf-8") for log in self.logs() if log not in before)
        return sorted(f"{kind} {re.sub('-[0-9a-f]{8}$', '', name)}" for kind, name in JOB.findall(said))

    def logs(self) -> list[Path]:
        return sorted((self.root / ".snakemake/log").glob("*.log"))

    def set(self, dotted: str, value: object) -> None:
        """Edit one value of params.yaml."""
        path = self.root / "params.yaml"
        study = yaml.safe_load(path.read_text(encoding="utf-8"))
        *sections, key = dotted.split(".")
        section = study
        for name in sections:
            section = section[name]
        section[key] = value
        path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")

    def amend(self, code: str) -> None:
        """Have jobs run this code in place of the command line's, which ends with `cli.main()`."""
        (self.root / "src/finefit/__main__.py").write_text(code, encoding="utf-8")

    def commit(self) -> None:
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--allow-empty", "--message", "as it stands")

    def missing(self) -> list[str]:
        """Jobs of the study whose artifact is not published."""
        return [line.split()[2] for line in self("finefit", "plan").splitlines() if line.startswith("missing")]

    def files(self) -> dict[str, str]:
        """Checksums of all artifacts' files but provenance and reports, which tell of clocks and machines."""
        folders = {folder for _, folder in PHASES.values()} - {"reports"}
        paths = [path for folder in folders for path in (self.root / folder).rglob("*") if path.is_file()]
        return {str(p.relative_to(self.root)): checksum(p) for p in paths if p.name != "provenance.json"}


def share_memory(root: Path) -> None:
    """Have a clone without scratch remember what the run's other clones do."""
    (root / "scratch").mkdir()
    for memory in MEMORY:
        (root / "scratch/remembered").symlink_to(memory)


def clone_here(folder: Path, *methods: str) -> Clone:
    """Clone this repository as it stands, committed or not, with the smoke study of these methods as params.yaml.

    What depends on code alone, such as counts of parameters, one clone of a run calculates for all.
    """
    root = folder / "finefit"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        (root / name).unlink(missing_ok=True)
        if os.path.lexists(ROOT / name):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name, follow_symlinks=False)
    for made in ("dvc.lock", "reports"):  # what the repository ships was made with another params.yaml
        shutil.rmtree(root / made, ignore_errors=True)
        (root / made).unlink(missing_ok=True)
    shutil.copyfile(root / "studies/smoke.yaml", root / "params.yaml")
    share_memory(root)
    clone = Clone(root)
    all_methods = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["methods"]
    clone.set("methods", {name: all_methods[name] for name in methods or METHODS})
    clone.commit()
    return clone
