"""The words that a prior has learned, and what becomes of words that it has not.

A small prior makes silent nonsense of a word it never saw. So every word of a prompt is either
known, or another form, another word or a misspelling of a known one, or it is refused with the
nearest words that are known. The vocabulary is saved inside the file of its prior's weights.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from splatsmith.errors import InputError
from splatsmith.prompts.debias import Hidden, parse_hidden, suggested
from splatsmith.prompts.english import NEGATIONS, PUNCTUATION
from splatsmith.prompts.prompt import Prompt, cleaned
from splatsmith.prompts.spelling import closest, closest_color, inflections, typo_of

KINDS = ("object", "color", "part", "adjective", "relation", "filler", "view")
MOST_WORDS = 4  # of a phrase that stands for one word
FRONT_OF = ("in", "front", "of")  # the one relation of three words; its "front" is no view
WHO = "The embedded prior"
ALIKE = 0.7  # likeness of spelling, 0 to 1, from which a word may stand in for another


@dataclass(frozen=True)
class Reading:
    """A prompt in known words, and a sentence for each liberty that was taken with it."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Known words by kind, and other words for them.

    `kinds` holds the words of each of `KINDS`: objects (nouns that can be made), colors, parts,
    adjectives, relations ("on"), fillers (the grammar of captions) and view words. `synonyms`
    maps other words and phrases to known words. All in lower case.
    """

    kinds: Mapping[str, tuple[str, ...]]
    synonyms: Mapping[str, str]

    def __post_init__(self) -> None:
        strange = sorted(set(self.kinds) - set(KINDS))
        if strange or not self.kinds.get("object"):
            raise InputError(
                f"A vocabulary has words of the kinds {', '.join(KINDS)} and at least one "
                f"object, got the kinds {', '.join(self.kinds) or 'none'}."
            )
        lost = sorted(word for word in self.synonyms.values() if word not in self.words)
        if lost:
            raise InputError(f"Synonyms must lead to known words, and {lost[0]!r} is none.")

    @cached_property
    def words(self) -> frozenset[str]:
        """Every known word."""
        return frozenset(word for words in self.kinds.values() for word in words)

    def of_kind(self, *kinds: str) -> tuple[str, ...]:
        """The words of these kinds, in their order."""
        return tuple(word for kind in kinds for word in self.kinds.get(kind, ()))

    def tokenize(self, text: str) -> list[str]:
        """Words in lower case without punctuation; other signs, such as emoji, are words."""
        plain = unicodedata.normalize("NFKC", text).casefold()
        plain = re.sub(r"['’]s\b", "", plain)
        plain = plain.translate({ord(sign): " " for sign in PUNCTUATION})
        return re.findall(r"[^\W\d_]+|\d+|[^\w\s]+", plain)

    def check(self, text: str, nearest: bool = False, *, object_needed: bool = True) -> Reading:
        """`text` in known words only; `nearest` puts the closest known word for an unknown one.

        Raises InputError if the text is empty or too long, says what is not wanted, has unknown
        words (without `nearest`), or names no object.
        """
        text = cleaned(text)
        self._refuse_negation(text)
        notes: list[str] = []
        tokens = self._without_views(self.tokenize(text), notes)
        words = self._resolved(tokens, notes)
        guesses: list[str] = []
        known = self._nearest(words, guesses)
        if guesses and not nearest:
            unknown = [said for said, word in words if word is None]
            raise InputError(self._unknown_words(unknown, self._canonical(known)))
        notes += guesses
        if object_needed:
            self._check_objects(known, notes)
        return Reading(self._canonical(known), tuple(notes))

    def to_json(self) -> str:
        """The vocabulary as JSON, for the header of a weight file."""
        return json.dumps({"kinds": dict(self.kinds), "synonyms": dict(self.synonyms)})

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """What `to_json` wrote; ValueError (InputError is one) if it is anything else."""
        data = json.loads(text)
        if not isinstance(data, dict) or set(data) != {"kinds", "synonyms"}:
            raise ValueError("a vocabulary holds kinds and synonyms")
        kinds, synonyms = data["kinds"], data["synonyms"]
        if not isinstance(kinds, dict) or not isinstance(synonyms, dict):
            raise ValueError("kinds and synonyms of a vocabulary are tables")
        if not all(isinstance(words, list) for words in kinds.values()):
            raise ValueError("each kind of a vocabulary is a list of words")
        words = [*synonyms.values(), *(word for words in kinds.values() for word in words)]
        if not all(isinstance(word, str) for word in words):
            raise ValueError("the words of a vocabulary are text")
        return cls({kind: tuple(words) for kind, words in kinds.items()}, synonyms)

    def _refuse_negation(self, text: str) -> None:
        tokens = self.tokenize(text)
        found = re.findall(r"\w+n['’]t\b", text.lower())
        found += [token for token in tokens if token in NEGATIONS]
        if found:
            objects = self.of_kind("object")
            noun = next((token for token in tokens if token in objects), objects[0])
            raise InputError(
                f'{WHO} cannot follow "{found[0]}"; say what the object is instead, '
                f'such as "a blue {noun}".'
            )

    def _without_views(self, tokens: list[str], notes: list[str]) -> list[str]:
        views = self.kinds.get("view", ())
        related = self.kinds.get("relation") and "front" in views
        kept, dropped = list[str](), list[str]()
        for place, token in enumerate(tokens):
            relates = related and tuple(tokens[place - 1 : place + 2]) == FRONT_OF
            turned = self._known_form(token) in views  # "views" as well
            (dropped if turned and not relates else kept).append(token)
        if dropped:
            notes.append(f'Left out "{" ".join(dropped)}": the object is made from all sides.')
        return kept

    def _resolved(
        self, tokens: Sequence[str], notes: list[str]
    ) -> list[tuple[str, str | None]]:
        """Each token or phrase with the known word it stands for, or None."""
        words: list[tuple[str, str | None]] = []
        place = 0
        while place < len(tokens):
            count, phrase = self._phrase(tokens[place : place + MOST_WORDS])
            said = " ".join(tokens[place : place + count])
            word = phrase or self._known_form(said)
            if word is not None and word != said:
                notes.append(f'Read "{said}" as "{word}".')
            words.append((said, word))
            place += count
        return words

    def _phrase(self, tokens: Sequence[str]) -> tuple[int, str | None]:
        """How many tokens from the first on make one known word together, and the word."""
        for count in range(len(tokens), 1, -1):
            *first, last = tokens[:count]
            for form in (last, *inflections(last)):
                said = " ".join([*first, form])
                if said in self.synonyms:
                    return count, self.synonyms[said]
                joined = said.replace(" ", "")
                if count == 2 and joined in self.words and not {*first, form} <= self.words:
                    return count, joined
        return 1, None

    def _known_form(self, token: str) -> str | None:
        """The known word that `token` is, means, is a form of, or misspells."""
        for form in (token, *inflections(token)):
            if form in self.words:
                return form
            if form in self.synonyms:
                return self.synonyms[form]
        # View words are left out: "balck" is black and not back.
        typed = typo_of(token, [*self.of_kind(*KINDS[:-1]), *self.synonyms])
        meant = {self.synonyms.get(word, word) for word in typed}
        return meant.pop() if len(meant) == 1 else None

    def _nearest(self, words: Sequence[tuple[str, str | None]], notes: list[str]) -> list[str]:
        """Known words only: the closest that fits in place of each unknown one, or nothing.

        From the end, because in English the noun stands last: "a red violin".
        """
        found = [word for _, word in words]
        for place in reversed(range(len(words))):
            said = words[place][0]
            if found[place] is None:
                others = [word for word in found if word is not None]
                found[place] = word = self._closest(said, others, found[place + 1 : place + 2])
                done = f'Took "{word}" for' if word else "Left out"
                notes.append(f'{done} "{said}", which is unknown.')
        return [word for word in found if word is not None]

    def _closest(
        self, said: str, known: Sequence[str], following: Sequence[str | None]
    ) -> str | None:
        """The word to put for an unknown one; None if none is close and an object is known."""
        objects, parts = self.of_kind("object"), self.of_kind("part")
        if color := closest_color(said, self.of_kind("color")):
            return color
        if not set(known) & set(objects):
            return closest(said, objects)[0]
        describes = following and following[0] in (*objects, *parts)
        fitting = self.of_kind("color", "adjective") if describes else parts
        word, likeness = closest(said, fitting) if fitting else ("", 0.0)
        return word if likeness >= ALIKE else None

    def _unknown_words(self, unknown: Sequence[str], meant: str) -> str:
        quoted = [f'"{word}"' for word in dict.fromkeys(unknown)]
        return (
            f"{WHO} does not know {_listed(quoted, 'or')}.  {self._summary()}\n"
            f"  Use --prior PATH for another prior, or --nearest to accept the closest words: "
            f'"{meant}".'
        )

    def _summary(self) -> str:
        objects, colors = sorted(self.of_kind("object")), self.of_kind("color")
        things = f"It knows {len(objects)} things: {', '.join(objects)}"
        hues = f"; and {len(colors)} colors: {', '.join(colors)}" if colors else ""
        return f"{things}{hues}.  (splatsmith words)"

    def _check_objects(self, words: Sequence[str], notes: list[str]) -> None:
        objects = list(dict.fromkeys(w for w in words if w in self.of_kind("object")))
        if not objects:
            raise InputError(f"The prompt names no object.  {self._summary()}")
        relations = [f'"{word}"' for word in (*self.of_kind("relation"), "in front of")]
        related = {*self.of_kind("relation"), "front"} & set(words)
        if len(objects) > (2 if related else 1):
            quoted = [f'"{word}"' for word in objects]
            limit = "one object at a time"
            if self.of_kind("relation"):
                limit = f"at most two objects, joined by {_listed(relations, 'or')}"
            notes.append(
                f"{WHO} has only seen {limit}; "
                f"{_listed(quoted, 'and')} may come out wrong together."
            )

    def _canonical(self, words: list[str]) -> str:
        """The plainest wording: "a duck that is yellow" is "a yellow duck"."""
        content = [word for word in words if word not in self.of_kind("filler")]
        nouns = [word for word in content if word in self.of_kind("object")]
        colors = [word for word in content if word in self.of_kind("color")]
        if len(nouns) != 1 or len(colors) > 1 or len(content) > len(nouns) + len(colors):
            return " ".join(words)
        described = " ".join(colors + nouns)
        return f"{'an' if described[0] in 'aeiou' else 'a'} {described}"


def parse_prompt(
    text: str,
    vocabulary: Vocabulary | None,
    *,
    negative: str = "",
    hide: Sequence[str] = (),
    nearest: bool = False,
) -> Prompt:
    """A prompt in the words of `vocabulary`, with its notes; any words if there is none.

    `hide` are phrases with the views that are not told of them, "smiling=back,side", or "auto"
    for what speaks of a face; they are looked for in the prompt as the vocabulary reads it.
    Raises InputError as `Vocabulary.check` does, for `negative` too, which needs no object.
    """
    wanted, unwanted = Reading(text), Reading(negative)
    if vocabulary is not None:
        wanted = vocabulary.check(text, nearest)
        if negative.strip():
            unwanted = vocabulary.check(negative, nearest, object_needed=False)
    hidden = [parse_hidden(item) for item in hide if item != "auto"]
    found = suggested(wanted.text) if "auto" in hide else ()
    hidden += [one for one in found if one not in hidden]
    notes = wanted.notes + unwanted.notes + tuple(_hiding(one) for one in found)
    return Prompt(text=wanted.text, negative=unwanted.text, hidden=tuple(hidden), notes=notes)


def _hiding(hidden: Hidden) -> str:
    return f'"{hidden.phrase}" is not said of the {_listed(hidden.views, "and")} view.'


def _listed(items: Sequence[str], joint: str) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"
