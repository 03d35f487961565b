"""Grounding DINO as its authors published it: `.pth` checkpoints, run by their package `groundingdino-py`."""

import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import BertModel

from augment.models.checkpoints import load_into, read_state
from augment.models.grounding_dino.architectures import UNUSED, configuration_of, swin_sizes
from augment.models.grounding_dino.detector import GroundingDino
from augment.models.grounding_dino.fusion import by_itself
from augment.models.grounding_dino.phrases import Prompt
from augment.models.grounding_dino.tokens import bert_config, open_tokenizer, vocabulary_of
from augment.models.runtime import Runtime


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of what torch has deprecated since the package was written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.meshgrid", UserWarning)
        warnings.filterwarnings("ignore", ".*torch.cuda.amp.autocast", FutureWarning)
        yield


@contextmanager
def _without(module: str, **names: type) -> Iterator[None]:
    """While a module is a placeholder with these names, unless it is loaded already."""
    loaded = module in sys.modules
    if not loaded:
        sys.modules[module] = types.ModuleType(module)
        vars(sys.modules[module]).update(names)
    try:
        yield
    finally:
        if not loaded:
            del sys.modules[module]


# The visualizer draws training batches with OpenCV, whose wheel needs libGL, which servers lack; nothing here draws.
# SLConfig prints itself with yapf, which spoils its cache where two processes import it for the first time.
with (
    warnings.catch_warnings(),
    _without("groundingdino.util.visualizer", COCOVisualizer=object),
    _without("groundingdino.util.slconfig", SLConfig=object),
):
    warnings.simplefilter("ignore")  # of escapes in docstrings, and of where timm keeps its layers
    from groundingdino.models.GroundingDINO.backbone.backbone import Joiner
    from groundingdino.models.GroundingDINO.backbone.position_encoding import build_position_encoding
    from groundingdino.models.GroundingDINO.backbone.swin_transformer import SwinTransformer
    from groundingdino.models.GroundingDINO.fuse_modules import BiMultiHeadAttention
    from groundingdino.models.GroundingDINO.groundingdino import GroundingDINO
    from groundingdino.models.GroundingDINO.transformer import build_transformer
    from groundingdino.util.misc import NestedTensor


class Bert(BertModel):  # type: ignore[misc]
    """BERT with what the package asks of it, and transformers has given up."""

    def get_extended_attention_mask(self, mask: torch.Tensor, *_: Any) -> torch.Tensor:
        """What to add to attention logits (n 1 l l), of which token may (n l l) look at which."""
        return (~mask.bool()[:, None]).to(self.dtype) * torch.finfo(self.dtype).min

    def get_head_mask(self, mask: None, layers: int) -> list[None]:
        """No head is left out."""
        return [None] * layers

    def invert_attention_mask(self, mask: torch.Tensor) -> torch.Tensor:
        """For cross attention, which BERT has as a decoder only."""
        raise NotImplementedError("BERT encodes phrases here; it has no cross attention")


def open_original(
    checkpoint: Path, architecture: str | Mapping[str, Any], text_encoder: Path, runtime: Runtime
) -> GroundingDino:
    """The detector of a checkpoint of the authors' package.

    `architecture`: one of ARCHITECTURES, or a configuration as `build` takes it; `text_encoder`: a folder with
    config.json and the tokenizer's files of bert-base-uncased (its weights are in the checkpoint). Raises RequestError
    where a file is missing, broken, holds anything but tensors, or does not fit the architecture.
    """
    network = build(configuration_of(architecture), text_encoder)
    load_into(network, read_state(checkpoint), str(checkpoint), UNUSED)
    return detector_of(network, runtime)


def build(configuration: Mapping[str, Any], text_encoder: Path) -> Any:
    """The package's network (a torch.nn.Module) with random weights, on the CPU.

    `configuration`: the package's, see `configuration_of` and `swin_sizes`; `text_encoder`: see `open_original`. The
    state of torch's random numbers is left as it was.
    """
    args = types.SimpleNamespace(**{**configuration, "use_checkpoint": False, "use_transformer_ckpt": False})
    with _quiet(), torch.random.fork_rng(devices=[]):
        texts = _TextEncoder(text_encoder)
        swin = SwinTransformer(**swin_sizes(configuration), out_indices=tuple(args.return_interm_indices))
        backbone = Joiner(swin, build_position_encoding(args))
        backbone.num_channels = [swin.num_features[index] for index in args.return_interm_indices]
        network = GroundingDINO.__new__(GroundingDINO)
        # The package fetches tokenizer and BERT by name; here it gets these, and no global name changes for others.
        _with_names(GroundingDINO.__init__, get_tokenlizer=texts)(
            network,
            backbone,
            build_transformer(args),
            num_queries=args.num_queries,
            iter_update=True,
            query_dim=args.query_dim,
            num_feature_levels=args.num_feature_levels,
            nheads=args.nheads,
            two_stage_type=args.two_stage_type,
            dec_pred_bbox_embed_share=args.dec_pred_bbox_embed_share,
            two_stage_class_embed_share=args.two_stage_class_embed_share,
            two_stage_bbox_embed_share=args.two_stage_bbox_embed_share,
            num_patterns=args.num_patterns,
            sub_sentence_present=args.sub_sentence_present,
        )
    # Told nothing, the package reads this from the configuration, under a name that transformers warns of.
    network.bert.register_forward_pre_hook(
        lambda _, args, named: (args, {**named, "return_dict": True}), with_kwargs=True
    )
    return network.eval()


def detector_of(network: Any, runtime: Runtime) -> GroundingDino:
    """The detector that a network from `build` makes, moved to where it is to run."""
    device, _ = runtime.place()
    network = network.to(device)
    by_itself(network, BiMultiHeadAttention)

    def answer(values: torch.Tensor, mask: torch.Tensor, prompt: Prompt) -> tuple[torch.Tensor, torch.Tensor]:
        with _quiet():
            found = network(NestedTensor(values, ~mask), captions=[prompt.caption] * len(values))
        return found["pred_logits"], found["pred_boxes"]

    return GroundingDino(answer, vocabulary_of(network.tokenizer), runtime)


class _TextEncoder:
    """Stands for the package's module of that sort, with what lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = open_tokenizer(folder)
        self.bert = Bert(bert_config(folder))

    def get_tokenlizer(self, _: str) -> Any:
        return self.tokenizer

    def get_pretrained_language_model(self, _: str) -> Bert:
        return self.bert


def _with_names(function: Any, **names: Any) -> Callable[..., Any]:
    """A copy of a function that reads these names where it would read its module's."""
    known = {**function.__globals__, **names}
    return types.FunctionType(function.__code__, known, function.__name__, function.__defaults__, function.__closure__)
