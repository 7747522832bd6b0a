"""Training with spaCy: files in the run's folder, the user's words and labels, real scores, the best weights."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_tasks
import tiny
import tunesmith
from small_tasks import TEXT, TOKENS
from tunesmith import Run
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    RowError,
    TrainingFailed,
    UnknownName,
    UnknownSetting,
    UnsupportedTask,
)
from tunesmith.registry import frameworks

spacy = pytest.importorskip("spacy")

Events = list[tuple[str, Mapping[str, Any]]]
SPANS = [
    {"text": "Maria lives in Berlin.", "spans": [{"label": "PER", "start": 0, "end": 5}]},
    {"text": "In Lima we met Omar.", "spans": [{"label": "PER", "start": 15, "end": 19}]},
    {"text": "Nobody was there.", "spans": []},
]


def train(rows: Any, task: str = TEXT, *, events: Events | None = None, **settings: Any) -> Run:
    def listen(kind: str, values: Mapping[str, Any]) -> None:
        if events is not None:
            events.append((kind, values))

    return tunesmith.train(rows, task=task, framework="spacy", listener=listen, **{"max_steps": 2, **settings})


def of_kind(events: Events, kind: str) -> list[Mapping[str, Any]]:
    return [values for name, values in events if name == kind]


def notes(events: Events) -> str:
    return "\n".join(str(values["text"]) for values in of_kind(events, "note"))


def rows(task: str, count: int = 24) -> list[Any]:
    return small_tasks.DATA[task]()[0][:count]


@pytest.fixture(scope="module")
def entities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Events]:
    """A run of entities that learned from few rows, with validation, and its events."""
    made, held = small_tasks.tagged()
    events: Events = []
    folder = tmp_path_factory.mktemp("entities")
    settings = {"max_steps": 28, "eval_frequency": 4, "output_dir": folder, "seed": 3}
    return train(made, TOKENS, events=events, validation=held, **settings), events


def test_every_file_is_in_the_folder_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, folder = tmp_path / "here", tmp_path / "run"
    here.mkdir()
    monkeypatch.chdir(here)
    train(rows(TEXT), validation=rows(TEXT), output_dir=folder)
    assert list(here.iterdir()) == []
    assert not list(folder.rglob("*.spacy"))
    assert {"config.cfg", "meta.json", "tokenizer", "vocab", "textcat", "tunesmith.json"} <= {
        path.name for path in folder.iterdir()
    }


def test_spacy_alone_opens_the_folder_and_finds_the_same(entities: tuple[Run, Events]) -> None:
    run, _ = entities
    nlp = spacy.load(run.folder.path)
    texts = ["Yesterday Omar Haddad flew to Lima .", "Anna Weber lives in New York ."]
    for text, found in zip(texts, run.predict(texts), strict=True):
        assert [(entity.label_, entity.start_char, entity.end_char) for entity in nlp(text).ents] == [
            (span.label, span.start, span.end) for span in found.spans or ()
        ]


def test_the_language_is_that_of_the_saved_pipeline(tmp_path: Path) -> None:
    run = train(rows(TEXT), lang="de", output_dir=tmp_path)
    nlp = spacy.load(tmp_path)
    assert (nlp.lang, nlp.config["nlp"]["lang"], run.model.lang) == ("de", "de", "de")
    assert [token.text for token in nlp.make_doc("Das ist z.B. gut.")][2] == "z.B."


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"dropot": 0.2}, "dropout"),
        ({"optimizer": {"learnrate": 0.1}}, "optimizer.learn_rate"),
        ({"batcher": {"size": {"stp": 9}}}, "batcher.size.stop"),
        ({"score_weights": {"cats_macroo_f": 1.0}}, "score_weights.cats_macro_f"),
    ],
)
def test_an_unknown_key_of_any_depth_is_refused_before_data_is_read(given: Any, nearest: str) -> None:
    with pytest.raises(UnknownSetting, match=f"Did you mean '{nearest}'"):
        train("no-such.csv", **given)


def test_every_key_of_the_training_block_can_be_set() -> None:
    block = set(spacy.util.load_config(spacy.language.DEFAULT_CONFIG_PATH)["training"])
    assert block - {"seed"} <= set(frameworks.get("spacy").arguments)


@pytest.mark.parametrize("name", list(frameworks.get("spacy").arguments))
def test_defaults_are_those_of_the_library(name: str) -> None:
    argument = frameworks.get("spacy").arguments[name]
    block = spacy.util.load_config(spacy.language.DEFAULT_CONFIG_PATH)["training"]
    if argument.type != "object" and name in block and name != "gpu_allocator":
        assert argument.default == block[name]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"optimizer": {"@optimizers": "Nope.v1"}}, "'optimizer' is .* Could not find function 'Nope.v1'"),
        ({"optimizer": {"learn_rate": "x"}}, "'optimizer' is .* Invalid schedule for 'learn_rate'"),
        ({"logger": {"progress_bar": "x"}}, "'logger.progress_bar' is 'x'"),
        ({"max_steps": 0, "patience": 0}, "expected an end of training"),
        ({"dropout": 1.5}, "'dropout' is 1.5: expected a number from 0 to 1"),
        ({"lang": "nolang"}, "'lang' is 'nolang'"),
        ({"freeze_tok2vec": True}, "'freeze_tok2vec' is True: expected false where there is no base"),
        ({"base": ("model", "tokenizer")}, "spaCy takes no live models"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_before_data_is_read(given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        train("no-such.csv", **given)


@pytest.mark.parametrize("base", ["en_core_web_sm", "no/such/folder/anywhere"])
def test_a_base_that_is_not_there_is_refused_before_data_is_read(base: str) -> None:
    with pytest.raises(ArtifactError, match=base):
        train("no-such.csv", base=base)


def test_a_component_that_the_pipeline_lacks_is_refused() -> None:
    with pytest.raises(UnknownName, match="component of this pipeline 'tagger'"):
        train("no-such.csv", frozen_components=["tagger"])


def test_predictions_of_a_list_are_a_list_with_a_score_for_each_entity(entities: tuple[Run, Events]) -> None:
    run, _ = entities
    found = run.predict([row["tokens"] for row in small_tasks.tagged()[1]])
    scores = [span.score for each in found for span in each.spans or ()]
    assert isinstance(found, list)
    assert all(0 < score <= 1 for score in scores)
    assert min(scores) < 0.999  # a beam's sums are 1 nearly everywhere


def test_the_score_of_an_entity_is_the_probability_of_its_steps(entities: tuple[Run, Events]) -> None:
    """Worked by hand: the softmax of what the parser's model says in each state, multiplied over the words."""
    run, _ = entities
    words = ["Maria", "Lopez", "lives", "in", "Lima", "."]
    ner, doc = run.model.get_pipe("ner"), next(iter(run.model.pipe([spacy.tokens.Doc(run.model.vocab, words=words)])))
    names = [ner.moves.get_class_name(place) for place in range(ner.moves.n_moves)]
    chances, states, model = [], ner.moves.init_batch([doc]), ner.model.predict([doc])
    for _ in words:
        logits = model.predict(states)
        found = logits[0].astype(np.float64)
        chances.append(dict(zip(names, np.exp(found - np.logaddexp.reduce(found)), strict=True)))
        states = ner.transition_states(states, logits)
    spans = run.predict([words])[0].spans or ()
    maria = next(span for span in spans if (span.start, span.end) == (0, 11))
    assert maria.score == pytest.approx(chances[0]["B-PER"] * chances[1]["L-PER"], abs=1e-6)
    assert maria.score < 0.9999


def test_the_best_weights_by_the_validation_rows_are_kept(entities: tuple[Run, Events]) -> None:
    run, events = entities
    scores = [values["metrics"]["ents_f"] for values in of_kind(events, "evaluate") if "step" in values]
    assert len(scores) == 8
    assert run.metrics["validation"]["f1"] == pytest.approx(max(scores))
    assert spacy.load(run.folder.path).meta["performance"]["ents_f"] == pytest.approx(max(scores))


def test_the_last_weights_are_scored_where_training_ends_before_their_turn() -> None:
    """`spacy train` would keep those of its first step."""
    made: list[Any] = rows(TEXT)
    events: Events = []
    run = train(made, validation=made, events=events, max_epochs=15, max_steps=0)
    told = [values for values in of_kind(events, "evaluate") if "step" in values]
    assert told[0]["step"] == 1
    assert told[-1]["step"] == of_kind(events, "train")[-1]["step"]
    assert told[-1]["metrics"]["cats_score"] > told[0]["metrics"]["cats_score"]
    assert run.metrics["validation"]["accuracy"] > 0.9


@pytest.mark.parametrize("steps", [20000, 0])
def test_without_validation_rows_an_end_is_chosen_and_told_and_training_rows_are_not_scored(steps: int) -> None:
    events: Events = []
    run = train(rows(TEXT), events=events, max_steps=steps)
    assert "max_epochs is 20: there are no validation rows to tell when to stop" in notes(events)
    assert run.framework_model.chosen == {"max_epochs": 20}
    assert of_kind(events, "train")[-1]["epoch"] == 19
    assert of_kind(events, "evaluate") == []
    assert run.metrics == {}


@pytest.mark.parametrize("task", [TEXT, TOKENS])
def test_equal_settings_give_the_weights_of_spacy_train(task: str, tmp_path: Path) -> None:
    from spacy.cli.init_config import init_config
    from spacy.cli.train import train as spacy_train
    from spacy.tokens import Doc, DocBin

    blank, made = spacy.blank("en"), rows(task)
    component = "textcat" if task == TEXT else "ner"
    for name, part in (("train", made[:16]), ("dev", made[16:])):
        docs = []
        for row in part:
            if task == TEXT:
                docs.append(blank.make_doc(row["text"]))
                docs[-1].cats = {label: float(label == row["label"]) for label in ("ham", "spam")}
            else:
                docs.append(Doc(blank.vocab, words=row["tokens"], ents=row["tags"]))
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    init_config(lang="en", pipeline=[component]).to_disk(tmp_path / "config.cfg")
    settings = {"max_steps": 6, "eval_frequency": 3}  # its last step is evaluated, by `spacy train` too
    paths = {f"paths.{name}": str(tmp_path / f"{name}.spacy") for name in ("train", "dev")}
    told = {f"training.{name}": value for name, value in settings.items()}
    spacy_train(tmp_path / "config.cfg", tmp_path / "theirs", overrides={**paths, **told, "system.seed": 9})
    train(made[:16], task, validation=made[16:], seed=9, output_dir=tmp_path / "ours", **settings)
    theirs = tmp_path / "theirs" / "model-best" / component / "model"
    assert (tmp_path / "ours" / component / "model").read_bytes() == theirs.read_bytes()


def test_progress_is_told_in_steps_with_a_loss() -> None:
    events: Events = []
    run = train(rows(TEXT), events=events, max_steps=9, eval_frequency=20)
    told = of_kind(events, "train")
    assert [values["step"] for values in told] == [1, 2, 4, 6, 8, 10]
    assert all(values["total"] == 10 and values["loss"] > 0 for values in told)
    assert [entry["loss"] for entry in run.history] == [values["loss"] for values in told]


def test_words_of_the_user_stay_words() -> None:
    tokens = ["don't", "stop", "New York", "U.S.-based", "!"]
    data = [{"tokens": tokens, "tags": ["O", "O", "B-LOC", "O", "O"]}] * 6
    run = train(data[:2], TOKENS, max_steps=25)
    (found,) = run.predict([tokens])
    assert found.tags == ("O", "O", "B-LOC", "O", "O")
    assert [" ".join(tokens)[span.start : span.end] for span in found.spans or ()] == ["New York"]


def test_tags_without_prefixes_are_given_back_without() -> None:
    data = [{"tokens": ["Bo", "met", "Al"], "tags": ["PER", "O", "PER"]}] * 6
    assert train(data[:2], TOKENS, max_steps=25).predict([["Bo", "met", "Al"]])[0].tags == ("PER", "O", "PER")


def test_parts_of_speech_are_learned_by_a_tagger(tmp_path: Path) -> None:
    data = [{"tokens": ["dogs", "run", "fast"], "tags": ["NOUN", "VERB", "ADV"]}] * 8
    run = train(data[:2], TOKENS, max_steps=20, output_dir=tmp_path)
    assert run.model.pipe_names == ["tok2vec", "tagger"]
    (found,) = tunesmith.load(tmp_path).predict([["dogs", "run", "fast"]])
    assert found.tags == ("NOUN", "VERB", "ADV")
    assert [(span.label, span.start, span.end) for span in found.spans or ()] == [
        ("NOUN", 0, 4),
        ("VERB", 5, 8),
        ("ADV", 9, 13),
    ]
    assert all(0.4 < span.score < 1 for span in found.spans or ())


def test_labels_of_texts_with_several_have_each_a_score_of_its_own() -> None:
    made, held = small_tasks.several()
    run = train(made, test=held, max_steps=150)
    assert run.model.pipe_names == ["textcat_multilabel"]
    found = run.predict([row["text"] for row in held])
    assert all(list(each.scores or ()) == ["figures", "question", "spam"] for each in found)
    assert all(each.labels == tuple(n for n, s in (each.scores or {}).items() if s >= 0.5) for each in found)
    assert run.metrics["test"]["micro_f1" if "micro_f1" in run.metrics["test"] else "f1"] > 0.7


def test_entities_that_cut_a_word_are_counted_and_the_others_learned() -> None:
    cut = {"text": "Omar met Lopezian.", "spans": [{"label": "PER", "start": 9, "end": 14}]}
    events: Events = []
    train([*SPANS, cut], TOKENS, events=events)
    assert "1 entities in 1 texts begin or end inside a word as the tokenizer of 'en' makes them" in notes(events)


def test_spans_are_characters_of_the_text_as_it_was_given() -> None:
    text = "  Maria  lives in Berlin."
    found = train(SPANS, TOKENS, max_steps=40).predict([text, ""])
    assert [text[span.start : span.end] for span in found[0].spans or ()] == ["Maria"]
    assert found[1].spans == ()


def test_rows_without_an_entity_are_nothing_to_learn() -> None:
    data = [{"tokens": ["a", "b"], "tags": ["O", "O"]}, {"tokens": ["c"], "tags": ["O"]}]
    from datasets import ClassLabel, Dataset, Features, List, Value

    names = ClassLabel(names=["O", "B-PER", "I-PER"])
    features = Features({"tokens": List(Value("string")), "tags": List(names)})
    with pytest.raises(DataError, match="no training row has an entity"):
        train(Dataset.from_list(data, features=features), TOKENS)


def test_an_empty_text_does_not_depend_on_its_neighbours() -> None:
    run = train(rows(TEXT))
    assert run.predict([""])[0].scores == run.predict(["", "a text"])[0].scores


def test_a_text_longer_than_spacy_reads_is_an_error_of_its_row() -> None:
    run = train(rows(TEXT))
    with pytest.raises(RowError, match=r"row 1, column 'text': cannot be read by spaCy: .*E088"):
        run.predict(["short", "long " * 250_000])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([{"text": "a", "label": 0.5}, {"text": "b", "label": 1.5}], "the labels are of the kind 'regression'"),
        ([{"text": "a", "pair": "b", "label": "x"}, {"text": "c", "pair": "d", "label": "y"}], "pairs of texts"),
    ],
)
def test_labels_and_rows_that_spacy_cannot_learn_are_refused(data: Any, why: str) -> None:
    with pytest.raises(UnsupportedTask, match=why):
        train(data)


def test_a_pipeline_is_a_base_and_its_component_goes_on(entities: tuple[Run, Events]) -> None:
    run, _ = entities
    events: Events = []
    still = {"optimizer": {"learn_rate": 0.0}}  # what is learned is seen in the test of frozen components
    more = train(rows(TOKENS), TOKENS, events=events, base=str(run.folder.path), **still)
    assert "the ner of" in notes(events)
    assert "it is trained on" in notes(events)
    asked = [row["tokens"] for row in small_tasks.tagged()[1]]
    assert more.predict(asked) == run.predict(asked)


def test_what_a_base_knows_of_words_stays_where_it_is_frozen(entities: tuple[Run, Events], tmp_path: Path) -> None:
    run, _ = entities
    weights: dict[bool, bytes] = {}
    for frozen in (True, False):
        made = train(rows(TEXT), base=str(run.folder.path), freeze_tok2vec=frozen, output_dir=tmp_path / str(frozen))
        assert made.model.pipe_names == ["tok2vec", "textcat"]
        weights[frozen] = made.model.get_pipe("tok2vec").model.to_bytes()
    base = run.model.get_pipe("tok2vec").model.to_bytes()
    assert weights[True] == base
    assert weights[False] != base


def test_the_language_of_a_base_is_not_changed(entities: tuple[Run, Events]) -> None:
    with pytest.raises(ConfigError, match="'lang' is 'de': expected 'en', the language of the base"):
        train("no-such.csv", TOKENS, base=str(entities[0].folder.path), lang="de")


def encoder(folder: Path) -> str:
    return tiny.bert(folder, [" ".join(row["tokens"]) for row in small_tasks.tagged()[0]])


def test_an_encoder_is_a_base(tmp_path: Path) -> None:
    pytest.importorskip("spacy_curated_transformers")
    base = encoder(tmp_path / "bert")
    made, held = small_tasks.tagged()
    settings = {"optimizer": {"learn_rate": 3e-3}, "batcher": {"size": 300}, "accumulate_gradient": 1}
    run = train(made, TOKENS, base=base, max_steps=39, eval_frequency=100, output_dir=tmp_path / "run", **settings)
    assert run.model.pipe_names == ["transformer", "ner"]
    assert run.history[-1]["loss"] < 0.6 * run.history[1]["loss"]
    asked = [row["tokens"] for row in held[:4]]
    assert tunesmith.load(tmp_path / "run").predict(asked) == run.predict(asked)
    assert spacy.load(tmp_path / "run").pipe_names == ["transformer", "ner"]


def roberta(folder: Path) -> str:
    """With the files of word pieces that published models have."""
    import json

    import transformers

    words = json.loads(tiny.byte_tokenizer(special=("<s>", "<pad>", "</s>", "<unk>", "<mask>")).to_str())["model"]
    merges = [tuple(pair) for pair in words["merges"]]
    tokenizer = transformers.RobertaTokenizer(vocab=words["vocab"], merges=merges, model_max_length=64)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **sizes
    )
    transformers.RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(words["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, merges)))
    return str(folder)


def test_an_encoder_with_pieces_of_bytes_is_read_from_its_files(tmp_path: Path) -> None:
    pytest.importorskip("spacy_curated_transformers")
    base = roberta(tmp_path / "roberta")
    run = train(rows(TEXT), base=base, output_dir=tmp_path / "run")
    Path(base, "merges.txt").unlink()  # the saved model has its own
    assert tunesmith.load(tmp_path / "run").predict(["a text"]) == run.predict(["a text"])
    with pytest.raises(ConfigError, match=r"expected an encoder with its file merges\.txt, as it is published"):
        train("no-such.csv", base=base)


def test_an_encoder_of_another_type_is_refused_before_data_is_read(tmp_path: Path) -> None:
    pytest.importorskip("spacy_curated_transformers")
    with pytest.raises(ConfigError, match=r"of a type that spaCy reads \(bert, roberta, .*; it is 'gpt2'"):
        train("no-such.csv", base=tiny.gpt2(tmp_path / "gpt2"))


def test_a_run_that_is_interrupted_leaves_no_model(tmp_path: Path) -> None:
    def stop(kind: str, values: Mapping[str, Any]) -> None:
        if kind == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tunesmith.train(rows(TEXT), framework="spacy", output_dir=tmp_path, listener=stop)
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "events.jsonl"}


@spacy.registry.callbacks("tunesmith-tests.failing.v1")
def failing() -> Any:
    def fail(nlp: Any, values: Any) -> None:
        raise ValueError("[E000] as spaCy says it")

    return fail


@spacy.registry.callbacks("tunesmith-tests.named.v1")
def naming(name: str) -> Any:
    def rename(nlp: Any) -> Any:
        nlp.meta["name"] = name
        return nlp

    return rename


def test_errors_of_spacy_are_ours_with_their_cause(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"spaCy stopped: \[E000\]") as caught:
        train(rows(TEXT), before_update={"@callbacks": "tunesmith-tests.failing.v1"}, output_dir=tmp_path)
    assert isinstance(caught.value.__cause__, ValueError)
    assert not (tmp_path / "config.cfg").exists()


def test_callbacks_and_a_logger_of_the_user_are_called(tmp_path: Path, capsys: Any) -> None:
    told = {"@callbacks": "tunesmith-tests.named.v1", "name": "mine"}
    train(rows(TEXT), validation=rows(TEXT), output_dir=tmp_path, before_to_disk=told)
    assert capsys.readouterr().out == ""
    assert spacy.load(tmp_path).meta["name"] == "mine"
    train(rows(TEXT), validation=rows(TEXT), logger={"@loggers": "spacy.ConsoleLogger.v1"})
    assert "CATS_SCORE" in capsys.readouterr().out


def test_settings_take_effect_and_stand_in_the_saved_config(tmp_path: Path) -> None:
    settings = {"dropout": 0.3, "eval_frequency": 7, "batch_size": 5, "seed": 0, "gpu_allocator": "pytorch"}
    train(rows(TEXT), output_dir=tmp_path, optimizer={"learn_rate": 0.5}, **settings)
    config = spacy.load(tmp_path).config.interpolate()
    block = config["training"]
    assert (block["dropout"], block["eval_frequency"], block["max_steps"], block["seed"]) == (0.3, 7, 2, 0)
    assert (block["gpu_allocator"], block["train_corpus"]) == ("pytorch", "corpora.train")
    assert (block["optimizer"]["learn_rate"], block["optimizer"]["@optimizers"]) == (0.5, "Adam.v1")
    assert (config["nlp"]["batch_size"], config["system"]["seed"]) == (5, 0)


def test_training_leaves_the_callers_random_numbers_alone() -> None:
    import torch

    def state() -> Sequence[Any]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    random.seed(5)
    before = state()
    first = train(rows(TEXT), TEXT, seed=1)
    assert state() == before
    asked = [row["text"] for row in rows(TEXT)]
    assert first.predict(asked) != train(rows(TEXT), seed=2, dropout=0.5).predict(asked)


def test_the_module_of_the_framework_imports_no_library() -> None:
    assert frameworks.get("spacy").why_not(TOKENS) is None
    assert frameworks.get("spacy-transformers").why_not(TOKENS) is None
