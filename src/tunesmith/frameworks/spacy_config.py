"""The config of a pipeline with one component to train: the quickstart's, on a blank, a pipeline or an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UnknownName
from .spacy_arguments import training_block
from .spacy_base import CURATED, ENCODERS, Start

TEXTCAT, SEVERAL, ENTITIES, TAGGER = "textcat", "textcat_multilabel", "ner", "tagger"
_VECTORS = {"tok2vec", "transformer", "curated_transformer"}  # factories of what knows words
_WARM: Mapping[str, Any] = {  # the quickstart's for a transformer
    "accumulate_gradient": 3,
    "optimizer": {
        "@optimizers": "Adam.v1",
        "learn_rate": {
            "@schedules": "warmup_linear.v1",
            "warmup_steps": 250,
            "total_steps": 20000,
            "initial_rate": 5e-5,
        },
    },
    "batcher": {
        "@batchers": "spacy.batch_by_padded.v1",
        "discard_oversize": False,  # True would leave texts out
        "size": 2000,
        "buffer": 256,
        "get_length": None,
    },
}


def config_of(
    component: str, start: Start, settings: Mapping[str, Any], labels: Sequence[str], seed: int
) -> tuple[Any, list[str]]:
    """(the config, notes on what was chosen).

    settings: the arguments that the user named. labels: as the component names them; only read where a base has one.

    Raises:
        UnknownSetting, ConfigError: see `training_block`, and components that the base does not have.
    """
    from spacy.cli.init_config import init_config

    based = start.encoder is not None or start.source is not None
    optimize = "accuracy" if based else settings.get("optimize", "efficiency")  # the one with a place for a base
    config = init_config(lang=start.lang, pipeline=[component], optimize=optimize)
    notes: list[str] = []
    if based:
        _without_vectors(config)
    if start.encoder is not None:
        _on_encoder(config, component, start.encoder, start.pieces)
    elif start.source is not None:
        notes += _on_pipeline(config, component, start, labels)
    elif config["paths"]["vectors"] is not None:
        notes += _installed_vectors(config)
    config["system"]["seed"] = seed
    config["nlp"]["batch_size"] = settings.get("batch_size", 128 if start.encoder is not None else 1000)
    defaults = config.interpolate()["training"]
    if start.encoder is not None:
        defaults = {**defaults, **_WARM, "optimizer": {**defaults["optimizer"], **_WARM["optimizer"]}}
    frozen = _frozen(config, settings)
    given = {**settings, **frozen} if frozen else settings
    config["training"] = training_block(given, {**defaults, "seed": seed}, defaults["score_weights"])
    return config, notes


def _without_vectors(config: Any) -> None:
    config["paths"]["vectors"] = None
    if "tok2vec" in config["components"]:
        config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"] = False


def _installed_vectors(config: Any) -> list[str]:
    """Word vectors that the quickstart asks for and nobody installed are left out, which is told."""
    import spacy

    name = config["paths"]["vectors"]
    if spacy.util.is_package(name):
        return []
    _without_vectors(config)
    return [f"the word vectors of {name} are not installed: the pipeline is made without (python -m spacy download)"]


def _on_encoder(config: Any, component: str, base: Any, pieces: Mapping[str, Any]) -> None:
    """Put an encoder, read by spacy-curated-transformers, in the place of tok2vec."""
    hf, kind = base.config, ENCODERS[base.config.model_type]
    longest = min(base.tokenizer.model_max_length, hf.max_position_embeddings)
    sizes = {
        "attention_probs_dropout_prob": hf.attention_probs_dropout_prob,
        "hidden_act": hf.hidden_act,
        "hidden_dropout_prob": hf.hidden_dropout_prob,
        "hidden_width": hf.hidden_size,
        "intermediate_width": hf.intermediate_size,
        "layer_norm_eps": hf.layer_norm_eps,
        "max_position_embeddings": hf.max_position_embeddings,
        "model_max_length": longest,
        "num_attention_heads": hf.num_attention_heads,
        "num_hidden_layers": hf.num_hidden_layers,
        "padding_idx": hf.pad_token_id,
        "type_vocab_size": hf.type_vocab_size,
        "vocab_size": hf.vocab_size,
    }
    if hf.model_type == "albert":
        sizes |= {"embedding_width": hf.embedding_size, "num_hidden_groups": hf.num_hidden_groups}
    window = min(128, longest // 2)  # spaCy's own, but for tiny models: pieces, of which words have several
    block = {
        "@architectures": f"{CURATED}.{kind.model}.v1",
        **sizes,
        "piece_encoder": {"@architectures": f"{CURATED}.{kind.pieces}.v1"},
        "with_spans": {
            "@architectures": f"{CURATED}.WithStridedSpans.v1",
            "window": window,
            "stride": 3 * window // 4,
        },
    }
    del config["components"]["tok2vec"]
    config["components"]["transformer"] = {"factory": "curated_transformer", "model": block}
    _listen(config, component, "transformer", _listener(hf.hidden_size))
    config["initialize"]["components"]["transformer"] = {
        "encoder_loader": {
            "@model_loaders": f"{CURATED}.HFTransformerEncoderLoader.v1",
            "name": base.path,
            "revision": base.options.get("revision", "main"),
        },
        "piecer_loader": dict(pieces),
    }


def _listener(width: int) -> dict[str, Any]:
    return {
        "@architectures": f"{CURATED}.LastTransformerLayerListener.v1",
        "width": width,
        "pooling": {"@layers": "reduce_mean.v1"},
        "upstream": "*",
    }


def _listen(config: Any, component: str, upstream: str, listener: Mapping[str, Any]) -> None:
    config["nlp"]["pipeline"] = [upstream, component]
    model = config["components"][component]["model"]
    model["tok2vec"] = dict(listener)
    if component == ENTITIES and upstream != "tok2vec":
        model["use_upper"] = False  # as the quickstart has it above a transformer


def _on_pipeline(config: Any, component: str, start: Start, labels: Sequence[str]) -> list[str]:
    """Take from a pipeline its component of these labels, or what knows its words, and always its vocabulary."""
    source, name = start.pipeline, start.source
    factories = {pipe: source.get_pipe_meta(pipe).factory for pipe in source.component_names}
    upstream = next((pipe for pipe, factory in factories.items() if factory in _VECTORS), None)
    same = next((pipe for pipe, factory in factories.items() if factory == component), None)
    config["nlp"]["tokenizer"] = source.config["nlp"]["tokenizer"]
    copied = {"@callbacks": "spacy.copy_from_base_model.v1", "tokenizer": name, "vocab": name}
    config["initialize"]["before_init"] = copied
    taken = {"source": name}
    del config["components"]["tok2vec"]
    if same is not None and set(source.get_pipe(same).labels) == set(labels):
        config["components"][component] = {**taken, "component": same}
        config["nlp"]["pipeline"] = [component]
        if upstream is not None and same in getattr(source.get_pipe(upstream), "listening_components", ()):
            config["components"][upstream] = taken
            config["nlp"]["pipeline"] = [upstream, component]
        return [f"the {same} of {name} has these labels: it is trained on"]
    if upstream is None:
        return _on_vectors(config, component, start)
    config["components"][upstream] = taken
    width = source.get_pipe(upstream).model.get_dim("nO")
    own = {"@architectures": "spacy.Tok2VecListener.v1", "width": width, "upstream": "*"}
    _listen(config, component, upstream, own if factories[upstream] == "tok2vec" else _listener(width))
    return [f"a new {component} is trained on the {upstream} of {name}"]


def _on_vectors(config: Any, component: str, start: Start) -> list[str]:
    """A new pipeline with the vocabulary of a base that has nothing else to give."""
    from spacy.cli.init_config import init_config

    fresh = init_config(lang=start.lang, pipeline=[component], optimize="efficiency")
    config["components"], config["nlp"]["pipeline"] = fresh["components"], fresh["nlp"]["pipeline"]
    has_vectors = start.pipeline.vocab.vectors_length > 0
    if "tok2vec" in fresh["components"]:
        config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"] = has_vectors
    told = "its word vectors" if has_vectors else "its tokenizer and its words"
    return [f"{start.source} has no component to start from: a new pipeline is made with {told}"]


def _frozen(config: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The components that stay as they are; those others listen to annotate, as spaCy asks it of a frozen one."""
    pipeline = config["nlp"]["pipeline"]
    frozen, annotating = (list(settings.get(f"{which}_components", ())) for which in ("frozen", "annotating"))
    if settings.get("freeze_tok2vec"):
        frozen += [name for name in pipeline[:-1] if name not in frozen]
    for name in (*frozen, *annotating):
        if name not in pipeline:
            raise UnknownName("component of this pipeline", name, pipeline)
    annotating += [name for name in frozen if name not in annotating and name != pipeline[-1]]
    return {"frozen_components": frozen, "annotating_components": annotating} if frozen or annotating else {}
