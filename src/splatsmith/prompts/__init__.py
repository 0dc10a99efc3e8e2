"""Words in: what a prompt is, how it is worded for each view, and which words are known."""

from splatsmith.prompts.prompt import Prompt
from splatsmith.prompts.views import ViewWords
from splatsmith.prompts.vocabulary import Reading, Vocabulary, parse_prompt

__all__ = ["Prompt", "Reading", "ViewWords", "Vocabulary", "parse_prompt"]
