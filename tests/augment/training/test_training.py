"""The loop resumes exactly, losses mean what they say, and the real networks learn from them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import GroundingDinoForObjectDetection, SamHQModel

from augment.boxes import boxes_around
from augment.errors import RequestError
from augment.models.runtime import Runtime
from augment.models.small import small_detector, small_segmenter, write_tokenizer
from augment.training import METHODS, Examples, Training, train
from augment.training.detector import Question, _giou, _match, _spans, ask, detector_loss
from augment.training.examples import Example, Thing, vary
from augment.training.segmenter import segmenter_loss
from robot_io.memory import ArrayFrames, ArrayMask
from robot_io.types import Episode, Role

CPU = Runtime("cpu")


def example(size: int = 64) -> Example:
    """A red square at the left, a blue one at the right."""
    picture = np.full((size, size, 3), 90, np.uint8)
    robot, cube = np.zeros((2, size, size), np.bool_)
    robot[20:60, 4:24], cube[40:52, 40:52] = True, True
    picture[robot], picture[cube] = (200, 40, 40), (40, 40, 200)
    return Example(picture, (Thing(Role.ROBOT, ("robot arm",), robot), Thing(Role.OBJECT, ("blue cube",), cube)))


def episode() -> Episode:
    shown = example()
    frames = ArrayFrames("front", np.stack([shown.picture] * 3), 10.0)
    masks = tuple(ArrayMask(thing.role, "", np.stack([thing.mask] * 3)) for thing in shown.things)
    return Episode("e", "demo", 3, {"front": frames}, {}, ("pick up the blue cube",), masks={"front": masks})


def steps(count: int, folder: Path, until: int | None = None, **options: object) -> tuple[nn.Module, list[float]]:
    """A line fitted to noise that each step draws by its number."""
    torch.manual_seed(1)
    network, seen = nn.Linear(3, 1), []
    training = Training(steps=count, warmup=2, save_every=2, learning_rate=0.05, **options)

    def loss(line: nn.Module, step: int) -> dict[str, torch.Tensor]:
        if step == until:
            raise KeyboardInterrupt
        points = torch.from_numpy(training.rng(step).normal(size=(4, 3))).float()
        return {"square": ((line(points) - points.sum(1, keepdim=True)) ** 2).mean()}

    return train(network, loss, training, folder, CPU, lambda _, terms: seen.append(terms["square"])), seen


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, _ = steps(10, tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        steps(10, tmp_path / "b", until=7)
    resumed, seen = steps(10, tmp_path / "b")
    assert len(seen) == 4  # from the checkpoint after step 6
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_loop_learns(tmp_path: Path) -> None:
    _, seen = steps(200, tmp_path)
    assert np.mean(seen[-20:]) < 0.05 * np.mean(seen[:5])


def test_generalised_iou_in_closed_form() -> None:
    one = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    torch.testing.assert_close(_giou(one, one), torch.ones(1))
    aside = torch.tensor([[0.75, 0.25, 0.5, 0.5]])  # touches it: no overlap, no gap
    torch.testing.assert_close(_giou(one, aside), torch.zeros(1))
    far = torch.tensor([[0.75, 0.75, 0.5, 0.5]])  # half of the hull is empty
    torch.testing.assert_close(_giou(one, far), torch.tensor([-0.5]))


def test_a_match_takes_the_prediction_that_fits() -> None:
    boxes = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.2, 0.2, 0.1, 0.1], [0.7, 0.7, 0.2, 0.2]])
    logits = torch.full((3, 8), -3.0)
    goal = torch.tensor([[0.7, 0.7, 0.2, 0.2], [0.2, 0.2, 0.1, 0.1]])
    rows, columns = _match(logits, boxes, goal, torch.ones(2, 4))
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {1: 1, 2: 0}


def test_spans_are_the_tokens_of_a_phrase(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(["robot", "arm", "blue", "cube"], tmp_path)
    question = Question(np.zeros((4, 4, 3), np.uint8), ("blue cube", "robot arm"), (1,), ((0.5, 0.5, 1.0, 1.0),))
    ids = tokenizer(["blue cube. robot arm."], return_tensors="pt")["input_ids"][0]
    assert _spans(ids, question, tokenizer).tolist() == [[0, 0, 0, 0, 1, 1, 0, 0]]


def test_questions_ask_for_what_is_there_and_for_what_is_not() -> None:
    rng = np.random.default_rng(0)
    questions = [ask(example(), ("robot arm", "blue cube", "red can", "green ball"), rng) for _ in range(40)]
    assert any("red can" in question.phrases for question in questions)
    for question in questions:
        named = {question.phrases[number] for number in question.asked}
        assert named <= {"robot arm", "blue cube"}
        assert len(set(question.phrases)) == len(question.phrases)
    whole = next(question for question in questions if len(question.asked) == 2)
    boxes = dict(zip([whole.phrases[number] for number in whole.asked], whole.boxes, strict=True))
    np.testing.assert_allclose(boxes["blue cube"], (46 / 64, 46 / 64, 12 / 64, 12 / 64))


def test_one_absent_phrase_is_enough() -> None:
    for seed in range(20):
        ask(example(), ("robot arm", "blue cube", "red can"), np.random.default_rng(seed))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    steps(4, tmp_path)
    with pytest.raises(RequestError, match=r"is of another training \(steps=4\); choose another output.path"):
        steps(6, tmp_path)


def test_varied_examples_keep_masks_on_their_things() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        varied = vary(example(), 48, rng)
        assert varied.things
        for thing in varied.things:
            inside = varied.picture[thing.mask].mean(axis=0)
            assert inside.argmax() == (0 if thing.role == Role.ROBOT else 2)
            left, top, right, bottom = boxes_around(thing.mask[None])[0]
            assert 0 <= left < right <= 48
            assert 0 <= top < bottom <= 48


def test_examples_are_read_from_episodes_by_what_the_instruction_calls_them() -> None:
    examples = Examples(lambda _: episode(), ["e"], ["front", "wrist"])
    assert len(examples) == 3
    assert examples.phrases == ["blue cube", "robot", "robot arm"]
    assert len(examples.batch(2, 48, np.random.default_rng(0))) == 2
    with pytest.raises(ValueError, match="wrist"):
        Examples(lambda _: episode(), ["e"], ["wrist"])


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_builds_a_network_whose_loss_has_gradients(method: str, tmp_path: Path) -> None:
    examples = Examples(lambda _: episode(), ["e"], ["front"])
    network, loss = METHODS[method](examples, Training(batch=1), tmp_path)
    terms = loss(network, 0)
    assert all(torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    assert max(float(weight.grad.abs().max()) for weight in network.parameters() if weight.grad is not None) > 0


def test_a_detector_learns_one_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = write_tokenizer(["robot", "arm", "blue", "cube"], tmp_path)
    boxes = ((0.25, 0.625, 0.3125, 0.625), (0.72, 0.72, 0.1875, 0.1875))
    question = Question(example().picture, ("robot arm", "blue cube"), (0, 1), boxes)
    loss = detector_loss(tokenizer, lambda _: [question])
    training, seen = Training(steps=25, warmup=1, learning_rate=1e-3), []
    train(GroundingDinoForObjectDetection(small_detector()), loss, training, tmp_path, CPU, lambda _, t: seen.append(t))
    assert seen[-1]["box"] < 0.7 * seen[0]["box"]


def test_a_segmenter_learns_one_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shown = SimpleNamespace(example=vary(example(), 64, np.random.default_rng(3)))
    network = SamHQModel(small_segmenter(64, layers=2))
    loss = segmenter_loss(lambda step: ([shown.example], np.random.default_rng(step)))
    seen: list[float] = []
    training = Training(steps=50, warmup=1, learning_rate=2e-3)
    train(network, loss, training, tmp_path, CPU, lambda _, terms: seen.append(terms["dice"]))
    assert np.mean(seen[-8:]) < 0.6 * np.mean(seen[:3])
