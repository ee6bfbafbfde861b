"""Every reader finds in a tiny copy of its data set's true layout what lies there."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from layouts import LAYOUTS, text

from finefit import datasets
from finefit.data import archives, sources
from finefit.datasets import caltech101, embedded, inat2021_mini, joined, tiny_imagenet
from finefit.hierarchy import index
from finefit.jobs.checksums import checksum
from finefit.jobs.job import Job
from finefit.outlook import data_check
from finefit.study import reading

ROOT = Path(__file__).parents[1]
PUBLISHED = [name for name in datasets.names() if datasets.find(name).PUBLISHED and name != "embedded"]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    sources.table.cache_clear()
    yield
    sources.table.cache_clear()


@pytest.fixture
def laid(tmp_path, request):
    """Reader, its settings, the folder, and what lies in it."""
    reader = datasets.find(request.param)
    return reader, reader.Settings(), tmp_path, LAYOUTS[request.param](tmp_path)


every = pytest.mark.parametrize("laid", PUBLISHED, indirect=True)


@every
def test_classes_and_superclasses(laid):
    reader, settings, root, (classes, _, _) = laid
    table = reader.taxonomy(settings, root)
    assert table["class_name"].tolist() == [name for name, _ in classes]
    assert all(rank in table for rank in reader.ranks(settings))
    if "superclass" in reader.ranks(settings):
        assert table["superclass"].tolist() == [above for _, above in classes]
    else:
        assert {above for _, above in classes} == {None}


@every
def test_pictures_and_splits(laid):
    reader, settings, root, (classes, train, test) = laid
    index = reader.index(settings, root)
    assert index["key"].is_unique and set(index["class_name"]) == {name for name, _ in classes}
    assert index["split"].value_counts().to_dict() == {"train": train, "test": test}
    assert reader.read(index, 8, settings, root).shape == (train + test, 8, 8, 3)


@every
def test_its_sources_are_in_the_table(laid):
    reader, settings, *_ = laid
    rows = [sources.find(name) for name in reader.sources(settings)]
    assert rows and all(row.url.startswith("http") or row.by_hand for row in rows)


def test_the_eleven_superclasses_of_inaturalist_have_the_published_ranges(tmp_path):
    """Ranges as the released code of FineDiffusion has them, sizes as the competition's page has them."""
    ranges = {
        "Plants": (5729, 9999), "Insects": (175, 2700), "Birds": (3111, 4596), "Fungi": (5388, 5728),
        "Reptiles": (4859, 5171), "Mammals": (4613, 4858), "Ray-finned Fishes": (2756, 2938),
        "Amphibians": (2939, 3108), "Mollusks": (5219, 5387), "Arachnids": (4, 156),
    }  # fmt: skip
    sizes = [4271, 2526, 1486, 341, 313, 246, 183, 170, 169, 153, 142]
    above = pd.Series("Animalia", range(10_000))
    for name, (first, last) in ranges.items():
        above[first:last + 1] = name  # fmt: skip
    lineage = {rank: "x" for rank in inat2021_mini.RANKS}
    categories = [
        {"id": number, "name": f"species {number}", "common_name": "", "supercategory": name} | lineage
        for number, name in above.items()
    ]
    text(tmp_path / "val.json", json.dumps({"categories": categories, "images": [], "annotations": []}))
    table = inat2021_mini.taxonomy(inat2021_mini.Settings(), tmp_path)
    assert table["superclass"].value_counts()[list(inat2021_mini.SUPERCLASSES)].tolist() == sizes
    for name, (first, last) in ranges.items():
        numbers = table.index[table["superclass"] == name]
        assert (numbers[0], numbers[-1], len(numbers)) == (first, last, last - first + 1)


def test_birds_have_families_and_orders():
    families = pd.read_csv(ROOT / "data/taxonomies/cub-families.csv")
    assert families["name"].is_unique and families.notna().all(axis=None)
    assert families.groupby("family")["order"].nunique().eq(1).all()


def test_the_wordnet_table_holds_tiny_imagenets_classes_in_groups_of_their_ancestors():
    """A superclass lies on its class's chain, and its classes' synsets all lie below it, as WordNet 3.0 has them."""
    table = pd.read_csv(ROOT / "data/taxonomies/tiny-imagenet-wordnet.csv")
    assert len(table) == tiny_imagenet.PUBLISHED.classes and table["wnid"].is_unique and table.notna().all(axis=None)
    dogs = table[table["superclass"] == "dog"]["name"].tolist()
    assert dogs == [
        "Chihuahua", "Yorkshire terrier", "golden retriever", "Labrador retriever", "German shepherd",
        "standard poodle",
    ]  # fmt: skip
    cats = table[table["superclass"] == "feline"]["name"].tolist()
    assert cats == ["tabby", "Persian cat", "Egyptian cat", "cougar", "lion"]
    assert set(table["depth_2"]) == {"object", "matter"} and (table["superclass"].value_counts().iloc[:-1] >= 5).all()


def test_caltechs_superclasses_are_wordnets_above_the_synset_that_each_class_shows():
    table = pd.read_csv(ROOT / "data/taxonomies/caltech-101-wordnet.csv").set_index("class_name")
    assert len(table) == caltech101.PUBLISHED.classes and table.index.is_unique and table.notna().all(axis=None)
    groups = {name: sorted(members) for name, members in table.groupby("superclass").groups.items()}
    assert groups["bird"] == ["emu", "flamingo", "flamingo_head", "ibis", "pigeon", "rooster"]
    assert groups["craft"] == ["airplanes", "ferry", "helicopter", "ketch", "schooner"]
    assert groups["reptile"] == ["brontosaurus", "crocodile", "crocodile_head", "hawksbill", "stegosaurus"]
    assert min(map(len, groups.values())) >= 5 and table.at["bass", "superclass"] == "animal"  # the fish


@pytest.mark.parametrize("name", caltech101.ARCHIVES)
def test_caltechs_public_archive_is_read_without_what_a_mac_packed_beside_every_file(name, tmp_path, monkeypatch):
    """A tar within a zip, AppleDouble files in both; the archive of smaller pictures is laid out alike without them."""
    LAYOUTS["caltech101"](tmp_path / "laid")
    pictures = tmp_path / "laid/caltech-101/101_ObjectCategories/101_ObjectCategories"
    extra = name == "caltech101"
    for folder in [pictures, *pictures.iterdir()] if extra else []:
        text(folder / "._image_0001.jpg", "Mac OS X")
    (tmp_path / "mirror").mkdir()
    row = sources.find(name)
    with tarfile.open(tmp_path / "inner.tar.gz", "w:gz") as tar:
        tar.add(pictures, "101_ObjectCategories")
    with zipfile.ZipFile(tmp_path / "mirror" / row.file, "w") as archive:
        archive.write(tmp_path / "inner.tar.gz", "caltech-101/101_ObjectCategories.tar.gz")
        for other in ("__MACOSX/caltech-101/._Annotations.tar", "caltech-101/.DS_Store") if extra else ():
            archive.writestr(other, b"Mac OS X")
    known = dataclasses.replace(row, bytes=0, checksum=checksum(tmp_path / "mirror" / row.file))
    monkeypatch.setattr(sources, "find", lambda asked: known)
    monkeypatch.setattr(sources, "RAW", tmp_path / "raw")
    monkeypatch.setenv("FINEFIT_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "raw").mkdir()
    settings = caltech101.Settings(archive=name)
    root = archives.unpacked(caltech101.sources(settings))
    index = caltech101.index(settings, root)
    assert index["class_name"].value_counts().to_dict() == {"accordion": 31, "yin_yang": 31}
    assert caltech101.read(index.iloc[:2], 8, settings, root).shape == (2, 8, 8, 3)


def test_half_of_tiny_imagenet_is_checked_against_half_of_the_published_counts(tmp_path, monkeypatch):
    LAYOUTS["tiny_imagenet"](tmp_path)
    monkeypatch.setattr(archives, "unpacked", lambda rows: tmp_path)
    monkeypatch.setattr(data_check, "state", lambda row: "here")
    monkeypatch.setattr(tiny_imagenet, "PUBLISHED", dataclasses.replace(tiny_imagenet.PUBLISHED, classes=3, train=12,
                                                                        test=3))  # fmt: skip
    with pytest.raises(ValueError, match="6 train on disk, 12 published"):
        data_check.check("tiny_imagenet", None)
    study = reading.load(ROOT / "studies/tiny-imagenet.yaml")
    assert "tiny_imagenet: 6 train" in data_check.check("tiny_imagenet", study)


def test_without_a_study_the_archive_that_is_here_is_checked(tmp_path, monkeypatch):
    LAYOUTS["caltech101"](tmp_path)
    monkeypatch.setattr(archives, "unpacked", lambda rows: tmp_path)
    monkeypatch.setattr(
        data_check, "state", lambda row: "in the mirror" if row.name == "caltech101-128" else "to fetch"
    )
    small = dataclasses.replace(caltech101.PUBLISHED, classes=2, train=60, test=2)
    monkeypatch.setattr(caltech101, "PUBLISHED", small)
    found = data_check.check("caltech101", None)
    assert found[-1] == "caltech101: its archive caltech101-128 was read; other settings by --study"
    assert {"caltech101: 60 train", "caltech101: 2 test"} <= set(found)
    monkeypatch.setattr(data_check, "state", lambda row: "to fetch")
    with pytest.raises(ValueError, match="caltech-101.zip is missing"):
        data_check.check("caltech101", None)


@pytest.fixture
def joined_parts(tmp_path):
    """Photographs beside drawings, both with a class named `banana` or a superclass that the other has."""
    LAYOUTS["tiny_imagenet"](tmp_path)
    parts = {"tiny_imagenet": {}, "embedded": {"domain": "source", "train_per_class": 8, "test_per_class": 8}}
    return joined.Settings(parts), tmp_path


def test_joined_data_sets_follow_each_other_and_are_read_as_by_themselves(joined_parts):
    settings, root = joined_parts
    drawings = embedded.Settings(domain="source", train_per_class=8, test_per_class=8)
    photographs = tiny_imagenet.Settings()
    table, index = joined.taxonomy(settings, root), joined.index(settings, root)
    own = [*tiny_imagenet.taxonomy(photographs, root)["class_name"], *embedded.taxonomy(drawings, None)["class_name"]]
    assert table["class_name"].tolist() == own
    assert table["part"].tolist() == ["tiny_imagenet"] * 3 + ["embedded"] * (len(own) - 3)
    assert index["key"].is_unique and set(index["class_name"]) == set(own)
    first, second = tiny_imagenet.index(photographs, root), embedded.index(drawings, None)
    assert len(index) == len(first) + len(second)
    mixed = pd.concat([index.iloc[-3:], index.iloc[:2]])
    pictures = joined.read(mixed, 16, settings, root)
    assert (pictures[:3] == embedded.read(second.iloc[-3:], 16, drawings, None)).all()
    assert (pictures[3:] == tiny_imagenet.read(first.iloc[:2], 16, photographs, root)).all()


def test_check_finds_what_is_missing_of_a_joined_data_set(joined_parts, monkeypatch):
    settings, root = joined_parts
    monkeypatch.setattr(archives, "unpacked", lambda rows: root)
    monkeypatch.setattr(data_check, "state", lambda row: "here")
    content = yaml.safe_load((ROOT / "studies/tiny-imagenet.yaml").read_text())
    content["data"] = {"both": {"reader": "joined", "resolutions": [32], "options": {"parts": settings.parts}}}
    study = reading.parse(content, "both")
    assert any(line.startswith("both: ") and line.endswith(" train") for line in data_check.check("both", study))
    (root / "tiny-imagenet-200/val/images/val_1.JPEG").unlink()
    with pytest.raises(ValueError, match="both: 1 pictures are missing: .*tiny-imagenet-200/val/images/val_1.JPEG"):
        data_check.check("both", study)


def test_a_class_that_two_joined_data_sets_share_is_written_with_its_part(joined_parts):
    settings, root = joined_parts
    words = root / "tiny-imagenet-200/words.txt"
    words.write_text(words.read_text().replace("banana", "snail"))
    names = joined.taxonomy(settings, root)["class_name"].tolist()
    assert "tiny_imagenet/snail" in names and "embedded/snail" in names and "snail" not in names
    rows = joined.index(settings, root).query("class_name == 'embedded/snail'").iloc[:1]
    drawings = embedded.Settings(domain="source", train_per_class=8, test_per_class=8)
    alone = embedded.index(drawings, None).query("class_name == 'snail'").iloc[:1]
    assert (joined.read(rows, 16, settings, root) == embedded.read(alone, 16, drawings, None)).all()


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"embedded": {}}, "name two readers"),
        ({"embedded": {}, "nothing": {}}, "unknown data set 'nothing'"),
        ({"embedded": {"colour": 1}, "food101": {}}, "parts.embedded: .*colour"),
        ({"embedded": {}, "joined": {"parts": {}}}, "parts.joined: cannot be a part"),
    ],
)
def test_wrong_parts_are_refused(parts, fault):
    with pytest.raises(ValueError, match=fault):
        joined.Settings(parts)


def test_no_row_of_the_sources_table_is_without_a_way():
    for row in sources.table().values():
        assert row.shipped or row.url or row.by_hand, row.name
        assert row.checksum == sources.UNPUBLISHED or row.checksum.split(":")[0] in ("md5", "sha256")
        assert row.licence and row.terms and (row.bytes >= 0)


@pytest.fixture
def on_disk(laid, monkeypatch):
    """The same, standing where `finefit data check` finds unpacked archives."""
    reader, settings, root, _ = laid
    monkeypatch.setattr(archives, "unpacked", lambda rows: root)
    monkeypatch.setattr(data_check, "state", lambda row: "here")
    return laid


def test_an_archive_that_was_cut_off_is_named_before_anything_is_made_of_it(tmp_path, monkeypatch):
    """At the boundary of a member, where tar itself sees nothing; no checksum is published for it."""
    LAYOUTS["artbench10"](tmp_path / "whole")
    found = sorted(path for path in (tmp_path / "whole").rglob("*") if path.is_file())
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        for path in found:
            tar.add(path, path.relative_to(tmp_path / "whole"))
    with tarfile.open(tmp_path / "whole.tar") as tar:
        cut = tar.getmembers()[-1].offset
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINEFIT_MIRROR", "")
    (row,) = datasets.find("artbench10").sources(datasets.find("artbench10").Settings())
    Path("data/raw").mkdir(parents=True)
    table = "name,file,url,bytes,checksum,licence,terms,by_hand"
    Path("data/sources.csv").write_text(f"{table}\n{row},art.tar,http://x/art.tar,,none published,x,x,\n")
    sources.table.cache_clear()
    Path("data/raw/art.tar").write_bytes(Path("whole.tar").read_bytes()[:cut])
    Path("data/raw/art.tar.sha256").write_text("00  art.tar")  # as it is kept of a first copy
    facts = dataclasses.replace(datasets.find("artbench10").PUBLISHED, classes=2, train=4, test=2)
    monkeypatch.setattr(datasets.find("artbench10"), "PUBLISHED", facts)
    monkeypatch.setattr(sources, "verified", lambda path, source: path)
    settings = {"reader": "artbench10", "options": {}, "sources": []}
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match="3 train on disk, 4 published") as raised:
        index.build(Job("data", "artbench10", settings), out, out)
    unpacked = archives.place((row,))
    assert str(raised.value).endswith(
        f"not whole: rm -r data/raw/art.tar data/raw/art.tar.sha256 {unpacked}, get art.tar again, repeat"
    )
    shutil.rmtree(unpacked)
    Path("data/raw/art.tar").write_bytes(Path("whole.tar").read_bytes())
    index.build(Job("data", "artbench10", settings), out, out)
    assert len(pd.read_csv(out / "index.csv")) == 6


@every
def test_check_compares_with_what_is_published(on_disk, monkeypatch):
    reader, settings, root, (classes, train, test) = on_disk
    name = reader.__name__.split(".")[-1]
    with pytest.raises(ValueError, match=f"{name}: {train} train on disk, {reader.PUBLISHED.train} published"):
        data_check.check(name, None)
    above = {superclass for _, superclass in classes} - {None}
    counts = {"classes": len(classes), "superclasses": len(above) or None, "train": train, "test": test}
    monkeypatch.setattr(reader, "PUBLISHED", dataclasses.replace(reader.PUBLISHED, **counts))
    assert f"{name}: {len(classes)} classes" in data_check.check(name, None)
    folder = reader.folder(root) if hasattr(reader, "folder") else root
    (folder / reader.index(settings, root)["key"].iloc[-1]).unlink()
    with pytest.raises(ValueError, match="pictures? are missing|on disk|validation pictures"):
        data_check.check(name, None)


def test_check_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "RAW", tmp_path)
    monkeypatch.delenv("FINEFIT_MIRROR", raising=False)
    with pytest.raises(ValueError) as raised:
        data_check.check("imagenet", None)
    assert len(str(raised.value).split("\n")) == 3
    assert "By hand: register at" in str(raised.value) and "finefit fetch imagenet-devkit" in str(raised.value)


def test_the_tables_of_the_document_have_not_drifted():
    text = data_check.DOCUMENT.read_text(encoding="utf-8")
    assert data_check.document(text) == text, "run `finefit data table --document`"
