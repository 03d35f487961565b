"""CLIP's distances, on the real class at a tiny size."""

from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPImageProcessor, CLIPModel

from augment.errors import PaintError, RequestError
from augment.models.base import Judge
from augment.models.clip import Clip, open_hub, spherical
from augment.models.doors import open_judge
from augment.models.packs import Component
from augment.models.runtime import Runtime
from tests.pipelines import tiny_clip

CPU = Runtime("cpu")
WORDS = "a blue wooden table"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(folder: Path) -> Clip:
    return open_hub(folder, CPU)


def pictures(count: int, height: int = 32, width: int = 32) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def test_the_spherical_distance_is_by_the_angle() -> None:
    angles = torch.tensor([0.0, 0.3, pi / 2, pi])
    there = torch.stack([angles.cos(), angles.sin()], dim=1)
    here = torch.tensor([[1.0, 0.0]]).expand(4, 2)
    assert torch.allclose(spherical(there, here), angles.square() / 2, atol=1e-6)


def test_pictures_are_normalised_as_the_library_does(folder: Path, clip: Clip) -> None:
    asked = pictures(2)
    network, processor = CLIPModel.from_pretrained(folder), CLIPImageProcessor(size=32, crop_size=32)
    with torch.no_grad():
        seen = network.get_image_features(**processor(asked, return_tensors="pt")).pooler_output
        tokens = clip.tokenizer([WORDS], return_tensors="pt")
        said = network.get_text_features(**tokens).pooler_output
    cosines = torch.nn.functional.cosine_similarity(seen, said).double()
    assert np.allclose(clip.distances(asked, WORDS), cosines.acos().square() / 2, atol=1e-4)


def test_a_distance_does_not_depend_on_what_else_is_asked(clip: Clip) -> None:
    asked = pictures(5, 24, 40)
    together = clip.distances(asked, WORDS)
    assert len(set(together.tolist())) == 5
    for split in (1, 2, 3):
        parts = [clip.distances(asked[start : start + split], WORDS) for start in range(0, 5, split)]
        assert np.array_equal(np.concatenate(parts), together)


def test_what_is_outside_of_a_mask_does_not_count(clip: Clip) -> None:
    (one, other), mask = pictures(2), np.zeros((32, 32), np.bool_)
    mask[:16] = True
    mixed = np.where(mask[..., None], one, other)
    assert clip.distances([one], WORDS, [mask]) == clip.distances([mixed], WORDS, [mask])
    assert clip.distances([one], WORDS) != clip.distances([mixed], WORDS)


def test_pictures_are_seen_whole_and_unstretched(clip: Clip) -> None:
    wide = torch.full((1, 3, 40, 80), 0.5)
    fitted = clip.fitted(wide)
    assert fitted.shape == (1, 3, 32, 32)
    assert torch.allclose(fitted[..., 10:22, :], torch.tensor(0.5), atol=1e-6)
    assert torch.allclose(fitted[..., :6, :], torch.tensor(0.0), atol=1e-6)
    same = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(clip.fitted(same), same)


def test_words_that_are_too_long_are_cut(clip: Clip) -> None:
    long = " ".join(["table"] * 60)
    assert clip.cut(long).split() == ["table"] * 38
    assert clip.cut(WORDS) == ""
    assert torch.equal(clip.read(long), clip.read(" ".join(["table"] * 22)))


def test_distances_that_are_no_numbers_rank_nothing(folder: Path) -> None:
    broken = open_hub(folder, CPU)
    with torch.no_grad():
        broken.network.visual_projection.weight.fill_(float("nan"))
    with pytest.raises(PaintError, match=r"CLIP finds distances .* no numbers"):
        broken.distances(pictures(2), WORDS)


def test_weights_as_torch_save_wrote_them_are_read(folder: Path, clip: Clip, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    state = clip.network.state_dict()
    buffers = {f"{part}.embeddings.position_ids": torch.arange(4)[None] for part in ("text_model", "vision_model")}
    torch.save(state | buffers, tmp_path / "pytorch_model.bin")
    component = Component("clip", str(tmp_path))
    assert component.examine() == []
    judge = open_judge(component, CPU)
    assert isinstance(judge, Judge)
    assert np.array_equal(judge.distances(pictures(1), WORDS), clip.distances(pictures(1), WORDS))
    assert component.digest != Component("clip", str(folder)).digest


def test_a_folder_without_a_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert "has no tokenizer.json or vocab.txt" in Component("clip", str(tmp_path)).examine()[0]
    with pytest.raises(RequestError, match=r"has no tokenizer.json or vocab.txt|holds no tokenizer of CLIP"):
        open_hub(tmp_path, CPU)
