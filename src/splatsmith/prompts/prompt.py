"""The words that a scene is made from."""

import unicodedata
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from splatsmith.errors import InputError
from splatsmith.prompts.debias import Hidden, without
from splatsmith.prompts.views import ViewWords

LONGEST = 200  # characters
STANDARD = ViewWords()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is wanted, and what is not.

    Both texts are cleaned on the way in; see `cleaned` for what is refused. `views` of None
    leaves the wording the same for every view, but for what is hidden from some. `notes` say
    what was changed in what the user wrote, a sentence each; they are for showing only.
    """

    text: str
    negative: str = ""
    views: ViewWords | None = STANDARD
    hidden: tuple[Hidden, ...] = ()  # phrases that some views are not told
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", cleaned(self.text))
        if self.negative.strip():
            object.__setattr__(self, "negative", cleaned(self.negative, "negative prompt"))
        else:
            object.__setattr__(self, "negative", "")
        for one in self.hidden:
            without(self.text, [one.phrase])
        for view in {view for one in self.hidden for view in one.views}:
            if not self._seen_from(view):
                raise InputError(
                    f'Nothing of the prompt "{self.text}" is left in the {view} view; '
                    f"hide less from it."
                )

    def for_views(
        self, azimuth: Float[Tensor, "views"], elevation: Float[Tensor, "views"]
    ) -> list[str]:
        """The text for each view, with ", front view" and the like appended; degrees."""
        if self.views is None and not self.hidden:
            return [self.text] * len(azimuth)
        names = (self.views or STANDARD).names(azimuth, elevation)
        suffixes = {} if self.views is None else self.views.words
        return [self._seen_from(name) + suffixes.get(name, "") for name in names]

    def _seen_from(self, view: str) -> str:
        """The text without what is hidden from a view."""
        hidden = [one.phrase for one in self.hidden if view in one.views]
        return without(self.text, hidden) if hidden else self.text


def cleaned(text: str, what: str = "prompt") -> str:
    """`text` without blanks at its ends and with single blanks inside.

    Raises InputError if nothing is left, if it has over 200 characters, or if it has characters
    that are no text, such as control characters. `what` is its name in messages.
    """
    for place, letter in enumerate(text, start=1):
        if (
            unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn")
            and letter not in "\t\n\r"
        ):
            raise InputError(
                f"The {what} has a character that is no text at place {place} "
                f"(U+{ord(letter):04X}); take it out."
            )
    single = " ".join(text.split())
    if not single:
        raise InputError(f'The {what} is empty; name an object, such as "a red mushroom".')
    if len(single) > LONGEST:
        raise InputError(
            f"The {what} has {len(single)} characters, and {LONGEST} are the most; "
            f'shorten it to something like "a red mushroom".'
        )
    return single
