"""Pipelines of Stable Diffusion 3 and FLUX.1 Fill, of the real classes at a tiny size, with random weights."""

import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxFillPipeline,
    FluxTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from augment.models.hub import quietly
from augment.models.small_diffusion import TOKENS, small_autoencoder, write_caption_tokenizer
from tests.pipelines import CAPTIONS

CLIP_WIDTH, WIDTH, PROJECTED = 32, 80, 24
LONG = 40  # tokens that T5 reads
SD3: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 2 * PROJECTED,
    "pos_embed_max_size": 24,
    "dual_attention_layers": (0,),
    "qk_norm": "rms_norm",
}
FLUX_SHIFTS = {"use_dynamic_shifting": True, "shift": 3.0, "base_image_seq_len": 16, "max_image_seq_len": 256}


def tiny_stable_diffusion_3(folder: Path, long: bool = True, **schedule: Any) -> Path:
    """For pictures of 64 pixels, as diffusers saves it. `long`: with T5."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(4)
        tokenizer = write_caption_tokenizer(CAPTIONS, folder / "tokenizer")
        StableDiffusion3Pipeline(
            transformer=SD3Transformer2DModel(**SD3),
            scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **schedule}),
            vae=_autoencoder(),
            text_encoder=CLIPTextModelWithProjection(_clip(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=CLIPTextModelWithProjection(_clip(tokenizer)),
            tokenizer_2=tokenizer,
            text_encoder_3=_t5() if long else None,
            tokenizer_3=_t5_tokenizer() if long else None,
        ).save_pretrained(folder)
    return folder


def tiny_sd3_controlnet(folder: Path, **changed: Any) -> Path:
    """One for `tiny_stable_diffusion_3`, whose layers are not zero as at the start of training."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(5)
        control = SD3ControlNetModel(**{**SD3, "num_layers": 1, "extra_conditioning_channels": 1, **changed})
        for values in control.parameters():
            if not values.any():
                torch.nn.init.normal_(values, std=0.2)
        control.save_pretrained(folder)
    return folder


def tiny_flux_fill(folder: Path) -> Path:
    """For pictures of 64 pixels, as diffusers saves it."""
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(6)
        tokenizer = write_caption_tokenizer(CAPTIONS, folder / "tokenizer")
        FluxFillPipeline(
            transformer=FluxTransformer2DModel(
                in_channels=96,  # 4 x 4 of latents, as many of what is kept, and 4 x 16 pixels of the mask
                out_channels=16,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=WIDTH,
                pooled_projection_dim=CLIP_WIDTH,
                guidance_embeds=True,
                axes_dims_rope=(4, 6, 6),
            ),
            scheduler=FlowMatchEulerDiscreteScheduler(**FLUX_SHIFTS),
            vae=_autoencoder(),
            text_encoder=CLIPTextModel(_clip(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=_t5(),
            tokenizer_2=_t5_tokenizer(),
        ).save_pretrained(folder)
    return folder


def without(folder: Path, *parts: str) -> Path:
    """The same folder without some of its parts."""
    for part in parts:
        shutil.rmtree(folder / part)
    return folder


@torch.no_grad()
def _autoencoder() -> AutoencoderKL:
    """One that draws nothing, since pipelines take a draw where we take the mean."""
    vae = small_autoencoder()
    vae.quant_conv.weight[4:] = 0
    vae.quant_conv.bias[4:] = -30
    latents = vae.encode(torch.rand(1, 3, 64, 64) * 2 - 1).latent_dist.mean
    vae.register_to_config(scaling_factor=float(1 / latents.std()), shift_factor=float(latents.mean()))
    return vae


def _clip(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=CLIP_WIDTH,
        projection_dim=PROJECTED,
        intermediate_size=2 * CLIP_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _t5_tokenizer() -> T5Tokenizer:
    words = sorted({word for caption in CAPTIONS for word in caption.split()})
    pieces = [*"▁abcdefghijklmnopqrstuvwxyz", *(f"▁{word}" for word in words if len(word) > 1)]
    vocabulary = [(name, 0.0) for name in ("<pad>", "</s>", "<unk>")] + [(piece, -6 / len(piece)) for piece in pieces]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, model_max_length=LONG)


def _t5() -> T5EncoderModel:
    tokens = len(_t5_tokenizer())
    return T5EncoderModel(
        T5Config(
            vocab_size=tokens, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
        )
    )
