"""A caption as numbers: a small transformer, learned together with the denoiser."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Text:
    """Captions as the denoiser takes them."""

    words: Float[Tensor, "views words_and_start width"]
    sentence: Float[Tensor, "views width"]
    mask: Float[Tensor, "views words_and_start"]  # 0 at a word, else very negative


PAD = 0  # the row of the word table that stands for "no word"


def attend(
    query: Float[Tensor, "views heads queries width"],
    key: Float[Tensor, "views heads keys width"],
    value: Float[Tensor, "views heads keys width"],
    bias: Float[Tensor, "views keys"],
) -> Float[Tensor, "views heads queries width"]:
    """Softmax attention, written out: on CPUs and at these sizes the fused one is slower.

    `bias` is added to the scores of each key, for every head and query.
    """
    scores = query @ (key * query.shape[-1] ** -0.5).transpose(-1, -2)
    weights = torch.softmax(scores.float() + bias[:, None, None, :], dim=-1)
    return weights.to(value.dtype) @ value


class TextEncoder(nn.Module):
    """Words to one vector each, and one for the whole sentence."""

    def __init__(self, vocabulary: int, words: int, width: int, layers: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(words, width))
        self.start = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(TextLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.table.weight, std=0.5)
        nn.init.normal_(self.position, std=0.1)

    def forward(self, tokens: Int[Tensor, "views words"]) -> Text:
        """A learned start word leads every caption: even an empty one has something to read."""
        h = self.table(tokens) + self.position[: tokens.shape[1]]
        h = torch.cat([self.start.expand(len(h), 1, -1).to(h.dtype), h], dim=1)
        absent = torch.cat([torch.zeros_like(tokens[:, :1]), tokens == PAD], dim=1).bool()
        mask = torch.zeros(absent.shape, device=h.device).masked_fill(absent, -1e4)
        for layer in self.layers:
            h = layer(h, mask)
        h = self.norm(h)
        present = (~absent).to(h.dtype)[..., None]
        sentence = h[:, 0] + (h * present).sum(1) / present.sum(1)
        return Text(words=h, sentence=sentence, mask=mask)


class TextLayer(nn.Module):
    """Attention among the words, then a small network for each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // 32)
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 3 * width), nn.SiLU(), nn.Linear(3 * width, width)
        )
        for silent in (*self.out.parameters(), *self.feed[2].parameters()):
            nn.init.zeros_(silent)  # at first, what comes in goes out

    def forward(
        self, h: Float[Tensor, "views words width"], mask: Float[Tensor, "views words"]
    ) -> Float[Tensor, "views words width"]:
        """The same words, each knowing the others."""
        views, words, width = h.shape
        joined = self.query_key_value(self.norm_attention(h))
        query, key, value = joined.view(views, words, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = attend(query, key, value, mask)
        h = h + self.out(mixed.transpose(1, 2).reshape(views, words, width))
        return h + self.feed(self.norm_feed(h))


class WordTable:
    """Which row of the word table each word has; row 0 is "no word"."""

    def __init__(self, words: Sequence[str], length: int) -> None:
        self.words = tuple(words)
        self.length = length
        self.rows = {word: row for row, word in enumerate(self.words, start=1)}

    def known(self, caption: str) -> list[int]:
        """The rows of a caption's words; those that are not in the table are passed over."""
        words = re.findall("[a-z]+", caption.lower())
        return [self.rows[word] for word in words if word in self.rows]

    def encode(self, captions: Sequence[str]) -> Int[Tensor, "views words"]:
        """Rows of the words of each caption, padded; words not in the table are passed over.

        Users never get so far with an unknown word: the prompt's vocabulary refuses it earlier.
        """
        rows = torch.zeros(len(captions), self.length, dtype=torch.long)
        for view, caption in enumerate(captions):
            found = self.known(caption)[: self.length]
            rows[view, : len(found)] = torch.tensor(found, dtype=torch.long)
        return rows
