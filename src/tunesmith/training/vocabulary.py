"""Tokenizers trained on a text, wrapped as transformers' own classes; equal texts give equal tokenizers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from ..errors import NothingToTrain

ALPHABET = 1000  # characters, the most frequent ones
SPECIAL = {
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "gpt2": ("<|endoftext|>", "<|pad|>"),
    "t5": ("<pad>", "</s>", "<unk>"),
}


def byte_pairs(texts: Iterable[str], size: int, length: int) -> Any:
    """Byte-level BPE, as GPT-2's: every text comes back from its ids. size: pieces at most; length: tokens a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Tokenizer

    end, padding = SPECIAL["gpt2"]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rest = iter(texts)
    first = next((text for text in rest if text), None)
    if first is None:
        raise NothingToTrain("the text to learn a vocabulary from")
    learner.train_from_iterator(
        chain([first], rest),
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=[end, padding],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    vocabulary, merges = _pieces(learner)
    return GPT2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token=end,
        bos_token=end,
        unk_token=end,
        pad_token=padding,
        model_max_length=length,
    )


def _pieces(learner: Any) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    return model["vocab"], merges


def _words(texts: Iterable[str]) -> Counter[str]:
    """How often each word was seen.

    Raises:
        NothingToTrain: there is none.
    """
    words = Counter(word for text in texts for word in text.split())
    if not words:
        raise NothingToTrain("the text to learn a vocabulary from")
    return words


def _repeated(words: Mapping[str, int]) -> Iterator[str]:
    """Each word as often as it was seen, in alphabetical order: the trainers count again, in a fixed order."""
    return chain.from_iterable(repeat(word, words[word]) for word in sorted(words))


def _characters(words: Mapping[str, int], limit: int) -> list[str]:
    """The most frequent characters, ties in code point order; sorted."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    counts.pop(" ", None)  # the normalizer sets spaces around signs that are words of their own
    return sorted(sorted(counts, key=lambda character: (-counts[character], character))[:limit])


def word_pieces(texts: Iterable[str], size: int, length: int) -> Any:
    """WordPiece in lower case, as BERT's, with `token_type_ids`.

    The trainer numbers inner characters ("##a") in the order of a hash table and breaks ties by number: they are
    given to it as special tokens, in order.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    normalizer = normalizers.BertNormalizer(lowercase=True)
    plain: Counter[str] = Counter()
    for word, count in _words(texts).items():
        plain[normalizer.normalize_str(word)] += count
    characters = _characters(plain, min(ALPHABET, max(1, (size - len(SPECIAL["bert"])) // 2)))
    inner = [f"##{character}" for character in characters]
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    learner.train_from_iterator(
        _repeated(plain),
        trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=[*SPECIAL["bert"], *characters, *inner],
            limit_alphabet=len(characters),
            initial_alphabet=characters,
            show_progress=False,
        ),
    )
    vocabulary = dict(sorted(learner.get_vocab().items(), key=lambda item: item[1]))
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=length)


def unigram(texts: Iterable[str], size: int, length: int) -> Any:
    """A unigram model, as T5's: byte-pair merges give the pieces, hard EM their scores.

    Two rounds count the pieces in each word's best segmentation. Not the library's own trainer: its result depends on
    the order of a hash table and differs between runs.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import T5Tokenizer

    marked = {f"▁{word}": count for word, count in _words(texts).items()}
    characters = _characters(marked, min(ALPHABET, max(1, size - len(SPECIAL["t5"]))))
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(
        _repeated(marked),
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=list(SPECIAL["t5"]),
            limit_alphabet=len(characters),
            initial_alphabet=characters,
            show_progress=False,
        ),
    )
    pieces = [piece for piece, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    ordered = sorted(marked)
    counts = _counted(learner, ordered, marked)
    for _ in range(2):
        counts = _counted(_scored(pieces, counts), ordered, marked)
    return T5Tokenizer(vocab=_scores(pieces, counts), extra_ids=0, model_max_length=length)


def _counted(learner: Any, ordered: Sequence[str], words: Mapping[str, int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for word, encoded in zip(ordered, learner.encode_batch(list(ordered), add_special_tokens=False), strict=True):
        for piece in encoded.tokens:
            counts[piece] += words[word]
    return counts


def _scored(pieces: Sequence[str], counts: Mapping[str, int]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.Unigram(_scores(pieces, counts), unk_id=2, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def _scores(pieces: Sequence[str], counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Log probabilities; a piece that no word uses counts as half a sight, a special token has score 0."""
    total = sum(counts.values()) + 0.5 * len(pieces)
    special = SPECIAL["t5"]
    return [(p, 0.0 if p in special else math.log((counts.get(p, 0) + 0.5) / total)) for p in pieces]
