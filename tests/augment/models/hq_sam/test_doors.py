"""Networks from files: what is sound opens, and what is not is one clear error."""

import json
from pathlib import Path

import pytest
import torch

from augment.errors import RequestError
from augment.models.hq_sam import hub, original
from augment.models.hq_sam.convert import config_of, to_hub, to_original
from augment.models.hq_sam.export import export_hub, export_original
from tests.augment.models.hq_sam.networks import CPU, boxes_in, pictures, small, small_tiny_vit, twin


@pytest.fixture
def checkpoint(tmp_path: Path, small_is_published: None) -> Path:
    """A small network in the form that its authors publish."""
    torch.save(small().state_dict(), tmp_path / "sam_hq_vit_b.pth")
    return tmp_path / "sam_hq_vit_b.pth"


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """The same in the form of the Hub."""
    export_hub(checkpoint, "vit_b", tmp_path / "hub")
    return tmp_path / "hub"


def test_an_exported_folder_gives_the_masks_of_its_checkpoint(checkpoint: Path, folder: Path) -> None:
    picture = pictures((96, 128))[0]
    before = torch.get_rng_state()
    networks = hub.open_hub(folder, CPU), original.open_original(checkpoint, "vit_b", CPU)
    assert torch.equal(torch.get_rng_state(), before)
    logits = [network.logits(network.embed([picture])[0], boxes_in(picture)) for network in networks]
    torch.testing.assert_close(*logits, atol=1e-4 * float(logits[0].std()), rtol=1e-4)


def test_an_exported_checkpoint_is_the_first_one_bit_by_bit(folder: Path, tmp_path: Path) -> None:
    export_original(folder, tmp_path / "again.pth")
    again, first = torch.load(tmp_path / "again.pth"), small().state_dict()
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_nothing_is_exported_that_would_not_be_the_same(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match="TinyViT"):
        export_hub(checkpoint, "vit_tiny", tmp_path / "new")
    with pytest.raises(
        RequestError, match=r"vit_b\.pth \(vit_l\) does not fit this Sam: it has of .*name the architecture"
    ):
        export_hub(checkpoint, "vit_l", tmp_path / "new")
    told = json.loads((folder / "config.json").read_text())
    told["mask_decoder_config"]["num_attention_heads"] = 4
    (folder / "config.json").write_text(json.dumps(told))
    with pytest.raises(RequestError, match="has 4 heads; original checkpoints are read as of 8"):
        export_original(folder, tmp_path / "new")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_transformers_saves_opens(tmp_path: Path) -> None:
    model = twin(small())
    model.save_pretrained(tmp_path)
    picture = pictures((64, 40))[0]
    networks = hub.open_hub(tmp_path, CPU), hub.prompted(model, CPU)
    logits = [network.logits(network.embed([picture])[0], boxes_in(picture)) for network in networks]
    assert torch.equal(*logits)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", None, r"config\.json is missing"),
        ("config.json", '{"model_type": "sam"}', "of a network of type sam; expected sam_hq"),
        ("config.json", '{"model_type": "sam_hq", "vision_config": {"hidden_size": "wide"}}', "describes no hq_sam"),
        ("config.json", '{"model_type": "sam_hq", "vision_config": {"hidden_size": 48}}', "of another shape"),
        ("model.safetensors", "x" * 100, "cut off"),
    ],
)
def test_a_broken_folder_is_one_clear_error(folder: Path, name: str, content: str | None, told: str) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(RequestError, match=told):
        hub.open_hub(folder, CPU)


def test_a_configuration_that_is_not_of_these_weights_is_refused(folder: Path) -> None:
    told = json.loads((folder / "config.json").read_text())
    told["vision_config"]["num_hidden_layers"] = 4
    (folder / "config.json").write_text(json.dumps(told))
    with pytest.raises(RequestError, match=r"lacks vision_encoder\.layers\.3"):
        hub.open_hub(folder, CPU)


def test_light_hq_sam_opens_with_every_weight_in_its_place(tmp_path: Path) -> None:
    """vit_tiny, as large as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sam = original.segment_anything_hq.sam_model_registry["vit_tiny"]()
    with torch.no_grad():
        for value in sam.parameters():
            value += 0.01 * torch.arange(value.numel()).reshape(value.shape).sin()
    torch.save(sam.state_dict(), tmp_path / "sam_hq_vit_tiny.pth")
    before = torch.get_rng_state()
    opened = original.open_original(tmp_path / "sam_hq_vit_tiny.pth", "vit_tiny", CPU)
    assert torch.equal(torch.get_rng_state(), before)
    picture = pictures((48, 64))[0]
    ours, theirs = opened.embed([picture])[0], original.prompted(sam, CPU).embed([picture])[0]
    assert torch.equal(ours.embeddings, theirs.embeddings)
    assert ours.early.shape == (64, 64, 160)
    found = opened(ours, boxes_in(picture)[1:2])
    assert found.masks.shape == (1, 48, 64)


def test_tiny_vit_attends_with_the_biases_that_were_loaded() -> None:
    """It computes with a copy of them, which it makes when told to evaluate: here before there are weights."""
    state, sam = small_tiny_vit().state_dict(), small_tiny_vit(seed=1)
    sam.eval()
    sam.load_state_dict(state)
    known = original.prompted(sam, CPU).embed(pictures((48, 64)))[0]
    for module in sam.image_encoder.modules():
        module.training = hasattr(module, "attention_biases")  # which then needs no copy
    with torch.inference_mode():
        resized = original.segment_anything_hq.utils.transforms.ResizeLongestSide(1024).apply_image(*pictures((48, 64)))
        expected, _ = sam.image_encoder(sam.preprocess(torch.from_numpy(resized).permute(2, 0, 1))[None])
    torch.testing.assert_close(known.embeddings, expected[0], atol=1e-4, rtol=1e-4)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    torch.save(small().state_dict(), path)
    with pytest.raises(RequestError, match=r"sam\.pth \(vit_tiny\).*lacks image_encoder.*unknown image_encoder"):
        original.open_original(path, "vit_tiny", CPU)
    with pytest.raises(RequestError, match="known: vit_tiny, vit_b, vit_l, vit_h"):
        original.open_original(path, "vit_g", CPU)


def test_only_vits_are_converted() -> None:
    state = small_tiny_vit().state_dict()
    for convert in (to_hub, config_of):
        with pytest.raises(RequestError, match="TinyViT"):
            convert(state)
    with pytest.raises(RequestError, match=r"backbone\.weight is no weight"):
        to_hub({"backbone.weight": torch.ones(1)})
    with pytest.raises(RequestError, match=r"backbone\.weight is no weight"):
        to_original({"backbone.weight": torch.ones(1)})
    part = {name: value for name, value in small().state_dict().items() if name.startswith("mask_decoder")}
    with pytest.raises(RequestError, match="not the weights of an HQ-SAM"):
        config_of(part)
