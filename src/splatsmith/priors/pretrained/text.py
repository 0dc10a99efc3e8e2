"""Prompts as the networks take them: read by the text encoders once, then kept.

An encoder is loaded when a text comes that nobody has read before, reads all wordings of the
prompt at once (front, side, back, overhead, and what is not wanted), and is freed again: no
step of a run needs it, and T5 alone is larger than all the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.parts import load_part, load_tokenizer, release_memory
from splatsmith.priors.pretrained.store import digest_of, keep_text, kept_text, text_key
from splatsmith.prompts.prompt import Prompt
from splatsmith.prompts.views import ViewWords

Rows = Mapping[str, Tensor]  # of one text: each [1, ...]; of a condition: each [views, ...]


@dataclass(frozen=True)
class Told:
    """A condition: what a network is told of each view, and what it is told not to make.

    `pictures` are shown on both sides of guidance (depth for a ControlNet, the small picture
    for an upscaler).
    """

    rows: Rows
    negative_rows: Rows
    empty_rows: Rows  # of a text that says nothing
    pictures: Rows

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))

    def negative(self) -> "Told":
        """The same views, told the negative prompt, or nothing."""
        return replace(self, rows=self.negative_rows)

    def nothing(self) -> "Told":
        """The same views, told nothing at all."""
        return replace(self, rows=self.empty_rows)

    def joined(self, other: "Told") -> "Told":
        """The rows of both, these first."""
        return Told(
            _joined(self.rows, other.rows),
            _joined(self.negative_rows, other.negative_rows),
            _joined(self.empty_rows, other.empty_rows),
            _joined(self.pictures, other.pictures),
        )

    def part(self, views: slice) -> "Told":
        """Some of the rows."""
        return Told(
            *(
                {name: row[views] for name, row in rows.items()}
                for rows in (self.rows, self.negative_rows, self.empty_rows, self.pictures)
            )
        )


def _joined(first: Rows, second: Rows) -> Rows:
    return {name: torch.cat([row, second[name]]) for name, row in first.items()}


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and the model that reads its tokens."""

    tokenizer: Any
    model: Any

    def tokens(self, text: str, length: int) -> tuple[Tensor, Tensor]:
        """Token ids and mask, [1, length] each, cut off or padded, on the model's device."""
        found = self.tokenizer(
            [text],
            padding="max_length",
            max_length=length,
            truncation=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        device = next(self.model.parameters()).device
        return found["input_ids"].to(device), found["attention_mask"].to(device)

    @property
    def length(self) -> int:
        """The most tokens that the model takes."""
        return int(self.model.config.max_position_embeddings)


# How a family reads one text: folder, encoders by the names of their parts, text -> its rows.
Read = Callable[[ModelFolder, Mapping[str, Encoder], str], dict[str, Tensor]]


@dataclass(eq=False)
class Reader:
    """Reads texts by means of a folder's encoders, each text once."""

    folder: ModelFolder
    encoders: tuple[tuple[str, str], ...]  # names of tokenizer and model of each
    read: Read
    form: str  # of the rows; part of the key under which they are kept
    works: torch.device  # where the encoders work
    dtype: torch.dtype  # as what
    device: torch.device  # where the rows are wanted
    known: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    _digest: str = field(default="", init=False)

    def rows(self, texts: Sequence[str], also: Sequence[str] = ()) -> dict[str, Tensor]:
        """The rows of each text, joined; `also` are read now if any must be read at all."""
        missing = [text for text in dict.fromkeys(texts) if not self._remembers(text)]
        if missing:
            more = [text for text in dict.fromkeys(also) if not self._remembers(text)]
            self._read_all(list(dict.fromkeys([*missing, *more])))
        found = [self.known[text] for text in texts]
        return {name: torch.cat([rows[name] for rows in found]) for name in found[0]}

    def _remembers(self, text: str) -> bool:
        if text not in self.known:
            rows = kept_text(self._key(text))
            if rows is None:
                return False
            self.known[text] = {name: row.to(self.device) for name, row in rows.items()}
        return True

    @torch.no_grad()
    def _read_all(self, texts: Sequence[str]) -> None:
        half = self.dtype != torch.float32
        encoders = {
            part: Encoder(
                load_tokenizer(self.folder, tokenizer),
                load_part(self.folder, part, self.dtype, half=half).to(self.works),
            )
            for tokenizer, part in self.encoders
        }
        for text in texts:
            rows = self.read(self.folder, encoders, text)
            keep_text(self._key(text), rows)
            self.known[text] = {name: row.to(self.device) for name, row in rows.items()}
        encoders.clear()
        release_memory()

    def _key(self, text: str) -> str:
        return text_key(self.digest, text, f"{self.form} {self.dtype}")

    @property
    def digest(self) -> str:
        """Hash of the files of tokenizers and encoders."""
        if not self._digest:
            half = self.dtype != torch.float32
            parts = [part for pair in self.encoders for part in pair]
            files = [path for part in parts for path in self.folder.deciding(part, half=half)]
            self._digest = digest_of(self.folder.root, files)
        return self._digest


def wordings(prompt: Prompt) -> list[str]:
    """Every text that some view may need: the negative one too, and nothing at all."""
    words = prompt.views or ViewWords()
    suffixes = (words.front, words.side, words.back, words.overhead)
    said = [prompt.text, *(prompt.text + suffix for suffix in suffixes), prompt.negative, ""]
    return list(dict.fromkeys(said))


def clip_words(encoder: Encoder, text: str) -> Float[Tensor, "1 words width"]:
    """The last layer of CLIP's text model, normalized: Stable Diffusion 1 and 2."""
    tokens, mask = encoder.tokens(text, encoder.length)
    masked = bool(getattr(encoder.model.config, "use_attention_mask", False))
    return encoder.model(tokens, attention_mask=mask if masked else None)[0]


def clip_middle(encoder: Encoder, text: str, length: int) -> tuple[Tensor, Tensor]:
    """CLIP's last layer but one, and its projected sentence: SDXL and Stable Diffusion 3.

    [1, length, width] and [1, width of the projection]; the sentence is empty for a text model
    without a projection.
    """
    tokens, _ = encoder.tokens(text, length)
    answer = encoder.model(tokens, output_hidden_states=True)
    words = answer.hidden_states[-2]
    sentence = getattr(answer, "text_embeds", None)
    return words, words.new_empty(1, 0) if sentence is None else sentence


def t5_words(
    encoder: Encoder, text: str, length: int, *, masked: bool
) -> Float[Tensor, "1 words width"]:
    """T5's words; `masked` keeps it from reading the padding, as DeepFloyd does."""
    tokens, mask = encoder.tokens(text, length)
    return encoder.model(tokens, attention_mask=mask if masked else None)[0]
