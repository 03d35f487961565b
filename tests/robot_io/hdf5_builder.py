"""Robomimic-style files with the awkward things that real ones hold."""

import json
from pathlib import Path

import h5py
import numpy as np

from tests.scenes import crossing_square, panning


def build(path: Path, demos: int = 3, length: int = 8, seed: int = 0) -> Path:
    """`front` is gzipped in odd chunks, `wrist` contiguous; masks for `front`; strings, NaN, links, nested groups."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file.attrs["made_by"] = "a recorder"
        data = file.create_group("data")
        data.attrs["total"] = demos * length
        data.attrs["env_args"] = json.dumps({"env_name": "Square", "type": 1, "env_kwargs": {"control_freq": 20}})
        for number in range(demos):
            _demo(data.create_group(f"demo_{number}"), seed + number, length, rng)
        file["mask/train"] = np.array([f"demo_{number}".encode() for number in range(demos - 1)], dtype="S8")
        file["mask/valid"] = np.array([f"demo_{demos - 1}".encode()], dtype="S8")
        file["extras/calibration"] = rng.normal(size=(3, 4))
        file["extras/again"] = h5py.SoftLink("/extras/calibration")
    return path


def _demo(demo: h5py.Group, seed: int, length: int, rng: np.random.Generator) -> None:
    demo.attrs["num_samples"] = length
    demo.attrs["model_file"] = "<mujoco/>"
    actions = rng.normal(size=(length, 7))
    actions[0, 3] = np.nan
    demo.create_dataset("actions", data=actions)
    demo.create_dataset("rewards", data=np.zeros(length), compression="gzip", shuffle=True)
    demo["datagen_info/subtask_term_signals/grasp"] = np.arange(length) > 3
    demo["notes"] = np.array(["ä", "longer text"], dtype=object)
    frames, masks = crossing_square(seed, length)
    front = demo.create_dataset("obs/front", data=frames, compression="gzip", chunks=(3, 16, 16, 1), fletcher32=True)
    front.attrs["serial"] = 1234
    demo["obs/wrist"] = panning(seed, length)
    demo["obs/depth"] = rng.random((length, 48, 64, 1), dtype=np.float32)
    demo.create_dataset("obs/eef_pos", data=rng.normal(size=(length, 3)), chunks=(2, 3), maxshape=(None, 3))
    demo["masks/front/robot"] = masks
