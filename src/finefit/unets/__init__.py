"""Full fine-tuning, BitFit, DiffFit and LoRA on networks that others wrote, and DreamBooth and ControlNet with them.

Nothing here knows a network by its name or changes its code. What a method needs is found by the kinds of layers that
a network is made of, and factors are multiplied in by forward hooks:

- `methods`: attach a method to a network, and take it off again;
- `deltas`: save, load, swap and merge what was trained;
- `pipelines`: folders in diffusers' layout, pictures, and pairs of pictures and conditions; `edges` draws conditions;
- `training`: the loop, which goes on where it was interrupted; `dreambooth` and `controlnet` say what it minimises;
- `parts`: parameters of published architectures, counted without memory.

May import: jobs, data.
"""
