"""Text, from sentences to batches that networks take: words, their numbers, padding and its mask, batches of like lengths.

vocabulary = text.Vocabulary.of([text.words(sentence) for sentence in sentences], min_count=2)
items = [(vocabulary.encode(text.words(sentence)), label) for sentence, label in zip(sentences, labels)]
loader = text.BucketLoader(items, 50, shuffle=True, seed=0)  # for train.fit: (ids (N, T), labels (N,))
mask = text.present(ids)                                     # (N, T), true where a word stands; the model asks for it
pieces = text.WordPiece.read("vocab.txt").encode(sentence)    # numbers of word pieces, for a BERT
pooled = text.max_over_time(features, mask)                  # (N, C, T) -> (N, C): padding is never seen
"""

from minidil.text.buckets import BucketLoader
from minidil.text.padding import IGNORED, pad, padded_batch, present
from minidil.text.pooling import masked, max_over_time, mean_over_time
from minidil.text.vectors import read_vectors
from minidil.text.vocabulary import PADDING, UNKNOWN, Vocabulary
from minidil.text.wordpiece import WordPiece
from minidil.text.words import words

__all__ = [
    "IGNORED",
    "PADDING",
    "UNKNOWN",
    "BucketLoader",
    "Vocabulary",
    "WordPiece",
    "masked",
    "max_over_time",
    "mean_over_time",
    "pad",
    "padded_batch",
    "present",
    "read_vectors",
    "words",
]
