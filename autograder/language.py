"""What people read, as data: sentences that are rendered in one place, in the language asked for.

A sentence is a template, in English, with the values that it is told with. The template is what a
catalogue of translations (gettext) knows it by; the values are never looked up, unless they are
sentences themselves.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autograder.errors import AutograderError

#: Finds the translation of a template, as `gettext.GNUTranslations.gettext` does.
Translate = Callable[[str], str]


@dataclass(frozen=True, init=False, eq=False)
class Text:
    """A sentence for people, not yet in any language; equal to what reads the same in English.

    Attributes:
        template: in English, in the syntax of `str.format`; braces that stand for themselves are
            doubled only where there are values.
        values: what stands in it by name: sentences, or what is the same in every language.
    """

    template: str
    values: Mapping[str, Any]

    def __init__(self, template: "str | Text", /, **values: Any) -> None:
        inner = template if isinstance(template, Text) else None
        object.__setattr__(self, "template", inner.template if inner else template)
        object.__setattr__(self, "values", {**inner.values, **values} if inner else values)

    def __str__(self) -> str:
        return render(self)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Text | str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __contains__(self, part: str) -> bool:
        return part in str(self)

    def __bool__(self) -> bool:
        return bool(self.template)


#: What stands for a sentence: one, or a text that is the same in every language.
Sentence = str | Text


class Explained(AutograderError):
    """An error whose text is a sentence for people.

    Attributes:
        text: the sentence; `str(error)` is it in English.
    """

    def __init__(self, template: Sentence, /, **values: Any) -> None:
        self.text = Text(template, **values)
        super().__init__(self.text)


def render(text: Sentence, translate: Translate = str) -> str:
    """Write a sentence out; a plain string is what it is."""
    if isinstance(text, str):
        return text
    template = translate(text.template) if text.template else ""
    if not text.values:
        return template
    return _Names().vformat(template, (), {k: _shown(v, translate) for k, v in text.values.items()})


def _shown(value: Any, translate: Translate) -> Any:
    return render(value, translate) if isinstance(value, Text) else value


class _Names(string.Formatter):
    """Takes values by name alone, and nothing out of them: a template may be a translator's."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs[field_name], field_name


def as_data(text: Sentence) -> Any:
    """A sentence as JSON can hold it; see :func:`from_data`."""
    if isinstance(text, str):
        return text
    plain = str | int | float | None
    values = {
        name: as_data(value)
        if isinstance(value, Text)
        else {"is": value if isinstance(value, plain) else str(value)}
        for name, value in text.values.items()
    }
    return {"template": text.template, "values": values}


def from_data(data: Any) -> Sentence:
    """The sentence that :func:`as_data` was given."""
    if isinstance(data, str):
        return data
    values = {
        name: value["is"] if "is" in value else from_data(value)
        for name, value in data["values"].items()
    }
    return Text(data["template"], **values)
