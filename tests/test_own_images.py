"""Own photographs, good and bad: each handled as a person expects, or told, all at once, with its path."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from layouts import picture
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo

from finefit.data import folders
from finefit.data.pictures import read_file
from finefit.datasets import folder

RED = (200, 30, 30)


@pytest.fixture(autouse=True)
def fresh():
    folders.content.cache_clear()
    yield
    folders.content.cache_clear()


def settings(path: Path) -> folder.Settings:
    folders.content.cache_clear()
    return folder.Settings(path=str(path))


def indexed(path: Path):
    return folder.index(settings(path), None)


def save(image: Image.Image, path: Path, **options) -> np.ndarray:
    """The picture as it is read back, its middle pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return read_file(path, 16)[8, 8].astype(int)


def like(colour: np.ndarray, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(colour - wanted).max() <= 4)


def test_colours_come_out_as_a_person_sees_them(tmp_path):
    red = Image.new("RGB", (40, 30), RED)
    assert like(save(Image.new("L", (40, 30), 77), tmp_path / "grey.jpg"), (77, 77, 77))
    assert like(save(red.convert("CMYK"), tmp_path / "cmyk.jpg"), RED)
    assert like(save(red.convert("P", palette=Image.Palette.ADAPTIVE), tmp_path / "palette.png"), RED)
    assert like(save(Image.new("1", (40, 30), 1), tmp_path / "bilevel.png"), (255, 255, 255))


def test_transparent_becomes_white(tmp_path):
    clear = Image.new("RGBA", (40, 30), (*RED, 0))
    assert like(save(clear, tmp_path / "alpha.png"), (255, 255, 255))
    assert like(save(Image.new("RGBA", (40, 30), (*RED, 255)), tmp_path / "opaque.png"), RED)
    assert like(save(Image.new("LA", (40, 30), (0, 0)), tmp_path / "grey-alpha.png"), (255, 255, 255))
    palette = Image.new("P", (40, 30), 0)
    palette.putpalette(RED + (0, 0, 0))
    assert like(save(palette, tmp_path / "clear.gif", transparency=0), (255, 255, 255))


def test_sixteen_bits_keep_their_brightness(tmp_path):
    """Pillow's own conversion would clip everything above 255 of 65,535 to white."""
    grey = Image.fromarray(np.full((30, 40), 128 * 257, np.uint16))
    assert like(save(grey, tmp_path / "deep.png"), (128, 128, 128))
    assert like(save(grey, tmp_path / "deep.tif"), (128, 128, 128))


# Primaries of a space in XYZ under D50, as columns: of Display P3 and ProPhoto, from their standards.
TO_XYZ = {
    "P3": [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]],
    "ProPhoto": [[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0.0, 0.0, 0.82521]],
}
FROM_XYZ_D50 = [[3.13386, -1.61687, -0.49061], [-0.97877, 1.91614, 0.03345], [0.07195, -0.22899, 1.40524]]


def profile_of(space: str, gamma: float) -> bytes:
    """A colour profile of three primaries and a power, as the ICC's specification lays it out (version 2)."""
    xyz = np.array(TO_XYZ[space])

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    tags = {f"{colour}XYZ": b"XYZ " + bytes(4) + fixed(*xyz[:, place]) for place, colour in enumerate("rgb")}
    tags["wtpt"] = b"XYZ " + bytes(4) + fixed(0.96420, 1.0, 0.82491)
    tags |= {f"{c}TRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2) for c in "rgb"}
    tags["desc"] = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x" + bytes(80)
    tags["cprt"] = b"text" + bytes(4) + b"x" + bytes(3)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name.encode() + struct.pack(">II", 132 + 12 * len(tags) + len(content), len(value))
        content += value
    head = struct.pack(">I4xI4s4s4s12x4s", 132 + 12 * len(tags) + len(content), 0x02400000, b"mntr", b"RGB ", b"XYZ ",
                       b"acsp").ljust(68, b"\0") + fixed(0.96420, 1.0, 0.82491)  # fmt: skip
    return head.ljust(128, b"\0") + table + content


@pytest.mark.parametrize(("space", "gamma"), [("P3", 2.2), ("ProPhoto", 1.8)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_those_of_the_profile(tmp_path, space, gamma, mode):
    """As its numbers say: to light by the power, to XYZ, to sRGB's light and its curve (IEC 61966-2-1)."""
    colour = (150, 110, 90)
    light = np.array(FROM_XYZ_D50) @ np.array(TO_XYZ[space]) @ (np.array(colour) / 255) ** gamma
    wanted = 255 * np.where(light > 0.0031308, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055, 12.92 * light)
    image = Image.new("RGB", (40, 30), colour).convert(mode, palette=Image.Palette.ADAPTIVE)
    found = save(image, tmp_path / "a.png", icc_profile=profile_of(space, gamma))
    assert np.abs(wanted - colour).max() > 8 and np.abs(found - wanted).max() <= 2


def test_profiles_that_say_nothing_or_do_not_fit_change_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
    plain = (save(noise, tmp_path / "plain.png"), read_file(tmp_path / "plain.png", 30))[1]
    for name, profile in {"srgb": srgb, "broken": b"no profile", "cut": srgb[:200]}.items():
        save(noise, tmp_path / f"{name}.png", icc_profile=profile)
        assert (read_file(tmp_path / f"{name}.png", 30) == plain).all(), name
    grey = Image.new("L", (40, 30), 77)
    assert like(save(grey, tmp_path / "grey.png", icc_profile=srgb), (77, 77, 77))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_even_where_other_metadata_are_broken(tmp_path, orientation):
    """A resolution of -1/0, as some cameras write, stands where other programs write the turned picture's own."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.XResolution] = 72.0
    corners = np.zeros((30, 30, 3), np.uint8)
    corners[:15, :15], corners[:15, 15:], corners[15:, :15] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    right = exif.tobytes()
    broken = right.replace(struct.pack("<II", 72, 1), struct.pack("<iI", -1, 0))
    broken = broken.replace(struct.pack(">II", 72, 1), struct.pack(">iI", -1, 0))
    assert broken != right
    Image.fromarray(corners).save(tmp_path / "a.png")
    read = {}
    for name, content in {"right": right, "broken": broken}.items():
        Image.fromarray(corners).save(tmp_path / f"{name}.jpg", exif=content, quality=95, subsampling=0)
        read[name] = read_file(tmp_path / f"{name}.jpg", 30).astype(int)
    with Image.open(tmp_path / "right.jpg") as image:
        theirs = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    for found in read.values():
        assert np.abs(found - theirs).max() <= 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_picture_of_broken_metadata_is_read_as_it_lies(tmp_path, form):
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 40
    assert like(save(Image.new("RGB", (40, 30), RED), tmp_path / "a.png", format=form, exif=exif), RED)


def test_a_png_with_megabytes_beside_its_pixels_is_read(tmp_path):
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    text.add_text("Comment", "y" * 3_000_000, zip=True)
    red = Image.new("RGB", (40, 30), RED)
    assert like(save(red, tmp_path / "a.png", pnginfo=text, icc_profile=bytes(2_500_000)), RED)


def test_whatever_a_decoder_raises_is_told_with_the_other_faults(tmp_path, monkeypatch):
    """Errors of kinds that no list has, of metadata and of pixels."""
    for name in ("a", "b", "c"):
        picture(tmp_path / f"bird/lark/{name}.png")
    errors = iter([struct.error("argument out of range"), RuntimeError("Failed to decode"), MemoryError()])

    def load(self) -> None:
        raise next(errors)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(ValueError) as raised:
        indexed(tmp_path)
    said = [line.partition("bird/lark/")[2] for line in str(raised.value).splitlines()]
    assert said == [
        "a.png: is not readable as a picture (argument out of range); replace or remove it",
        "b.png: is not readable as a picture (Failed to decode); replace or remove it",
        "c.png: is not readable as a picture (MemoryError); replace or remove it",
    ]


def test_eight_bits_in_thirty_two_are_asked_for_and_then_right(tmp_path):
    values = np.linspace(0, 255, 1200).reshape(30, 40).astype(np.int32)
    for number in range(2):
        (tmp_path / "cell/one").mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"cell/one/{number}.tif")
    with pytest.raises(ValueError, match=r"values that end at 255: .*\{bits: 8\}"):
        indexed(tmp_path)
    told = replace(settings(tmp_path), bits=8)
    read = folder.read(folder.index(told, None), 30, told, None)
    assert np.abs(read[0, :, :, 0].astype(int) - values[:, 5:35]).max() <= 1


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, (0, 0, 255))]
    assert like(save(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:]), RED)


def test_unicode_and_odd_names_are_kept(tmp_path):
    names = ["Fische/Äsche/im Fluß 1.jpg", "Fische/鯉/写真.PNG", 'Vögel/NA/a,b "c".jpeg', "Vögel/NA/2.jpeg"]
    for name in names:
        picture(tmp_path / name, size=(20 + len(name), 20))
    index = indexed(tmp_path)
    assert sorted(index["key"]) == sorted(names) and set(index["class_name"]) == {"Äsche", "鯉", "NA"}
    assert folder.read(index, 8, settings(tmp_path), None).shape == (4, 8, 8, 3)


def test_one_picture_in_a_class_trains(tmp_path):
    picture(tmp_path / "bird/lark/1.jpg")
    assert indexed(tmp_path)["split"].tolist() == ["train"]


def test_the_same_name_in_two_superclasses_is_two_classes(tmp_path):
    for name in ("bird/robin", "car/robin"):
        picture(tmp_path / name / "1.jpg")
    assert folder.taxonomy(settings(tmp_path), None)["class_name"].tolist() == ["bird/robin", "car/robin"]


def test_classes_without_superclasses(tmp_path):
    for name in ("lark", "robin"):
        picture(tmp_path / name / "1.jpg")
    assert folder.ranks(settings(tmp_path)) == ()
    assert folder.taxonomy(settings(tmp_path), None).to_dict("list") == {"class_name": ["lark", "robin"]}
    assert indexed(tmp_path)["class_name"].tolist() == ["lark", "robin"]


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    good = picture(tmp_path / "bird/lark/good.jpg", size=(200, 200))
    (tmp_path / "bird/lark/zero.jpg").write_bytes(b"")
    (tmp_path / "bird/lark/text.png").write_bytes(b"no picture")
    (tmp_path / "bird/lark/cut.jpg").write_bytes(good.read_bytes()[:-300])
    Image.new("F", (40, 30), 0.5).save(tmp_path / "bird/lark/float.tif")
    (tmp_path / "bird/robin").mkdir()
    with pytest.raises(ValueError) as raised:
        indexed(tmp_path)
    lines = str(raised.value).splitlines()
    told = {line.split(": ")[0].removeprefix(f"{tmp_path}/"): line.split(": ", 1)[1] for line in lines}
    assert told.keys() == {f"bird/lark/{name}" for name in ("zero.jpg", "text.png", "cut.jpg", "float.tif")} | {
        "bird/robin"
    }
    assert "empty (0 bytes)" in told["bird/lark/zero.jpg"] and "truncated" in told["bird/lark/cut.jpg"]
    assert "not readable as a picture" in told["bird/lark/text.png"] and "floating" in told["bird/lark/float.tif"]
    assert "holds no picture" in told["bird/robin"]


def test_counts_are_those_of_the_index_without_opening_a_picture(tmp_path):
    """Classes of 1, 4 and 11 pictures, one in four of each tests: floor(n / 4) of them."""
    for name, count in (("bird/lark", 1), ("bird/robin", 4), ("car/robin", 11)):
        for number in range(count):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / f"{number}.jpg").write_bytes(b"no picture, so that opening it fails")
    assert folder.counts(replace(settings(tmp_path), test_every=4)) == (3, 13, 3)


def test_other_files_are_left_out_aloud_and_hidden_ones_in_silence(tmp_path, capsys):
    picture(tmp_path / "bird/lark/1.jpg")
    for name in ("notes.txt", "bird/lark/raw.heic", "bird/.DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    assert len(indexed(tmp_path)) == 1
    said = capsys.readouterr().err
    assert ".heic: 1 file, as bird/lark/raw.heic; convert them to JPEG or PNG, .txt: 1 file, as notes.txt" in said
    assert "DS_Store" not in said


def test_classes_of_pictures_that_nothing_reads_are_told_with_their_ending(tmp_path):
    picture(tmp_path / "bird/lark/1.jpg")
    for name in ("bird/robin/1.heic", "bird/robin/2.HEIC"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"bird/robin: holds no picture that is read \(\.heic: 2 files.*; convert them"
    ):
        indexed(tmp_path)
    (tmp_path / "bird/lark/1.jpg").unlink()
    with pytest.raises(ValueError, match=r"no picture in it \(\.heic: 2 files, as robin/1\.heic; convert them to JPEG"):
        indexed(tmp_path / "bird")


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "jp2"])
def test_endings_of_formats_that_are_read(tmp_path, ending):
    kind = {"avif": "AVIF", "jp2": "JPEG2000"}.get(ending, "JPEG")
    assert like(save(Image.new("RGB", (40, 30), RED), tmp_path / f"red.{ending}", format=kind), RED)
    picture(tmp_path / "more/lark/1.jpg")
    save(Image.new("RGB", (40, 30), RED), tmp_path / f"more/robin/red.{ending}", format=kind)
    assert len(indexed(tmp_path / "more")) == 2


# Splits.


def laid_out(root: Path, *folders: str, count: int = 5) -> folder.Settings:
    for place, name in enumerate(folders):
        for number in range(count):
            picture(root / name / f"{number}.png", (20 * place, 20 * number, 99))
    return settings(root)


def test_folders_of_splits_are_splits_and_no_superclasses(tmp_path):
    chosen = laid_out(tmp_path, "train/curlew", "train/robin", "val/curlew", "val/robin")
    rows = indexed(tmp_path)
    assert rows.groupby(["class_name", "split"]).size().to_dict() == {
        (name, split): 5 for name in ("curlew", "robin") for split in ("train", "test")
    }
    assert folder.counts(chosen) == (2, 10, 10) and folder.ranks(chosen) == () and not folder.faults(chosen)
    assert folder.notes(chosen) == [
        f"{tmp_path}: its folders are read as splits: train/ trains, val/ tests; test_every does not count"
    ]
    assert rows[rows["key"].str.startswith("val/")]["split"].eq("test").all()
    assert folder.read(rows, 8, chosen, None).shape == (20, 8, 8, 3)


def test_validation_joins_training_where_other_pictures_test(tmp_path):
    """And superclasses may lie below a split."""
    names = ("waders/curlew", "songbirds/robin")
    chosen = laid_out(tmp_path, *(f"{split}/{name}" for split in ("Training", "valid", "test") for name in names))
    assert folder.counts(chosen) == (2, 20, 10) and folder.ranks(chosen) == ("superclass",)
    assert folder.taxonomy(chosen, None).to_dict("list") == {
        "class_name": ["robin", "curlew"], "superclass": ["songbirds", "waders"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("train/a", "train/b", "val/a", "val/c"), "/val/c: no pictures of this class are for training"),
        (("train/a", "train/b", "val/a", "extra/a"), "train, val are splits, but beside them lie extra; move these"),
        (("train", "val"), "train, val are splits and hold no classes; expected train/class/picture.jpg"),
        (("images/train", "images/val"), "train, val are splits and hold no classes"),
        (("curlew/train", "curlew/test", "robin/train", "robin/test"), "test, train are splits and hold no classes"),
    ],
)
def test_splits_that_cannot_be_understood_are_told(tmp_path, folders, said):
    with pytest.raises(ValueError, match=said):
        laid_out(tmp_path, *folders) and indexed(tmp_path)


@pytest.mark.parametrize(
    "folders", [("train", "bus", "car"), ("vehicles/train", "vehicles/bus"), ("test/a", "trial/b")]
)
def test_names_of_things_are_no_splits(tmp_path, folders):
    assert folder.counts(laid_out(tmp_path, *folders))[0] == len(folders)


def test_pictures_at_several_depths_are_told(tmp_path):
    for name in ("bird/lark/1.jpg", "bird/lark/2.jpg", "bird/stray.jpg", "top.jpg"):
        picture(tmp_path / name)
    with pytest.raises(ValueError, match="found bird/stray.jpg, top.jpg"):
        indexed(tmp_path)
