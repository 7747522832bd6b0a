"""The shape of the house, held by reading the source: import order, who may import torch, sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tunesmith.registry import frameworks

SOURCE = Path(__file__).parents[1] / "src" / "tunesmith"

# A part may import those before it, never those after it.
ORDER = (
    "errors registry samples values training_arguments declaring run_file config hooks folder model_file metrics data "
    "tasks training frameworks "
    "records audit evaluation publishing run api choosing improving scaling pipeline "
    "argilla_keys argilla_settings argilla_telling argilla_trainer argilla server cli demo __main__"
).split()

MODELS = set(
    "torch transformers accelerate peft bitsandbytes safetensors tokenizers sentencepiece setfit spacy span_marker "
    "sentence_transformers trl openai autotrain sparknlp pyspark ray onnx onnxruntime".split()
)
"""Frameworks and what belongs to them: only where models are trained, run or published."""
MODEL_FOLDERS = set("training frameworks audit evaluation publishing scaling".split())

TABLES = set("datasets pandas polars pyarrow".split())
"""Slow to import: inside functions, in `data/` and where models are."""
SLOW = MODELS | TABLES | set("sklearn scipy seqeval sacrebleu rouge_score huggingface_hub".split())

MODULE_LINES, FUNCTION_LINES, POSITIONAL = 300, 45, 6
DROP_INS = {"pipeline.py", "argilla.py", "argilla_trainer.py"}  # they keep their peers' signatures


@dataclass(frozen=True)
class Import:
    """One imported module: absolute dotted name, where, and whether inside a function."""

    path: Path
    line: int
    module: str
    inside: bool

    @property
    def part(self) -> str:
        """The part of the package that imports: 'data', 'errors', 'cli' …; '' for the package root."""
        return part_of(self.path)

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def at(self) -> str:
        return f"{self.path.relative_to(SOURCE.parent)}:{self.line}"


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@cache
def sources() -> tuple[Path, ...]:
    return tuple(sorted(SOURCE.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_module(dotted: str) -> bool:
    place = SOURCE.parent.joinpath(*dotted.split("."))
    return place.with_suffix(".py").exists() or place.is_dir()


def names_of(node: ast.Import | ast.ImportFrom, path: Path) -> Iterator[str]:
    """What one statement imports, relative names resolved; `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = path.relative_to(SOURCE.parent).parent.parts
        parents = package[: len(package) - node.level + 1]
        base = ".".join((*parents, *base.split("."))) if base else ".".join(parents)
    for alias in node.names:
        joined = f"{base}.{alias.name}"
        yield joined if base.startswith("tunesmith") and is_module(joined) else base


def walk(node: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs only when called or when a type checker reads it."""
    for child in ast.iter_child_nodes(node):
        checker = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        deeper = inside or checker or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, deeper
        yield from walk(child, deeper)


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        Import(path, node.lineno, name, inside)
        for path in sources()
        for node, inside in walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in dict.fromkeys(names_of(node, path))
    )


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def where(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(SOURCE.parent)}:{line}"


def none_of(faults: list[str], rule: str) -> None:
    assert not faults, f"{rule}\n  " + "\n  ".join(faults)


def test_every_part_has_its_place_in_the_order() -> None:
    unknown = {where(path) for path in sources() if part_of(path) not in ("", *ORDER)}
    none_of(sorted(unknown), "a part of the package that the design does not name")


def test_imports_point_one_way() -> None:
    faults = []
    for found in imports():
        if found.top != "tunesmith" or not found.part:
            continue
        _, _, rest = found.module.partition(".")
        wanted = rest.partition(".")[0]
        if wanted in ORDER and ORDER.index(wanted) > ORDER.index(found.part):
            faults.append(f"{found.at()}: {found.part} imports {wanted}, which comes after it")
    none_of(faults, f"imports point one way: {' → '.join(ORDER)}")


def test_nobody_imports_from_the_package_root() -> None:
    faults = [f"{found.at()}: imports from the root" for found in imports() if found.module == "tunesmith"]
    none_of(faults, "import from the module that holds the name")


def test_importing_the_root_imports_nothing() -> None:
    own = [found for found in imports() if not found.part and not found.inside]
    faults = [
        f"{found.at()}: {found.module}" for found in own if found.top not in {"__future__", "importlib", "typing"}
    ]
    none_of(faults, "the public names are loaded on first use")


def test_models_and_their_libraries_stay_in_their_folders() -> None:
    faults = [
        f"{found.at()}: {found.part or 'the root'} imports {found.module}"
        for found in imports()
        if found.top in MODELS and found.part not in MODEL_FOLDERS
    ]
    none_of(faults, f"torch and the framework libraries are imported only in {', '.join(sorted(MODEL_FOLDERS))}")


def test_table_libraries_stay_in_data_and_model_folders() -> None:
    faults = [
        f"{found.at()}: {found.part or 'the root'} imports {found.module}"
        for found in imports()
        if found.top in TABLES and found.part not in MODEL_FOLDERS | {"data", "records"}
    ]
    none_of(faults, "tables are read in data/; everything after it sees examples")


def test_slow_imports_are_inside_functions() -> None:
    faults = [
        f"{found.at()}: {found.module} at module level"
        for found in imports()
        if found.top in SLOW and not found.inside and found.part not in MODEL_FOLDERS
        if (found.part, found.top) != ("data", "pyarrow")  # what a data set is made of, and quick to import
    ]
    none_of(faults, "importing these modules must stay cheap: import inside the function that needs it")


def family_of(module: str) -> str:
    """The framework that a module belongs to: `openai_jobs` is one of `openai`; all that is spaCy's is one family."""
    heads = sorted({target.partition(":")[0].rpartition(".")[2] for target in frameworks.members.values()})
    return next((head for head in heads if module == head or module.startswith(f"{head}_")), module)


def test_no_framework_imports_another() -> None:
    shared = {"base", "contract", "tables", "trained", "worker", "__init__"}
    faults = []
    for found in imports():
        own, wanted = found.path.stem, found.module.removeprefix("tunesmith.frameworks.").partition(".")[0]
        if found.part == "frameworks" and found.module.startswith("tunesmith.frameworks."):
            family = family_of(own) == family_of(wanted)
            if wanted not in shared and not family and not wanted.startswith("worker_"):
                faults.append(f"{found.at()}: {own} imports {wanted}")
    none_of(faults, "a framework stands alone")


def test_modules_are_short() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    faults = [f"{where(path)}: {lines} lines" for path, lines in sizes.items() if lines > MODULE_LINES]
    none_of(faults, f"a module has at most {MODULE_LINES} lines")


def test_functions_are_short() -> None:
    faults = []
    for path, node in functions():
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES and path.name not in DROP_INS:
            faults.append(f"{where(path, node.lineno)}: {node.name} has {lines} lines")
    none_of(faults, f"a function has about 40 lines, {FUNCTION_LINES} at most")


def test_signatures_are_short() -> None:
    faults = []
    for path, node in functions():
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in ("self", "cls")]
        if len(names) > POSITIONAL and path.name not in DROP_INS:
            faults.append(f"{where(path, node.lineno)}: {node.name} takes {len(names)} positional parameters")
    none_of(faults, f"at most {POSITIONAL} positional parameters; the rest is keyword-only after *")


@pytest.mark.parametrize("name", ["utils.py", "util.py", "helpers.py", "common.py", "misc.py"])
def test_no_module_is_a_drawer(name: str) -> None:
    none_of(
        [where(path) for path in sources() if path.name == name], "a file is a step of the flow; its name says which"
    )


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError"])
def test_nothing_is_left_for_later(word: str) -> None:
    faults = [
        where(path, number)
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if word in line
    ]
    none_of(faults, f"{word} in the source")


def test_nothing_is_pickled() -> None:
    faults = [
        f"{found.at()}: {found.module}" for found in imports() if found.top in {"pickle", "dill", "joblib", "shelve"}
    ]
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
                faults += [] if safe else [f"{where(path, node.lineno)}: torch.load without weights_only=True"]
    none_of(faults, "weights are safetensors, the rest is JSON or arrays")


def test_only_the_command_line_prints() -> None:
    faults = [
        where(path, node.lineno)
        for path in sources()
        if part_of(path) not in {"cli", "demo", "__main__"}
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write"}
    ]
    none_of(faults, "libraries log; only the command line prints")
