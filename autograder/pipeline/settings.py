"""Limits as nbgrader's configuration sets them: each is a field of a dataclass."""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from traitlets import Integer
from traitlets.config import Configurable

Family = TypeVar("Family")


def limit(family: type[Any], name: str) -> Integer[int, int]:
    """The trait of one limit, by the name and with the default of a dataclass's field."""
    (field,) = [each for each in fields(family) if each.name == name]
    default: Any = field.default
    trait: Integer[int, int] = Integer(default, help=field.metadata.get("help", ""))
    return trait.tag(config=True)


def gathered(step: Configurable, family: type[Family]) -> Family:
    """The limits of a family as they are set for a step, which has a trait for each of them."""
    return family(**{field.name: getattr(step, field.name) for field in fields(family)})  # type: ignore[arg-type]


def course_folder(step: Configurable) -> Path:
    """nbgrader's course folder, for a preprocessor: below its exporter's converter."""
    converter: Any = step.parent.parent if step.parent is not None else None
    return Path(converter.coursedir.root if converter is not None else ".").absolute()
