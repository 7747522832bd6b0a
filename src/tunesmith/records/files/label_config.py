"""The labelling set-up of a Label Studio project, which some exports carry with a task: the labels of each control."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

_PARTS = {"Choices": "Choice", "Labels": "Label", "HyperTextLabels": "Label"}


def labels_of(row: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Control -> its labels in order: of the `label_config` of a task, or of the project in it."""
    project = row.get("project")
    told = row.get("label_config") or (project.get("label_config") if isinstance(project, Mapping) else None)
    return _read(told) if isinstance(told, str) else {}


@lru_cache(maxsize=8)
def _read(config: str) -> Mapping[str, tuple[str, ...]]:
    """Nothing of what is no XML, or declares entities: an order is a help, its lack no error."""
    if "<!" in config.replace("<!--", ""):
        return {}
    try:
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError:
        return {}
    controls = [each for each in root.iter() if each.tag in _PARTS and each.get("name")]
    return {str(each.get("name")): tuple(_names(each)) for each in controls}


def _names(control: ElementTree.Element) -> list[str]:
    parts = (part.get("alias") or part.get("value") for part in control.iter(_PARTS[control.tag]))
    return [name for name in parts if name]
