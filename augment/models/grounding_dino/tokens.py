"""The tokenizer and the text encoder's configuration, from a local folder."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, BertConfig

from augment.errors import RequestError
from augment.models.grounding_dino.phrases import Vocabulary
from augment.models.hub import configuration

DELIMITERS = ("[CLS]", "[SEP]", ".", "?")


def open_tokenizer(folder: Path) -> Any:
    """BERT's tokenizer from its files in a local folder. Raises RequestError where it is not there or another one."""
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; give the one that has the tokenizer's files")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RequestError(f"{folder} has no tokenizer ({reason}); needed: tokenizer.json or vocab.txt") from error
    if tokenizer.unk_token_id in delimiters(tokenizer):
        raise RequestError(f"the tokenizer in {folder} lacks one of {' '.join(DELIMITERS)}; give that of BERT, uncased")
    return tokenizer


def delimiters(tokenizer: Any) -> list[int]:
    """The tokens between which the network reads phrases by themselves."""
    return [int(token) for token in tokenizer.convert_tokens_to_ids(list(DELIMITERS))]


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """What asking phrases needs of a tokenizer."""
    first, last, dot, _ = delimiters(tokenizer)

    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    return Vocabulary(tokens, first, last, dot, int(tokenizer.unk_token_id))


def bert_config(folder: Path) -> BertConfig:
    """The configuration of the BERT in a local folder. Raises RequestError where there is none."""
    return configuration(BertConfig, "bert", folder)
