"""A fine-tuned Diffusion Transformer (FineFit, arXiv 2402.18331 and 2304.06648) as a pipeline of diffusers.

    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained("FOLDER", trust_remote_code=True)
    pictures = pipe(["curlew", "robin"], seed=0).images

This file travels with the weights and needs torch, numpy and diffusers alone.
"""

from __future__ import annotations

import inspect
from collections import Counter

import numpy as np
import torch
from diffusers import DiffusionPipeline, DiTTransformer2DModel, ImagePipelineOutput, ModelMixin, SchedulerMixin
from diffusers.models.embeddings import get_2d_sincos_pos_embed

TRAIN_STEPS = 1000


class FineFitPipeline(DiffusionPipeline):
    """Pictures of named classes, guided away from the null row of the class table or from the class's superclass.

    Args:
        transformer: its table has a row per class, then one per superclass (if any), then the null row (if any).
        vae: decodes latents to pixels in [-1, 1].
        scheduler: the study's sampler; another one of diffusers may be put in its place.
        id2label: name of every class by its number.
        superclass_of: number of every class's superclass; None without superclass rows.
        null_row: number of the null row; None without one.
        guidance: "null", "superclass" or "none": what is guided away from unless a call says otherwise.
        guidance_scale, num_inference_steps: the study's; a call may change them.
        guided_channels: how many channels of the noise are guided; the published code guides 3 of 4.
        guidance_interval: first and last timestep of the training schedule that are guided.
        coordinate_scale: factor on the token coordinates of the position embedding.
        velocity: whether the transformer predicts the way from noise to picture along a straight path, at a time from
            0 (noise) to 1, in place of the noise at a timestep of the schedule.
    """

    model_cpu_offload_seq = "transformer->vae"

    def __init__(
        self,
        transformer: DiTTransformer2DModel,
        vae: ModelMixin,
        scheduler: SchedulerMixin,
        id2label: dict[str, str] | None = None,  # diffusers takes what has no default for a part to load
        superclass_of: list[int] | None = None,
        null_row: int | None = None,
        guidance: str = "none",
        guidance_scale: float = 1.5,
        num_inference_steps: int = 50,
        guided_channels: int = 3,
        guidance_interval: list[int] | tuple[int, int] = (0, TRAIN_STEPS - 1),
        coordinate_scale: float = 1.0,
        velocity: bool = False,
    ):
        super().__init__()
        self.register_modules(transformer=transformer, vae=vae, scheduler=scheduler)
        self.register_to_config(
            id2label=id2label,
            superclass_of=superclass_of,
            null_row=null_row,
            guidance=guidance,
            guidance_scale=guidance_scale,
            num_inference_steps=num_inference_steps,
            guided_channels=guided_channels,
            guidance_interval=list(guidance_interval),
            coordinate_scale=coordinate_scale,
            velocity=velocity,
        )
        self.labels = {name: int(number) for number, name in (id2label or {}).items()}
        as_published(transformer, coordinate_scale)

    @torch.no_grad()
    def __call__(
        self,
        classes: str | int | list[str | int],
        seed: int = 0,
        guidance: str | None = None,
        guidance_scale: float | None = None,
        num_inference_steps: int | None = None,
        generator: list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple:
        """Draw a picture of each of the given classes, in their order.

        The k-th picture of a class depends on the class, k and the seed, not on what else is drawn beside it.

        Args:
            classes: names or numbers, or one; a class given twice is drawn twice, from other noise.
            seed: of the noise, as `finefit grid` and `finefit.load(...).sample` take it.
            guidance, guidance_scale, num_inference_steps: the study's where left out; a scale of 1 is no guidance.
            generator: one for each picture, instead of the seed.
            output_type: "pil", "np" (float `[n, r, r, 3]` in 0..1) or "pt" (`[n, 3, r, r]`).

        Raises:
            ValueError: no such class, or no such row to guide away from.
        """
        ids = self.ids(classes)
        scale = self.config.guidance_scale if guidance_scale is None else guidance_scale
        rows = torch.tensor(ids, device=self._execution_device)
        references = self.references(ids, guidance or self.config.guidance, scale)
        generator = generator or generators(seed, ids)
        network = self.transformer.config
        shape = (network.in_channels, network.sample_size, network.sample_size)
        noise = [torch.randn(shape, generator=own, device=own.device).to(rows.device) for own in generator]
        x = torch.stack(noise) * getattr(self.scheduler, "init_noise_sigma", 1.0)

        velocity = self.config.velocity
        set_timesteps(self.scheduler, num_inference_steps or self.config.num_inference_steps, rows.device, velocity)
        scaled = getattr(self.scheduler, "scale_model_input", lambda x, t: x)
        learned = self.scheduler.config.get("variance_type") == "learned_range"
        takes = inspect.signature(self.scheduler.step).parameters
        options = {"generator": generator} if "generator" in takes else {}
        for t in self.progress_bar(self.scheduler.timesteps):
            output = self.predict(scaled(x, t), t, rows, references, scale)
            output = output if learned else output[:, : network.in_channels]
            output = -output if velocity else output  # schedulers go by the way from picture to noise
            x = self.scheduler.step(output, t, x, **options).prev_sample

        scaling = self.vae.config.get("scaling_factor", 1.0)
        pixels = self.vae.decode((x / scaling).to(self.vae.dtype)).sample.float()
        pixels = (pixels / 2 + 0.5).clamp(0, 1)
        images = pixels if output_type == "pt" else pixels.permute(0, 2, 3, 1).cpu().numpy()
        if output_type == "pil":
            images = self.numpy_to_pil(images)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, rows: torch.Tensor, references: torch.Tensor | None, scale: float
    ) -> torch.Tensor:
        """The network's output `[n, 2c, h, w]` at timestep `t`, in float32, guided away from the reference rows."""
        low, high = self.config.guidance_interval
        guided = references is not None and low <= min(t, TRAIN_STEPS - 1) <= high
        t = 1 - t / TRAIN_STEPS if self.config.velocity else t
        both = torch.cat([rows, references]) if guided else rows
        latents = (torch.cat([x, x]) if guided else x).to(self.transformer.dtype)
        output = self.transformer(latents, timestep=t.to(both.device).expand(len(both)), class_labels=both).sample
        if not guided:
            return output.float()
        label, reference = output.float().chunk(2)
        count = self.config.guided_channels
        steered = reference[:, :count] + scale * (label[:, :count] - reference[:, :count])
        return torch.cat([steered, label[:, count:]], dim=1)

    def ids(self, classes: str | int | list[str | int]) -> list[int]:
        """Class numbers of names or numbers, or of one."""
        classes = [classes] if isinstance(classes, str | int) else classes
        known = {number: number for number in self.labels.values()} | self.labels
        for name in classes:
            if name not in known:
                raise ValueError(f"no class {name!r}: there are {', '.join(list(self.labels)[:20])}")
        return [known[name] for name in classes]

    def references(self, ids: list[int], guidance: str, scale: float) -> torch.Tensor | None:
        """The rows of the class table that the pictures are guided away from, `[n]`; None without guidance."""
        if guidance == "none" or scale == 1:
            return None
        if guidance == "superclass" and self.config.superclass_of is not None:
            rows = [len(self.labels) + self.config.superclass_of[number] for number in ids]
        elif guidance == "null" and self.config.null_row is not None:
            rows = [self.config.null_row] * len(ids)
        else:
            raise ValueError(f"guidance {guidance!r}: the class table has no such rows")
        return torch.tensor(rows, device=self._execution_device)


def as_published(transformer: DiTTransformer2DModel, coordinate_scale: float) -> None:
    """Give a network of diffusers the published timestep features, 10000^(-i / 128), and the run's positions.

    diffusers spaces the frequencies by 1 / 127.
    """
    for block in transformer.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    if coordinate_scale != 1:
        patches = transformer.pos_embed
        grid, width = patches.height, patches.pos_embed.shape[-1]
        positions = get_2d_sincos_pos_embed(width, grid, base_size=grid, interpolation_scale=1 / coordinate_scale)
        patches.pos_embed = torch.as_tensor(positions)[None].to(patches.pos_embed)


def generators(seed: int, ids: list[int]) -> list[torch.Generator]:
    """A source of noise for each picture: a function of the seed, its class, and its number within the class."""
    before, made = Counter(), []
    for label in ids:
        state = np.random.SeedSequence([seed, label, before[label]]).generate_state(1)[0]
        made.append(torch.Generator().manual_seed(int(state)))
        before[label] += 1
    return made


def set_timesteps(scheduler: SchedulerMixin, steps: int, device: torch.device, velocity: bool) -> None:
    """Spread the steps evenly over the training schedule, first and last included; the second-order solver leaves out
    the last, whose noise it removes in one step, and so does any along a straight path. A scheduler that takes no
    timesteps spreads them as it does.
    """
    if velocity and "sigmas" in inspect.signature(scheduler.set_timesteps).parameters:
        return scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), device=device)
    if "timesteps" not in inspect.signature(scheduler.set_timesteps).parameters:
        return scheduler.set_timesteps(steps, device=device)
    points = steps + (scheduler.config.get("solver_order", 1) == 2)
    timesteps = np.round(np.linspace(0, TRAIN_STEPS - 1, points))[::-1][:steps]
    scheduler.set_timesteps(timesteps=timesteps.astype(int).tolist(), device=device)
