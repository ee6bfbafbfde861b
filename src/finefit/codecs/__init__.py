"""Codecs between pictures and latents; one file per codec, found by its name.

A codec module offers `SOURCES` (the rows of data/sources.csv it needs) and `load(folder)`, which gives an object with
`factor`, `channels`, `encode(images)` and `decode(latents)`. The constants that scale latents to unit variance live
inside the codec and nowhere else. Importing a codec module imports torch; `finefit.plan` reads only `SOURCES` by name.
"""
