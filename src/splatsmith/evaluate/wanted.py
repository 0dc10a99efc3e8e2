"""What a prompt of the lists asks for, in the toybox's own terms."""

from collections.abc import Iterable
from dataclasses import dataclass

from splatsmith.errors import InputError
from splatsmith.toybox import CATEGORIES, COLORS
from splatsmith.toybox.relations import RELATIONS
from splatsmith.toybox.split import prompt_of


@dataclass(frozen=True)
class Wanted:
    """One thing, or one thing in a relation to a second one."""

    color: str
    category: str
    relation: str = ""  # one of RELATIONS; "" for one thing alone
    second_color: str = ""
    second_category: str = ""

    @property
    def alone(self) -> bool:
        """Whether only one thing is asked for."""
        return not self.relation

    @property
    def prompt(self) -> str:
        """The canonical prompt, "a red mushroom on a blue table"."""
        first = prompt_of(self.color, self.category)
        if self.alone:
            return first
        return f"{first} {self.relation} {prompt_of(self.second_color, self.second_category)}"


def wanted(prompt: str) -> Wanted:
    """Read a canonical prompt; InputError for any other, because its truth is not known."""
    words = prompt.split()
    for relation in RELATIONS:
        middle = relation.split()
        if len(words) == 6 + len(middle) and words[3:-3] == middle:
            found = Wanted(words[1], words[2], relation, words[-2], words[-1])
            return _checked(found, prompt)
    if len(words) != 3:
        raise _unreadable(prompt)
    return _checked(Wanted(words[1], words[2]), prompt)


def _checked(found: Wanted, prompt: str) -> Wanted:
    colors = filter(None, (found.color, found.second_color))
    categories = filter(None, (found.category, found.second_category))
    if not (_known(colors, COLORS) and _known(categories, CATEGORIES)):
        raise _unreadable(prompt)
    if found.prompt != prompt:
        raise _unreadable(prompt)
    return found


def _known(words: Iterable[str], known: Iterable[str]) -> bool:
    return set(words) <= set(known)


def _unreadable(prompt: str) -> InputError:
    return InputError(
        f"{prompt!r} cannot be weighed: only canonical prompts have a known truth, such as "
        f'"a red mushroom" or "a red mushroom on a blue table".'
    )
