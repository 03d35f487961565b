"""The networks that Restage can open, as far as their files tell them apart."""

from dataclasses import dataclass

from augment.models.grounding_dino.architectures import ARCHITECTURES
from augment.models.guided_diffusion.architectures import ARCHITECTURES as PIXEL_DIFFUSION

CONFIG, WEIGHTS = "config.json", "model.safetensors"  # of a transformers folder
PICKLED = "pytorch_model.bin"  # the same weights as torch.save wrote them, where there are no others
INDEX, DIFFUSION = "model_index.json", "diffusion_pytorch_model.safetensors"  # of a pipeline, and of a network in it
TOKENIZER = ("tokenizer.json", "vocab.txt")


@dataclass(frozen=True)
class Kind:
    """What is particular to one network."""

    model_type: str
    """What its configuration calls it."""
    architectures: tuple[str, ...] = ()
    """Sizes in which original checkpoints exist; none where only transformers folders are read."""
    vocabulary: bool = False
    """Whether a transformers folder needs a tokenizer's files."""
    weights: bool = True
    """Whether weights are read from a transformers folder, not its configuration and vocabulary alone."""
    says: str = "model_type"
    """Under which name the configuration says so: that of diffusers is `_class_name`."""
    config: str = CONFIG
    file: str = WEIGHTS
    """The file of weights; of a pipeline, that of its largest network."""
    pipeline: bool = False
    """Whether the folder is one of folders."""
    pickled: bool = False
    """Whether its home on the Hub has no weights but PICKLED."""
    flow: bool = False
    """Whether it is a flow rather than diffusion."""
    partners: tuple[str, ...] = ()
    """Of a base: which kinds of ControlNets and policies are made for it."""


KINDS = {
    "grounding_dino": Kind("grounding-dino", tuple(ARCHITECTURES), vocabulary=True),
    "hq_sam": Kind("sam_hq", ("vit_tiny", "vit_b", "vit_l", "vit_h")),
    "sam2": Kind("sam2_video"),
    "dinov2": Kind("dinov2"),
    "stable_diffusion": Kind(
        "StableDiffusion",
        says="_class_name",
        config=INDEX,
        file=f"unet/{DIFFUSION}",
        pipeline=True,
        partners=("controlnet", "initialization_policy"),
    ),
    "stable_diffusion_3": Kind(
        "StableDiffusion3",
        says="_class_name",
        config=INDEX,
        file=f"transformer/{DIFFUSION}",
        pipeline=True,
        flow=True,
        partners=("sd3_controlnet",),
    ),
    "flux": Kind("Flux", says="_class_name", config=INDEX, file=f"transformer/{DIFFUSION}", pipeline=True, flow=True),
    "controlnet": Kind("ControlNetModel", says="_class_name", file=DIFFUSION),
    "sd3_controlnet": Kind("SD3ControlNetModel", says="_class_name", file=DIFFUSION),
    "initialization_policy": Kind("InitializationPolicy", says="_class_name", file=DIFFUSION),
    "guided_diffusion": Kind("guided_diffusion", tuple(PIXEL_DIFFUSION)),
    "clip": Kind("clip", vocabulary=True, pickled=True),
    "bert": Kind("bert", vocabulary=True, weights=False),  # its weights are in GroundingDINO's checkpoints
}
