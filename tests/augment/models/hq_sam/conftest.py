"""Networks this small run fastest on one thread, the more so where tests share a machine."""

from collections.abc import Iterator

import pytest
import torch

from augment.models.hq_sam import original
from tests.augment.models.hq_sam.networks import small


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """As vit_b, with other weights than a checkpoint has; what is larger is not built."""
    registry = original.segment_anything_hq.sam_model_registry
    monkeypatch.setitem(registry, "vit_b", lambda: small(seed=1))
    monkeypatch.setitem(registry, "vit_l", lambda: small(size=88, seed=1))
