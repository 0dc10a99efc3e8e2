"""Words in: what a prompt is, how it is worded for each view, and which words are known."""

from splatsmith.prompts.prompt import Prompt
from splatsmith.prompts.views import ViewWords

__all__ = ["Prompt", "ViewWords"]
