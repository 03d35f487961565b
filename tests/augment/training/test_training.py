"""The loop resumes exactly, losses mean what they say, and the real networks learn from them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import GroundingDinoForObjectDetection, SamHQModel

from augment.boxes import boxes_around
from augment.errors import RequestError, RunError
from augment.models.runtime import Runtime
from augment.models.small import small_detector, small_segmenter, write_tokenizer
from augment.training import METHODS, Data, Examples, Workshop, open_machine, train
from augment.training.detector import Question, _giou, _match, _spans, ask, detector_loss
from augment.training.examples import Example, Thing, vary
from augment.training.method import Loss, Task, Training
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


def workshop(folder: Path, options: Training) -> Workshop:
    folder.mkdir(parents=True, exist_ok=True)
    return Workshop(folder, open_machine(CPU, options), lambda _: None)


def learn(network: nn.Module, loss: Loss, folder: Path, **options: object) -> list[dict[str, float]]:
    """Terms of all steps."""
    training, seen = Training(**{"warmup": 1, **options}), []
    train(Task(network, loss, lambda *_: None), training, workshop(folder, training), lambda _, t: seen.append(dict(t)))
    return seen


def line(dropout: float = 0.0) -> nn.Module:
    """With weights that are always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))


def steps(count: int, folder: Path, until: int | None = None, **options: object) -> tuple[nn.Module, list[float]]:
    """A network fitted to noise that each batch draws by its number."""
    network = line(options.pop("dropout", 0.0))

    def loss(network: nn.Module, number: int) -> dict[str, torch.Tensor]:
        if number == until:
            raise KeyboardInterrupt
        points = torch.from_numpy(Training().rng(number).normal(size=(4, 3))).float()
        return {"square": ((network(points) - points.sum(1, keepdim=True)) ** 2).mean()}

    numbers = {"steps": count, "warmup": 2, "save_every": 2, "learning_rate": 0.05, **options}
    return network, [terms["square"] for terms in learn(network, loss, folder, **numbers)]


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Dropout included, for which the caller's random numbers are neither used nor changed."""
    before = torch.get_rng_state()
    whole, _ = steps(10, tmp_path / "a", dropout=0.5)
    with pytest.raises(KeyboardInterrupt):
        steps(10, tmp_path / "b", until=7, dropout=0.5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    resumed, seen = steps(10, tmp_path / "b", dropout=0.5)
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


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    def fitted(folder: Path, size: int, accumulation: int) -> tuple[nn.Module, list[float]]:
        network = line()

        def loss(network: nn.Module, number: int) -> dict[str, torch.Tensor]:
            rows = [np.random.default_rng(row).normal(size=3) for row in range(number * size, (number + 1) * size)]
            points = torch.from_numpy(np.stack(rows)).float()
            return {"square": ((network(points) - points.sum(1, keepdim=True)) ** 2).mean()}

        seen = learn(network, loss, folder, steps=6, accumulation=accumulation, learning_rate=0.05)
        return network, [terms["square"] for terms in seen]

    (large, of_large), (small, of_small) = fitted(tmp_path / "a", 6, 1), fitted(tmp_path / "b", 2, 3)
    np.testing.assert_allclose(of_large, of_small, rtol=1e-4)
    for one, other in zip(large.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_trainings_of_one_process_may_differ_in_precision(tmp_path: Path) -> None:
    seen: list[torch.dtype] = []

    def loss(network: nn.Module, number: int) -> dict[str, torch.Tensor]:
        made = network(torch.ones(2, 3))
        seen.append(made.dtype)
        return {"square": made.float().square().mean()}

    for precision in ("no", "bf16", "no"):
        learn(line(), loss, tmp_path / str(len(seen)), steps=1, precision=precision)
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    with pytest.raises(RequestError, match="fp16 needs a GPU"):
        learn(line(), loss, tmp_path / "half", steps=1, precision="fp16")


def test_terms_without_a_gradient_are_only_reported(tmp_path: Path) -> None:
    def loss(network: nn.Module, number: int, more: float = 0.0) -> dict[str, torch.Tensor]:
        return {"square": network(torch.ones(2, 3)).square().mean(), "figure": torch.tensor(7.0 + more)}

    one, other = line(), line()
    seen = learn(one, loss, tmp_path / "a", steps=2)
    learn(other, lambda network, number: loss(network, number, 1e3), tmp_path / "b", steps=2)
    assert [terms["figure"] for terms in seen] == [7.0, 7.0]
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))


def test_reviews_are_of_the_averaged_weights(tmp_path: Path) -> None:
    """And leave the weights that are trained as they are."""
    network, shown = nn.Linear(1, 1, bias=False), []
    network.weight.data.fill_(1.0)

    def loss(network: nn.Module, number: int) -> dict[str, torch.Tensor]:
        return {"weight": network(torch.ones(1, 1)).mean()}

    def sheet(network: nn.Module) -> np.ndarray:
        shown.append(float(network.weight))
        return np.zeros((2, 2, 3), np.uint8)

    options = Training(steps=4, warmup=0, schedule="constant", learning_rate=0.1, weight_decay=0.0, average=0.5)
    options = replace(options, review_every=2, clip=1e9)
    seen: list[dict[str, float]] = []
    task = Task(network, loss, lambda *_: None, loss, sheet)
    train(task, options, workshop(tmp_path, options), lambda _, terms: seen.append(dict(terms)))
    np.testing.assert_allclose([terms["weight"] for terms in seen], [1.0, 0.9, 0.8, 0.7], rtol=1e-5)
    averages, average = [], 1.0
    for step, weight in enumerate([0.9, 0.8, 0.7, 0.6]):
        share = min(0.5, (1 + step) / (10 + step))
        average = share * average + (1 - share) * weight
        averages.append(average)
    np.testing.assert_allclose(shown, averages[1::2], rtol=1e-5)
    np.testing.assert_allclose([terms["held-out weight"] for terms in seen[1::2]], averages[1::2], rtol=1e-5)
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["0000002.png", "0000004.png"]
    assert list((tmp_path / "logs").iterdir())


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"step 0: the loss is nan; lower method.learning_rate"):
        learn(line(), lambda network, _: {"square": network(torch.full((1, 3), np.nan)).mean()}, tmp_path)


@pytest.mark.parametrize("method", ["detector", "segmenter"])
def test_every_method_builds_a_network_whose_loss_has_gradients(method: str, tmp_path: Path) -> None:
    data = Data(lambda: Examples(lambda _: episode(), ["e"], ["front"]), lambda: pytest.fail("no scenes"))
    options = METHODS[method](batch=1)
    task = options.build(data, workshop(tmp_path, options))
    terms = task.loss(task.network, 0)
    assert all(torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    weights = [weight.grad for weight in task.network.parameters() if weight.grad is not None]
    assert max(float(grad.abs().max()) for grad in weights) > 0


def test_a_detector_learns_one_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = write_tokenizer(["robot", "arm", "blue", "cube"], tmp_path)
    boxes = ((0.25, 0.625, 0.3125, 0.625), (0.72, 0.72, 0.1875, 0.1875))
    question = Question(example().picture, ("robot arm", "blue cube"), (0, 1), boxes)
    loss = detector_loss(tokenizer, lambda _: [question])
    network = GroundingDinoForObjectDetection(small_detector())
    seen = learn(network, loss, tmp_path, steps=25, learning_rate=1e-3)
    assert seen[-1]["box"] < 0.7 * seen[0]["box"]


def test_a_segmenter_learns_one_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shown = SimpleNamespace(example=vary(example(), 64, np.random.default_rng(3)))
    network = SamHQModel(small_segmenter(64, layers=2))
    loss = segmenter_loss(lambda step: ([shown.example], np.random.default_rng(step)))
    seen = [terms["dice"] for terms in learn(network, loss, tmp_path, steps=50, learning_rate=2e-3)]
    assert np.mean(seen[-8:]) < 0.6 * np.mean(seen[:3])
