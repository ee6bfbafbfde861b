"""Training parts of a pipeline: one loop through accelerate that the same command goes on with where it was stopped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finefit.jobs import readers, states, stopping
from finefit.jobs.finite import require_finite
from finefit.jobs.progress import progress
from finefit.unets import deltas, methods

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin

FIXED_DRAWS = 8  # of noise and time, the same before and after training
SECONDS_BETWEEN_STATES = 60.0


@dataclass(frozen=True)
class Request:
    """What every training is asked.

    Attributes:
        model: folder of the pipeline.
        out: folder to publish; `delta.safetensors`, `samples.png` and `run.json` in it.
        method: of `methods.METHODS`.
        steps: optimizer steps.
        lr: learning rate; None takes the method's.
        seed: of noise, times and order.
        sample_steps: steps of the sampler for the sheet of samples.
    """

    model: Path
    out: Path
    method: str = "difffit"
    steps: int = 500
    lr: float | None = None
    seed: int = 0
    sample_steps: int = 50

    @property
    def rate(self) -> float:
        """The learning rate; ValueError for an unknown method or a rate that is none."""
        if self.method not in methods.RATES:
            raise ValueError(f"--method: unknown method {self.method!r}: use one of {', '.join(methods.RATES)}")
        if self.lr is not None and self.lr <= 0:
            raise ValueError(f"--lr is {self.lr}: use a number above 0, or leave it out for the method's")
        return self.lr or methods.RATES[self.method]


def begin(request: Request, told: dict) -> Path:
    """The folder to work in, beside `out`: a new one, or that of the same training when it was stopped.

    Args:
        request: what is asked, with `told`, what else decides the result (JSON).

    Raises:
        ValueError: the folder is another training's.
    """
    recipe = json.loads(json.dumps(asdict(request) | {"lr": request.rate} | told, default=str))
    work = request.out.with_name(f"{request.out.name}.partial")
    kept = work / "recipe.json"
    if kept.exists():
        earlier = readers.content(kept)
        if changed := [key for key in earlier | recipe if earlier.get(key) != recipe.get(key)]:
            raise ValueError(
                f"{kept}: {changed[0]}: was {earlier.get(changed[0])}, now {recipe.get(changed[0])}; "
                f"repeat the command as it was, or delete {work}"
            )
    else:
        work.mkdir(parents=True, exist_ok=True)
        write(kept, json.dumps(recipe, indent=1))
    return work


def fit(request: Request, work: Path, parts: dict[str, nn.Module], loss: Callable[[torch.Generator], Tensor]) -> None:
    """Minimise `loss` over what the parts' methods train: AdamW without decay at a constant rate, in float32.

    Args:
        work: of `begin`; gets `delta.safetensors` and `run.json`.
        loss: of the parts as they are, with randomness from the generator alone, which depends on seed and step.

    Raises:
        stopping.ToBeContinued: told to stop; the state is kept.
        ValueError: what was trained is not finite; the last state that was is kept.
    """
    from accelerate import Accelerator

    gpu = torch.cuda.is_available()
    accelerator = Accelerator(cpu=not gpu, mixed_precision="bf16" if gpu else "no")
    weights = {f"{part}.{name}": p for part, model in parts.items() for name, p in methods.trained(model).items()}
    optimizer = accelerator.prepare(torch.optim.AdamW(weights.values(), lr=request.rate, weight_decay=0.0))

    def value(step: int) -> Tensor:
        with accelerator.autocast():
            return loss(torch.Generator().manual_seed((request.seed % 2**31) * 2**32 + step % 2**32))

    def fixed() -> float:
        with torch.no_grad():
            return float(sum(value(-1 - number) for number in range(FIXED_DRAWS))) / FIXED_DRAWS

    like = {"step": 0, "seconds": 0.0, "before": 0.0, "weights": weights, "optimizer": optimizer.state_dict()}
    if state := states.read(work / "state.pt", states.outline(like)):
        optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for name, parameter in weights.items():
                parameter.copy_(state["weights"][name])
    else:
        state = {"step": 0, "seconds": 0.0, "before": fixed()}
    begun = kept = time.monotonic() - state["seconds"]
    for step in progress(range(state["step"], request.steps), "training", state["step"], request.steps):
        accelerator.backward(value(step))
        optimizer.step()
        optimizer.zero_grad()
        stopping_now = stopping.asked()
        if stopping_now or time.monotonic() - max(kept, begun) > SECONDS_BETWEEN_STATES:
            kept = time.monotonic()
            require_finite(f"what was trained in {step + 1} steps at a rate of {request.rate:g}", weights)
            state |= {"step": step + 1, "seconds": kept - begun}
            state |= {"weights": {n: p.detach() for n, p in weights.items()}, "optimizer": optimizer.state_dict()}
            torch.save(state, work / "state.new")
            (work / "state.new").replace(work / "state.pt")
        if stopping_now and step + 1 < request.steps:
            raise stopping.ToBeContinued
    require_finite(f"what was trained in {request.steps} steps at a rate of {request.rate:g}", weights)
    deltas.save(work / "delta.safetensors", parts)
    facts = {
        "trained_parameters": sum(parameter.numel() for parameter in weights.values()),
        "total_parameters": {part: methods.parameters_of(model) for part, model in parts.items()},
        "delta_bytes": (work / "delta.safetensors").stat().st_size,
        "fixed_loss": {"before": state["before"], "after": fixed()},
        "seconds": round(time.monotonic() - begun, 2),
        "recipe": readers.content(work / "recipe.json"),
    }
    write(work / "run.json", json.dumps(facts, indent=1) + "\n")


def denoising(
    pipe: DiffusionPipeline,
    noiser: SchedulerMixin,
    moment: Tensor,
    prompt: Tensor,
    random: torch.Generator,
    control: Callable | None = None,
) -> Tensor:
    """Mean squared error of the denoising network on one picture at one time, of what its scheduler has it predict.

    Args:
        noiser: the training noise of the pipeline's schedule.
        moment: mean and deviation of the latent, `[2, c, h, w]`.
        prompt: embedded, `[1, tokens, width]`.
        control: gives further arguments of the network from noisy latent, time and prompt.
    """
    latent = moment[0] + moment[1] * torch.randn(moment[0].shape, generator=random)
    latent = latent[None].to(pipe.device) * pipe.vae.config.scaling_factor
    noise = torch.randn(latent.shape, generator=random).to(pipe.device)
    at = torch.randint(noiser.config.num_train_timesteps, (1,), generator=random).to(pipe.device)
    noisy = noiser.add_noise(latent, noise, at)
    targets = {"epsilon": noise, "sample": latent, "v_prediction": noiser.get_velocity(latent, noise, at)}
    more = control(noisy, at, prompt) if control else {}
    found = pipe.unet(noisy, at, encoder_hidden_states=prompt, **more).sample
    return F.mse_loss(found.float(), targets[noiser.config.prediction_type].float())


def publish(work: Path, out: Path) -> None:
    """Let the finished work be seen by one rename, without what only its making needed."""
    for name in ("state.pt", "state.new", "recipe.json"):
        (work / name).unlink(missing_ok=True)
    shutil.rmtree(work / "class", ignore_errors=True)
    (work / "before.png").unlink(missing_ok=True)
    work.rename(out)


def write(file: Path, text: str) -> None:
    """Write a file that is seen only whole."""
    file.with_name(f"{file.name}.new").write_text(text, encoding="utf-8")
    file.with_name(f"{file.name}.new").replace(file)
