"""A world of coloured walls, and tiny networks of the real classes for it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image

from augment.models.runtime import Runtime
from augment.models.small_diffusion import TEXT_WIDTH, small_text_encoder, write_caption_tokenizer
from augment.training import Data, Workshop, open_machine
from augment.training.base_model import ZERO_TERMINAL, write_layout
from augment.training.method import Training
from augment.training.scenes import CaptionedScene, Scenes
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Episode, Role

COLOURS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 210), "grey": (120, 120, 120)}
SIDE = 24  # pixels of a picture
SIZE = 16  # of a crop
CPU = Runtime("cpu")


def wall(name: str, place: int) -> CaptionedScene:
    """A wall of a colour, and a dark robot before it."""
    picture = np.full((SIDE, SIDE, 3), COLOURS[name], np.uint8)
    keep = np.zeros((SIDE, SIDE), np.bool_)
    keep[8:20, place : place + 6] = True
    picture[keep] = 30
    return CaptionedScene(picture, keep, f"a robot before a {name} wall")


SHOWN = [wall(name, place) for name in COLOURS for place in (6, 12)]


def scenes(shown: Sequence[CaptionedScene] = SHOWN) -> Scenes:
    captions = [scene.caption for scene in shown]
    return Scenes(len(shown), lambda number: shown[number], captions, repr(captions))


def data() -> Data:
    def no_examples() -> None:
        raise AssertionError("generators read no examples")

    return Data(no_examples, lambda: (scenes(SHOWN[:-2]), scenes(SHOWN[-2:])))


def episode(name: str) -> Episode:
    """Both walls of a colour as an episode of two frames."""
    shown = [scene for scene in SHOWN if name in scene.caption]
    frames = ArrayFrames("front", np.stack([scene.picture for scene in shown]), 10.0)
    mask = ArrayMask(Role.ROBOT, "", np.stack([scene.keep for scene in shown]))
    return Episode(name, name, len(shown), {"front": frames}, {}, ("wait",), masks={"front": (mask,)})


def image_folder(folder: Path) -> Path:
    """All walls, in the Hub's layout."""
    lines = []
    for number, scene in enumerate(SHOWN):
        names = f"{number}.png", f"masks/{number}.png"
        (folder / "masks").mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.picture).save(folder / names[0])
        Image.fromarray(scene.keep.astype(np.uint8) * 255).save(folder / names[1])
        lines.append(json.dumps({"file_name": names[0], "text": scene.caption, "mask_file_name": names[1]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def workshop(folder: Path, options: Training | None = None) -> Workshop:
    folder.mkdir(parents=True, exist_ok=True)
    return Workshop(folder, open_machine(CPU, options or Training()), lambda _: None)


def tiny_unet(channels: tuple[int, ...] = (8, 16)) -> UNet2DConditionModel:
    """For latents of 4 x 4."""
    return UNet2DConditionModel(
        sample_size=4,
        block_out_channels=channels,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
    )


def tiny_autoencoder() -> AutoencoderKL:
    """Latents of a quarter of the size."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIZE,
        mid_block_add_attention=False,
        scaling_factor=2.0,
    )


def tiny_model(folder: Path, **scheduler: object) -> str:
    """A base model that nobody trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tiny_unet().save_pretrained(folder / "unet")
        tiny_autoencoder().save_pretrained(folder / "vae")
        tokenizer = write_caption_tokenizer([scene.caption for scene in SHOWN], folder / "tokenizer")
        small_text_encoder(tokenizer).save_pretrained(folder / "text_encoder")
    write_layout(folder, {**ZERO_TERMINAL, **scheduler})
    return str(folder)
