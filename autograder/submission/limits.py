"""What may be handed in: limits of number, depth and size."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class IntakeLimits:
    """What is taken of a submission's folder."""

    notebook_file_bytes: int = field(
        default=200 * 2**20,
        metadata={"help": "The notebook's file, its outputs included: they are thrown away."},
    )
    files: int = field(
        default=500,  # nbgrader needs a second for these, and four for 1,000
        metadata={"help": "Files and folders that may lie beside the notebook."},
    )
    folder_bytes: int = field(default=50 * 2**20, metadata={"help": "Bytes of those together."})
    depth: int = field(default=20, metadata={"help": "Folders within folders."})
    entries: int = field(
        default=10_000,
        metadata={"help": "Entries of one folder; where there are more, none is looked at."},
    )
    path_bytes: int = field(default=1_000, metadata={"help": "The longest path of a file."})


@dataclass(frozen=True)
class ReadLimits:
    """What a notebook may be."""

    notebook_bytes: int = field(
        default=50 * 2**20, metadata={"help": "Bytes of a notebook without its outputs."}
    )
    cells: int = field(default=2_000, metadata={"help": "Cells of a notebook."})
    source_length: int = field(default=2**18, metadata={"help": "Characters of a cell's source."})
    values: int = field(
        default=2 * 10**6,  # it takes 100 bytes for each to read it
        metadata={"help": "Lists, objects and items of a notebook's JSON together."},
    )
