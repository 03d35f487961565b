"""Training GroundingDINO: boxes and phrases, matched one to one (Liu et al. 2023, after DETR)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from transformers import GroundingDinoForObjectDetection

from augment.boxes import boxes_around
from augment.models.small import small_detector, write_tokenizer
from augment.training.examples import Example, Thing, normalised
from augment.training.method import Data, Loss, Method, Task, Workshop, save_half

CLASS, BOX, OVERLAP = 2.0, 5.0, 2.0  # weights of the terms, and of the costs of a match
COPIES = 4  # proposals of the encoder that each thing gets
ABSENT = 2  # phrases that name nothing in the picture, at most
SIZE = 160  # pixels of a picture


@dataclass(frozen=True, eq=False)
class Question:
    """A picture, the phrases that are asked, and for each thing in it a phrase's number and a box."""

    picture: UInt8[np.ndarray, "h w 3"]
    phrases: tuple[str, ...]
    asked: tuple[int, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    """Centre x and y, width and height; shares of the picture."""


@dataclass(frozen=True)
class Detector(Method):
    """A small GroundingDINO over the words of the examples."""

    def build(self, data: Data, workshop: Workshop) -> Task:
        """Writes a folder of transformers, with tokenizer and preprocessor."""
        examples = data.examples()
        tokenizer = write_tokenizer(examples.phrases, workshop.folder)
        size = {"shortest_edge": SIZE, "longest_edge": 2 * SIZE}
        (workshop.folder / "preprocessor_config.json").write_text(json.dumps({"size": size}) + "\n")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = GroundingDinoForObjectDetection(small_detector())

        def questions(number: int) -> list[Question]:
            rng = self.rng(number)
            return [ask(example, examples.phrases, rng) for example in examples.batch(self.batch, SIZE, rng)]

        return Task(network, detector_loss(tokenizer, questions), save_half)


def ask(example: Example, others: Sequence[str], rng: np.random.Generator) -> Question:
    """Phrases for some of the things, in any order, and some that name nothing here."""
    things: list[Thing] = [thing for thing in example.things if rng.random() < 0.9] or list(example.things)
    named: dict[str, list[Thing]] = {}
    for thing in things:
        named.setdefault(thing.phrases[rng.integers(len(thing.phrases))], []).append(thing)
    taken = {phrase for thing in example.things for phrase in thing.phrases}
    absent = [phrase for phrase in others if phrase not in taken]
    if absent:
        count = min(len(absent), int(rng.integers(ABSENT + 1)))
        named |= {phrase: [] for phrase in rng.choice(absent, count, replace=False).tolist()}
    phrases = [str(phrase) for phrase in rng.permutation(sorted(named))]
    height, width = example.picture.shape[:2]
    asked = [number for number, phrase in enumerate(phrases) for _ in named[phrase]]
    masks = [thing.mask for phrase in phrases for thing in named[phrase]]
    boxes = boxes_around(np.stack(masks)) / np.tile([width, height], 2) if masks else np.zeros((0, 4))
    centred = np.concatenate([boxes[:, :2] + boxes[:, 2:], 2 * (boxes[:, 2:] - boxes[:, :2])], axis=1) / 2
    return Question(example.picture, tuple(phrases), tuple(asked), tuple(map(tuple, centred.tolist())))


def detector_loss(tokenizer: Any, questions: Callable[[int], Sequence[Question]]) -> Loss:
    """The loss of a batch: focal over tokens, L1 and GIoU over boxes, of every decoder layer and of the encoder."""

    def loss(network: nn.Module, step: int) -> dict[str, Tensor]:
        batch = questions(step)
        device = next(network.parameters()).device
        captions = [" ".join(f"{phrase}." for phrase in question.phrases) for question in batch]
        tokens = tokenizer(captions, padding=True, return_tensors="pt").to(device)
        spans = [_spans(ids, question, tokenizer) for ids, question in zip(tokens["input_ids"], batch, strict=True)]
        found = network(pixel_values=normalised([question.picture for question in batch], device), **tokens)
        terms: dict[str, Tensor] = {}
        for logits, boxes, copies in _stages(network, found, tokens["attention_mask"].bool()):
            for name, term in _terms(logits, boxes, batch, spans, tokens["attention_mask"], copies).items():
                terms[name] = terms.get(name, torch.zeros((), device=device)) + term
        return terms

    return loss


def _stages(network: Any, found: Any, text: Tensor) -> list[tuple[Tensor, Tensor, int]]:
    """Logits and boxes of all that predicts, and how many predictions each thing gets."""
    stages = [(found.enc_outputs_class, found.enc_outputs_coord_logits.sigmoid(), COPIES)]
    references = [found.init_reference_points, *found.intermediate_reference_points.unbind(1)]
    for layer, hidden in enumerate(found.intermediate_hidden_states.unbind(1)):
        logits = network.class_embed[layer](hidden, found.encoder_last_hidden_state_text, text)
        boxes = (network.bbox_embed[layer](hidden) + torch.special.logit(references[layer], eps=1e-5)).sigmoid()
        stages.append((logits, boxes, 1))
    return stages


def _terms(
    logits: Tensor, boxes: Tensor, batch: Sequence[Question], spans: Sequence[Tensor], text: Tensor, copies: int
) -> dict[str, Tensor]:
    wanted = torch.zeros_like(logits)
    matched, truth = [], []
    for number, (question, span) in enumerate(zip(batch, spans, strict=True)):
        if not question.boxes:
            continue
        goal = torch.tensor(question.boxes, dtype=boxes.dtype, device=boxes.device).repeat(copies, 1)
        words = span.to(boxes.device).repeat(copies, 1)
        rows, columns = _match(logits[number].detach(), boxes[number].detach(), goal, words)
        wanted[number, rows, : words.shape[1]] = words[columns]
        matched.append(boxes[number, rows])
        truth.append(goal[columns])
    valid = torch.nn.functional.pad(text.bool(), (0, logits.shape[2] - text.shape[1]))[:, None, :]
    things = max(1, sum(len(goal) for goal in truth))
    terms = {"class": CLASS * _focal(logits, wanted, valid) / things}
    if matched:
        here, there = torch.cat(matched), torch.cat(truth)
        terms["box"] = BOX * (here - there).abs().sum() / things
        terms["overlap"] = OVERLAP * (1 - _giou(here, there)).sum() / things
    return terms


def _match(logits: Tensor, boxes: Tensor, goal: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Which prediction is taken for which thing: least cost in all (Hungarian). Proposals outside are infinite."""
    chance = logits[:, : words.shape[1]].sigmoid().clamp(1e-6, 1 - 1e-6)
    present = 0.25 * (1 - chance) ** 2 * -chance.log()
    missing = 0.75 * chance**2 * -(1 - chance).log()
    shares = words / words.sum(dim=1, keepdim=True)
    cost = CLASS * (present - missing) @ shares.T + BOX * torch.cdist(boxes, goal, p=1)
    cost = cost - OVERLAP * _giou(boxes[:, None], goal[None])
    rows, columns = linear_sum_assignment(torch.nan_to_num(cost, nan=1e4, posinf=1e4).cpu().numpy())
    return torch.from_numpy(rows).to(boxes.device), torch.from_numpy(columns).to(boxes.device)


def _focal(logits: Tensor, wanted: Tensor, valid: Tensor) -> Tensor:
    """Focal loss (alpha 0.25, gamma 2; Lin et al. 2017), summed over tokens that stand for text."""
    safe = logits.masked_fill(~valid, -20.0).clamp(-20, 20)
    chance = safe.sigmoid()
    entropy = nn.functional.binary_cross_entropy_with_logits(safe, wanted, reduction="none")
    right = chance * wanted + (1 - chance) * (1 - wanted)
    weight = 0.25 * wanted + 0.75 * (1 - wanted)
    return (weight * (1 - right) ** 2 * entropy * valid).sum()


def _giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU of boxes by centre and size (Rezatofighi et al. 2019)."""
    low = [box[..., :2] - box[..., 2:] / 2 for box in (first, second)]
    high = [box[..., :2] + box[..., 2:] / 2 for box in (first, second)]
    inner = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0).prod(-1)
    union = first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - inner
    outer = (torch.maximum(*high) - torch.minimum(*low)).prod(-1)
    return inner / union.clamp(min=1e-9) - (outer - union) / outer.clamp(min=1e-9)


def _spans(ids: Tensor, question: Question, tokenizer: Any) -> Tensor:
    """For each thing, which tokens are its phrase's: float `(things, tokens)`."""
    stops = (ids == tokenizer.convert_tokens_to_ids(".")).nonzero().flatten().tolist()
    starts = [1, *(stop + 1 for stop in stops)]
    spans = torch.zeros(len(question.asked), len(ids))
    for row, number in enumerate(question.asked):
        spans[row, starts[number] : stops[number]] = 1
    return spans
