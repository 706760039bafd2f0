"""The corpus: folders of files with secrets and look-alikes, and where in them the secrets are. The same seed gives the same bytes."""

import dataclasses
import pathlib
import random

import carriers
from kinds import KINDS, Kind
from lookalikes import LOOKALIKES

SEED = "pratique"
SAMPLES = 20  # of each kind
DECOYS = 25  # of each look-alike
# Kinds in one folder: one scan reports a bounded number of secrets.
KINDS_A_FOLDER = 20


@dataclasses.dataclass
class Secret:
    kind: Kind
    lines: range | None  # of its file, from 1; none where it is packed or encoded: any place of the file is right


@dataclasses.dataclass
class Corpus:
    folders: list[pathlib.Path]
    secrets: dict[pathlib.Path, list[Secret]]  # by file
    decoys: int


def sample(kind, index, r):
    """A file with a secret of that kind: its name, its content, how the secrets read in it."""
    if kind.file:
        return kind.file(r)
    where = carriers.CARRIERS + (carriers.ANYWHERE if kind.fixed else [])
    # Each kind meets another choice of carriers.
    carrier = where[(index + random.Random(f"{SEED}/{kind.name}").randrange(len(where))) % len(where)]
    path, content, shown = carrier(r, r.choice(kind.names), kind.token(r))
    return path, content, [shown]


def build(folder):
    """Writes it below `folder`."""
    folders = [folder / f"{number:02}" for number in range(-(-len(KINDS) // KINDS_A_FOLDER))]
    secrets = {}
    names = random.Random(SEED)

    def write(root, path, content):
        # Nothing in a path tells whether a secret is in the file.
        file = root / "srv" / f"{names.getrandbits(32):08x}" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    for number, kind in enumerate(KINDS):
        for index in range(SAMPLES):
            path, content, shown = sample(kind, index, random.Random(f"{SEED}/{kind.name}/{index}"))
            file = write(folders[number // KINDS_A_FOLDER], path, content)
            secrets[file] = [Secret(kind, lines_of(content, text) if text else None) for text in shown]
    for number, decoy in enumerate(LOOKALIKES):
        for index in range(DECOYS):
            path, content = decoy(random.Random(f"{SEED}/decoy/{number}/{index}"))
            write(folders[(number + index) % len(folders)], path, content)
    return Corpus(folders, secrets, len(LOOKALIKES) * DECOYS)


def lines_of(content, text):
    first = content[: content.index(text)].count("\n") + 1
    return range(first, first + text.count("\n") + 1)
