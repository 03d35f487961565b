"""The networks' libraries called as their documentation calls them, for `restage bench` to compare with.

Each opens a folder of `write_untrained`. Precision is the library's own, float32, but for SAM 2 the runtime's.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from transformers import AutoProcessor, GroundingDinoForObjectDetection, Sam2VideoModel, SamHQConfig

from augment.models.checkpoints import load_into, read_state
from augment.models.hq_sam.convert import to_original
from augment.models.hq_sam.original import segment_anything_hq
from augment.models.hub import quietly
from augment.models.runtime import Runtime

PROMPT_CHANNELS = 16  # of masks given as prompts, in every SAM


class PlainDetector:
    """transformers' GroundingDINO, one picture at a time."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._device, _ = runtime.place()
        self._processor = AutoProcessor.from_pretrained(folder)
        with quietly():
            self._network = GroundingDinoForObjectDetection.from_pretrained(folder).to(self._device).eval()

    def __call__(
        self, pictures: UInt8[np.ndarray, "t h w 3"], phrases: Sequence[str], threshold: float
    ) -> list[Float32[np.ndarray, "_ 4"]]:
        """For each picture the boxes, in pixels, in which some token scores above a threshold, 0..1."""
        return [self._detect(picture, phrases, threshold) for picture in pictures]

    def _detect(
        self, picture: UInt8[np.ndarray, "h w 3"], phrases: Sequence[str], threshold: float
    ) -> Float32[np.ndarray, "n 4"]:
        inputs = self._processor(images=picture, text=[list(phrases)], return_tensors="pt").to(self._device)
        with torch.no_grad():
            outputs = self._network(**inputs)
        found = self._processor.post_process_grounded_object_detection(
            outputs, inputs.input_ids, threshold=threshold, target_sizes=[picture.shape[:2]]
        )
        return np.asarray(found[0]["boxes"].cpu().numpy())


class PlainSegmenter:
    """The authors' SamPredictor of HQ-SAM, one picture and one box at a time."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        device, _ = runtime.place()
        with torch.random.fork_rng(devices=[]):  # building draws weights, that are then replaced
            network = _sam(SamHQConfig.from_pretrained(folder))
        load_into(network, to_original(read_state(folder / "model.safetensors")), str(folder))
        self._predictor = segment_anything_hq.SamPredictor(network.to(device).eval())

    def embed(self, pictures: UInt8[np.ndarray, "t h w 3"]) -> None:
        """All of them; the last is remembered."""
        for picture in pictures:
            self._predictor.set_image(picture)

    def predict(self, boxes: Float32[np.ndarray, "n 4"]) -> Bool[np.ndarray, "n h w"]:
        """Masks in the picture that was embedded last."""
        return np.stack([self._predictor.predict(box=box, multimask_output=False)[0][0] for box in boxes])

    def cut_out(
        self, pictures: UInt8[np.ndarray, "t h w 3"], boxes: Float32[np.ndarray, "n 4"], again: bool
    ) -> Bool[np.ndarray, "t n h w"]:
        """Masks of the same boxes in all pictures; `again`: each picture is embedded for every box."""
        masks = []
        for picture in pictures[:, None]:
            for some in boxes[:, None] if again else boxes[None]:
                self.embed(picture)
                masks.append(self.predict(some))
        return np.concatenate(masks).reshape(len(pictures), len(boxes), *pictures.shape[1:3])


class PlainTracker:
    """transformers' SAM 2, one session for a whole clip."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self._device, self._dtype = runtime.place()
        self._processor = AutoProcessor.from_pretrained(folder)
        with quietly():
            self._network = Sam2VideoModel.from_pretrained(folder, dtype=self._dtype).to(self._device).eval()

    def __call__(
        self, clip: UInt8[np.ndarray, "t h w 3"], masks: Bool[np.ndarray, "n h w"]
    ) -> Bool[np.ndarray, "t n h w"]:
        """Masks of every frame, from those of the tracks in the first."""
        session = self._processor.init_video_session(video=clip, inference_device=self._device, dtype=self._dtype)
        self._processor.add_inputs_to_inference_session(
            session, frame_idx=0, obj_ids=list(range(len(masks))), input_masks=list(masks)
        )
        found = []
        with torch.inference_mode():
            for output in self._network.propagate_in_video_iterator(session, start_frame_idx=0):
                large = self._processor.post_process_masks([output.pred_masks], original_sizes=[clip.shape[1:3]])[0]
                found.append(large[:, 0].cpu().numpy())
        return np.stack(found)


def _sam(config: SamHQConfig) -> Any:
    """The authors' class with the sizes of a transformers configuration; their own functions build published sizes."""
    vision, width, side = config.vision_config, config.mask_decoder_config.hidden_size, config.vision_config.image_size
    modeling = segment_anything_hq.modeling
    encoder = modeling.ImageEncoderViT(
        img_size=side,
        patch_size=vision.patch_size,
        embed_dim=vision.hidden_size,
        depth=vision.num_hidden_layers,
        num_heads=vision.num_attention_heads,
        out_chans=vision.output_channels,
        norm_layer=partial(torch.nn.LayerNorm, eps=vision.layer_norm_eps),
        use_rel_pos=True,
        window_size=vision.window_size,
        global_attn_indexes=tuple(vision.global_attn_indexes),
    )
    prompts = modeling.PromptEncoder(width, (side // vision.patch_size,) * 2, (side, side), PROMPT_CHANNELS)
    decoder = config.mask_decoder_config
    transformer = modeling.TwoWayTransformer(
        decoder.num_hidden_layers, width, decoder.num_attention_heads, decoder.mlp_dim
    )
    masks = modeling.MaskDecoderHQ(
        transformer_dim=width,
        transformer=transformer,
        iou_head_hidden_dim=decoder.iou_head_hidden_dim,
        vit_dim=decoder.vit_dim,
    )
    return modeling.Sam(encoder, prompts, masks)
