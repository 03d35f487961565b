"""Where weights are looked for, what is said where they are not there, and what identifies them."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from augment.errors import RequestError
from augment.models.packs import Component, Pack
from tests.weight_files import COMMIT, cached, network, safetensors, sha256

OTHER = COMMIT[::-1]
HUB = Component("dinov2", "owner/name", COMMIT, megabytes=88.2, licence="Apache-2.0")
ORIGINAL = Component("hq_sam", "owner/name", COMMIT, "sam.pth", "vit_b")


def checkpoint(path: Path, value: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"weight": torch.full((3,), value)}, path)
    return path


def test_the_pinned_commit_alone_will_do(cache: Path) -> None:
    network(cached(cache, "owner/name", OTHER, branch="main"), "dinov2")
    assert HUB.find() is None
    assert replace(HUB, revision=None).locate() == cached(cache, "owner/name", OTHER)
    folder = network(cached(cache, "owner/name"), "dinov2")
    assert HUB.locate() == folder
    assert HUB.examine() == []


def test_an_original_checkpoint_is_a_file_of_its_source(cache: Path, tmp_path: Path) -> None:
    assert ORIGINAL.find() is None
    path = checkpoint(cached(cache, "owner/name") / "sam.pth")
    assert ORIGINAL.locate() == path
    local = checkpoint(tmp_path / "mine" / "sam.pth")
    assert replace(ORIGINAL, source=str(local.parent)).locate() == local


@pytest.mark.parametrize("place", ["owner/name", "name"])
def test_ones_own_folder_is_looked_into_first(cache: Path, tmp_path: Path, place: str) -> None:
    network(cached(cache, "owner/name"), "dinov2")
    mine = network(tmp_path / "shelf" / place, "dinov2")
    assert HUB.of("pack", str(tmp_path / "shelf")).locate() == mine
    assert HUB.of("pack", str(tmp_path / "empty")).locate() == cached(cache, "owner/name")


@pytest.mark.parametrize("place", ["owner/name/sam.pth", "name/sam.pth", "sam.pth"])
def test_and_for_checkpoints_by_their_names(cache: Path, tmp_path: Path, place: str) -> None:
    mine = checkpoint(tmp_path / "shelf" / place)
    assert ORIGINAL.of("pack", str(tmp_path / "shelf")).locate() == mine


def test_what_is_missing_how_large_it_is_and_how_to_get_it(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refusal:
        HUB.of("grounded", None).locate()
    assert str(refusal.value) == (
        "dinov2 owner/name (revision 0123456789ab), 88.2 MB, licence Apache-2.0: not in the Hub cache; "
        "get it: restage models models=grounded action=download"
    )
    with pytest.raises(RequestError, match=f"neither in {tmp_path} nor .* models.path={tmp_path} action=download"):
        HUB.of("grounded", str(tmp_path)).locate()
    with pytest.raises(RequestError, match=r"dinov2 /nowhere, yours: /nowhere is not a folder$"):
        replace(HUB, source="/nowhere").locate()
    with pytest.raises(RequestError, match=r"package:nothing/here, .*: .*models/packs/nothing/here is not a folder$"):
        replace(HUB, source="package:nothing/here").locate()


def test_a_pack_names_all_that_is_missing_or_damaged_at_once(cache: Path) -> None:
    encoder = Component("bert", "owner/bert", COMMIT)
    detector = Component("grounding_dino", "owner/dino", COMMIT, "dino.pth", "swint_ogc", encoder)
    pack = Pack("grounded", detector=detector, segmenter=ORIGINAL, matcher=HUB)
    checkpoint(cached(cache, "owner/dino") / "dino.pth")
    checkpoint(cached(cache, "owner/name") / "sam.pth").write_bytes(b"")
    with pytest.raises(RequestError) as refusal:
        pack.check()
    message = str(refusal.value)
    assert message.startswith("models=grounded is not complete: detector: bert owner/bert")
    assert "sam.pth is empty; matcher: dinov2 owner/name" in message
    assert message.count("restage models models=grounded action=download") == 1
    checkpoint(cached(cache, "owner/name") / "sam.pth")
    network(cached(cache, "owner/bert"), "bert")
    Pack("grounded", detector=detector, segmenter=ORIGINAL).check()


def test_checksums(cache: Path) -> None:
    folder = network(cached(cache, "owner/name"), "dinov2")
    right = replace(HUB, sha256=sha256(safetensors()))
    assert right.examine(checksum=True) == []
    wrong = replace(HUB, sha256="0" * 64)
    assert wrong.examine() == []
    (fault,) = wrong.examine(checksum=True)
    assert fault == f"{folder / 'model.safetensors'} has the SHA-256 {right.sha256}, but {'0' * 64} is expected"


def test_the_digest_is_of_the_commit_in_the_cache_and_of_the_content_elsewhere(cache: Path, tmp_path: Path) -> None:
    network(cached(cache, "owner/name"), "dinov2", b"1234")
    network(cached(cache, "owner/name", OTHER), "dinov2", b"1234")
    assert HUB.digest != replace(HUB, revision=OTHER).digest

    def digest(name: str, values: bytes, model_type: str = "dinov2") -> str:
        return replace(HUB, source=str(network(tmp_path / name, model_type, values))).digest

    assert digest("a", b"1234") == digest("b", b"1234")
    assert digest("a2", b"1234") != digest("c", b"1235")
    assert digest("a3", b"1234") != digest("d", b"1234", "dinov3"), "the configuration decides, too"


def test_the_digest_covers_what_the_weights_are_read_as(cache: Path) -> None:
    checkpoint(cached(cache, "owner/name") / "sam.pth")
    network(cached(cache, "owner/bert"), "bert")
    network(cached(cache, "owner/bert", OTHER), "bert")
    encoder = Component("bert", "owner/bert", COMMIT)
    digests = {
        ORIGINAL.digest,
        replace(ORIGINAL, architecture="vit_l").digest,
        replace(ORIGINAL, text_encoder=encoder).digest,
        replace(ORIGINAL, text_encoder=replace(encoder, revision=OTHER)).digest,
    }
    assert len(digests) == 4
    assert replace(ORIGINAL, megabytes=3.0, licence="MIT").digest in digests


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Component("yolo", "owner/name"), "unknown kind=yolo of owner/name; known: grounding_dino, hq_sam"),
        (Component("dinov2", "weights"), "source=weights is no Hub id owner/name; a local folder begins with"),
        (Component("dinov2", "a/b/c"), "source=a/b/c is no Hub id"),
        (Component("hq_sam", "a/b", file="x.pth"), "architecture=None; .* as: vit_tiny, vit_b, vit_l, vit_h"),
        (Component("dinov2", "a/b", file="x.pth", architecture="b"), "architecture=b; .* as: none"),
        (Component("grounding_dino", "a/b", file="x", architecture="swint_ogc"), "needs text_encoder"),
    ],
)
def test_components_that_cannot_be(cache: Path, component: Component, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        component.locate()


def test_a_pack_travels_to_other_processes(cache: Path) -> None:
    pack = Pack("grounded", "/shelf", matcher=HUB)
    again = pickle.loads(pickle.dumps(pack))
    assert again == pack
    assert hash(again.matcher) == hash(pack.matcher)
    assert again.components == {"matcher": HUB.of("grounded", "/shelf")}
