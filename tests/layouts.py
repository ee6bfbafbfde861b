"""Tiny data sets in the true layout of every published one: `LAYOUTS[name](root)` writes one below `root`.

Each returns what a reader must find: the classes with their superclasses in class-id order (None without any), and
the number of training and test pictures.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.io import savemat

Found = tuple[list[tuple[str, str | None]], int, int]


def picture(path: Path, colour=(200, 30, 30), size=(40, 30), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def struct(**columns: list) -> np.ndarray:
    """A MATLAB struct array, a field per column."""
    table = np.zeros(len(next(iter(columns.values()))), [(name, object) for name in columns])
    for name, values in columns.items():
        table[name] = np.array([None, *values], object)[1:]
    return table


def inat2021_mini(root: Path) -> Found:
    names = [("Insects", "Apis mellifera"), ("Insects", "Bombus terrestris"), ("Plants", "Bellis perennis")]
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus")
    categories = [
        {"id": number, "name": name, "common_name": "", "supercategory": above}
        | {rank: f"{rank} {above}" for rank in ranks}
        | {"image_dir_name": f"{number:05d}_{name.replace(' ', '_')}"}
        for number, (above, name) in enumerate(names)
    ]
    for folder, count in (("train_mini", 2), ("val", 1)):
        images = [
            {"id": 10 * c["id"] + k, "file_name": f"{folder}/{c['image_dir_name']}/{k}.jpg"}
            for c in categories
            for k in range(count)
        ]
        labels = [{"id": i["id"], "image_id": i["id"], "category_id": i["id"] // 10} for i in images]
        for image in images:
            picture(root / image["file_name"])
        content = {"info": {}, "licenses": [], "images": images, "annotations": labels, "categories": categories[::-1]}
        text(root / f"{folder}.json", json.dumps(content))
    return [(name, above) for above, name in names], 6, 3


def vegfru(root: Path) -> Found:
    paths = ["veg200_images/beet_root/v_{}.jpg", "veg200_images/leek/v_{}.jpg", "fru92_images/plum/f_{}.jpg"]
    for number, split in enumerate(("train", "val", "test")):
        keys = [(path.format(number), place) for place, path in enumerate(paths)]
        text(root / "vegfru" / "vegfru_list" / f"vegfru_{split}.txt", *(f"{key} {place}" for key, place in keys))
        text(root / "vegfru/vegfru_list" / f"supvegfru_{split}.txt", *(f"{key} {place // 2}" for key, place in keys))
        for key, _ in keys:
            picture(root / "vegfru" / key)
    return [("beet root", "superclass 00"), ("leek", "superclass 00"), ("plum", "superclass 01")], 6, 3


def imagenet(root: Path) -> Found:
    # Numbers 1-3 are classes; 4 (dog) holds 2 and 3, 5 (animal) holds 1 and 4, 6 (entity) holds 5.
    synsets = struct(
        ILSVRC2012_ID=[1, 2, 3, 4, 5, 6],
        WNID=["n03", "n01", "n02", "n10", "n11", "n12"],
        words=["crane, bird", "pug, pug-dog", "crane", "dog", "animal", "entity"],
        gloss=[""] * 6,
        num_children=[0, 0, 0, 2, 2, 1],
        children=[np.array([]), np.array([]), np.array([]), np.array([2, 3]), np.array([1, 4]), np.array([5])],
        wordnet_height=[0, 0, 0, 1, 2, 3],
        num_train_images=[1, 1, 1, 0, 0, 0],
    )
    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    savemat(data / "meta.mat", {"synsets": synsets})
    text(data / "ILSVRC2012_validation_ground_truth.txt", "3", "1")
    for wnid in ("n01", "n02", "n03"):
        picture(root / wnid / f"{wnid}_1.JPEG", format="JPEG")
    for number in (1, 2):
        picture(root / f"ILSVRC2012_val_{number:08d}.JPEG", format="JPEG")
    return [("pug", "dog"), ("crane n02", "dog"), ("crane n03", "animal")], 3, 2


def food101(root: Path) -> Found:
    text(root / "food-101/meta/classes.txt", "apple_pie", "waffles")
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        names = [f"{name}/{number}" for name in ("apple_pie", "waffles") for number in numbers]
        text(root / f"food-101/meta/{split}.txt", *names)
        for name in names:
            picture(root / f"food-101/images/{name}.jpg")
    return [("apple pie", None), ("waffles", None)], 4, 2


def sun397(root: Path) -> Found:
    paths = ["/a/abbey", "/c/church/indoor", "/z/zoo"]
    for name, number in (("Training_01", 1), ("Testing_01", 2)):
        text(root / f"{name}.txt", *(f"{path}/sun_{number}.jpg" for path in paths))
        for path in paths:
            picture(root / f"SUN397{path}/sun_{number}.jpg")
    groups = ["indoor", "outdoor, natural", "outdoor, man-made", "shopping", "cultural", "parks"]
    marks = [[0, 0, 1, 0, 1, 0], [1, 0, 0, 0, 1, 0], [0, 1, 1, 0, 0, 1]]
    table = pd.DataFrame(marks, columns=groups)
    table.insert(0, "category", [f"'{path}'" for path in paths])
    (root / "hierarchy_three_levels").mkdir()
    table.to_excel(root / "hierarchy_three_levels/three_levels.xlsx", sheet_name="SUN397", index=False, startrow=1)
    return [("abbey", "cultural"), ("church, indoor", "cultural"), ("zoo", "parks")], 3, 3


def df20_mini(root: Path) -> Found:
    species = [(0, "Amanita muscaria (L.) Lam.", "Amanitaceae"), (1, "Boletus edulis Bull.", "Boletaceae")]
    for name, number in (("train", 1), ("public_test", 2)):
        rows = [
            {"image_path": f"{number}-{label}.JPG", "class_id": label, "scientificName": title, "species": title,
             "kingdom": "Fungi", "phylum": "Basidiomycota", "class": "Agaricomycetes", "order": family[:4],
             "family": family, "genus": title.split()[0]}
            for label, title, family in species[::-1]
        ]  # fmt: skip
        pd.DataFrame(rows).to_csv(root / f"DF20M-{name}_metadata_PROD.csv", index=False)
        for row in rows:
            picture(root / "DF20M" / row["image_path"], format="JPEG")
    return [(title, family) for _, title, family in species], 2, 2


def caltech101(root: Path) -> Found:
    folder = root / "caltech-101/101_ObjectCategories/101_ObjectCategories"
    for name in ("BACKGROUND_Google", "accordion", "yin_yang"):
        for number in range(1, 32):
            picture(folder / name / f"image_{number:04d}.jpg", size=(4, 4))
    return [("accordion", "musical instrument"), ("yin_yang", "artifact")], 60, 2


def cub200_2011(root: Path) -> Found:
    folder = root / "CUB_200_2011"
    names = ["001.Laysan_Albatross", "002.House_Sparrow", "003.Fox_Sparrow"]
    rows = [(number + 1, number % 3, number // 3) for number in range(6)]
    text(folder / "classes.txt", *(f"{number + 1} {name}" for number, name in enumerate(names)))
    text(folder / "images.txt", *(f"{number} {names[label]}/{number}.jpg" for number, label, _ in rows))
    text(folder / "image_class_labels.txt", *(f"{number} {label + 1}" for number, label, _ in rows))
    text(folder / "train_test_split.txt", *(f"{number} {1 - tests}" for number, _, tests in rows))
    for number, label, _ in rows:
        picture(folder / "images" / names[label] / f"{number}.jpg")
    found = [("Laysan Albatross", "Diomedeidae"), ("House Sparrow", "Passeridae"), ("Fox Sparrow", "Passerellidae")]
    return found, 3, 3


def artbench10(root: Path) -> Found:
    for name in ("baroque", "ukiyo_e"):
        for number, split in enumerate(("train", "train", "test")):
            picture(root / "artbench-10-imagefolder-split" / split / name / f"{number}.jpg")
    return [("baroque", None), ("ukiyo_e", None)], 4, 2


def flowers102(root: Path) -> Found:
    savemat(root / "imagelabels.mat", {"labels": np.array([[2, 1, 2, 1, 2]], np.uint8)})
    savemat(root / "setid.mat", {"trnid": np.array([[1, 2]]), "valid": np.array([[4]]), "tstid": np.array([[3, 5]])})
    for number in range(1, 6):
        picture(root / f"jpg/image_{number:05d}.jpg")
    return [("flower 001", None), ("flower 002", None)], 3, 2


def stanford_cars(root: Path) -> Found:
    names = ["AM General Hummer SUV 2000", "Audi TTS Coupe 2012", "Ram C/V Cargo Van Minivan 2012"]
    (root / "devkit").mkdir()
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(names, object)})
    for folder, table in (("cars_train", "devkit/cars_train_annos"), ("cars_test", "cars_test_annos_withlabels")):
        files = [f"{number:05d}.jpg" for number in (1, 2, 3)]
        annotations = struct(bbox_x1=[1, 1, 1], **{"class": [3, 1, 2]}, fname=files)
        savemat(root / f"{table}.mat", {"annotations": annotations})
        for name in files:
            picture(root / folder / name)
    makes = ["AM General", "Audi", "Ram"]
    return [(name.replace("/", "-"), make) for name, make in zip(names, makes, strict=True)], 3, 3


def grocery(root: Path) -> Found:
    data = root / "GroceryStoreDataset-abc" / "dataset"
    for split in ("train", "val", "test"):
        lines = []
        for fine, coarse, name in ((0, 0, "Apple/Golden"), (1, 0, "Apple/Granny"), (2, 1, "Zucchini")):
            key = f"{split}/Fruit/{name}/a_001.jpg"
            picture(data / key, (60 * fine, 100, 100))
            lines.append(f"{key}, {fine}, {coarse}")
        text(data / f"{split}.txt", *lines)
    header = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic,Description"
    rows = ["Golden-Delicious,0,Apple,0,/i,/d", "Granny-Smith,1,Apple,0,/i,/d", "Zucchini,2,Zucchini,1,/i,/d"]
    text(data / "classes.csv", header, *rows)
    return [("Golden-Delicious", "Apple"), ("Granny-Smith", "Apple"), ("Zucchini", "Zucchini")], 6, 3


def tiny_imagenet(root: Path) -> Found:
    folder = root / "tiny-imagenet-200"
    wnids = ["n07753592", "n02094433", "n02085620"]
    text(folder / "wnids.txt", *wnids)
    synsets = ["Chihuahua", "Yorkshire terrier", "banana", "entity"]
    text(
        folder / "words.txt",
        *(
            f"{wnid}\t{name}, other word"
            for wnid, name in zip(["n02085620", "n02094433", "n07753592", "n00001740"], synsets, strict=True)
        ),
    )
    for wnid in wnids:
        text(folder / f"train/{wnid}/{wnid}_boxes.txt", f"{wnid}_0.JPEG\t0\t0\t62\t62")
        for number in (0, 1):
            picture(folder / f"train/{wnid}/images/{wnid}_{number}.JPEG", format="JPEG")
    lines = [f"val_{number}.JPEG\t{wnid}\t0\t0\t62\t62" for number, wnid in enumerate(wnids)]
    text(folder / "val/val_annotations.txt", *lines)
    for number in range(3):
        picture(folder / f"val/images/val_{number}.JPEG", format="JPEG")
    return [("Chihuahua", "dog"), ("Yorkshire terrier", "dog"), ("banana", "produce")], 6, 3


LAYOUTS = {
    layout.__name__: layout
    for layout in (
        inat2021_mini, vegfru, imagenet, food101, sun397, df20_mini, caltech101, cub200_2011, artbench10, flowers102,
        stanford_cars, grocery, tiny_imagenet,
    )
}  # fmt: skip
