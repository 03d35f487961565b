"""What `pip install .[models]` leaves works on servers, and costs nothing where no network is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_GL = """
import importlib, pkgutil, sys
from pathlib import Path

class OpenCv:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")

sys.meta_path.insert(0, OpenCv())
try:
    import cv2
    sys.exit("cv2 is there, so that this shows nothing")
except ImportError:
    pass

import augment.models, augment.training
for package in (augment.models, augment.training):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

import torch
torch.set_num_threads(1)
from augment.models.hq_sam import hub as hub_sam, original as original_sam
from augment.models.grounding_dino import export, hub, original
from augment.models.runtime import Runtime
from tests.augment.models.grounding_dino import networks
from tests.augment.models.hq_sam.networks import small, twin

folder, cpu = Path(sys.argv[1]), Runtime(device="cpu")
texts = networks.text_encoder(folder / "bert")
torch.save(networks.state(networks.network(texts)), folder / "tiny.pth")
export.export_hub(folder / "tiny.pth", networks.CONFIGURATION, texts, folder / "hub")
hub.open_hub(folder / "hub", cpu)
original.open_original(folder / "tiny.pth", networks.CONFIGURATION, texts, cpu)
original_sam.prompted(small(), cpu)
hub_sam.prompted(twin(small()), cpu)
"""


def test_every_network_opens_without_gl_and_without_a_warning(tmp_path: Path) -> None:
    """groundingdino-py brings an OpenCV that needs libGL; third parties' warnings are not the user's."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT_GL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import augment.models.packs, augment.models.doors, augment.models.download, augment.models.weights",
        "import augment.models.grounding_dino.phrases",
        "import augment.segment",
        "import workflows.cli; workflows.cli.main(['--help'])",
    ],
)
def test_what_needs_no_network_imports_no_torch(code: str) -> None:
    heavy = "{'torch', 'transformers', 'huggingface_hub', 'safetensors'}"
    code = f"import sys; {code}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_processes_that_open_a_detector_for_the_first_time_share_no_cache_that_either_could_spoil() -> None:
    """yapf, of which groundingdino's configurations make use, writes one that another process may read half-written."""
    code = "import sys, augment.models.grounding_dino.original; print('yapf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
