"""Which column plays which role: as the user says, as in training, or found by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ConfigError, DataError, UnknownName, nearest

Given = Mapping[str, str | None] | Sequence[str | None] | str | None
_SIGNS = {  # of a task: one name of each set
    "question-answering": ({"question"}, {"context"}),
    "token-classification": ({"tokens", "words"}, {"tags", "ner_tags"}),
}
_COUNTERS = {"id", "idx", "index", "uid", "guid", "unnamed: 0", "unnamed_0"}  # never guessed to be a label or a text


def resolve(
    columns_in_data: Sequence[str],
    *,
    roles: Sequence[str],
    optional: Sequence[str],
    hints: Mapping[str, Sequence[str]],
    given: Given,
    task: str,
) -> dict[str, str]:
    """The column of each role; optional roles that no column plays are left out.

    given: a mapping of roles to columns; a tuple in the order of `roles` (None: no column; where the middle of three
    roles is optional, two items are the first and the last); a string for the first role; None to infer. Roles that
    are left unsaid are inferred while a required one is among them: by the names in `hints`, in order, whatever
    their case; then, in a table of at most two columns, the one column left plays the one role left.

    Raises:
        UnknownName: a role that the task does not have. ConfigError: a tuple longer than the roles.
        DataError: a named column is not there, or a required role finds no column, or more than one.
    """
    columns = list(columns_in_data)
    said = by_role(given, roles, optional, task)
    for role, column in said.items():
        if role not in roles:
            raise UnknownName(f"column role of {task}", role, roles)
        if column is not None and column not in columns:
            close = nearest(column, columns)
            hint = f" Did you mean {close!r}?" if close else ""
            raise DataError(f"no column {column!r} (the {role} of {task}).{hint} Columns: {_listed(columns)}.")
    chosen = {role: column for role, column in said.items() if column is not None}
    required = [role for role in roles if role not in optional]
    if not said or not required or any(role not in said for role in required):
        unsaid = [role for role in roles if role not in said]
        chosen |= _inferred(columns, unsaid, optional, hints, chosen)
    missing = [role for role in required if role not in chosen]
    if missing:
        raise DataError(_advice(missing, columns, roles, hints, task))
    return {role: chosen[role] for role in roles if role in chosen}


def by_role(given: Given, roles: Sequence[str], optional: Sequence[str], task: str) -> dict[str, str | None]:
    """What was said of each role: a column, or None for 'there is none'; a role that is left out is to be found.

    Raises:
        ConfigError: a tuple longer than the roles.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        return {roles[0]: given}
    if isinstance(given, Mapping):
        return dict(given)
    items = list(given)
    if len(items) > len(roles):
        raise ConfigError("columns", tuple(items), f"at most {len(roles)} items for {task}: {', '.join(roles)}")
    if len(roles) == 3 and roles[1] in optional and len(items) == 2:
        items = [items[0], None, items[1]]
    # None beside a required role is 'find it', beside an optional one 'there is none'
    return {role: item for role, item in zip(roles, items, strict=False) if item is not None or role in optional}


def gold_role(roles: Sequence[str], optional: Sequence[str]) -> str | None:
    """The role of what is to be learned: the last, or None where it is optional, as in tasks that learn from text."""
    return None if roles[-1] in optional else roles[-1]


def again(
    known: Mapping[str, str], columns_in_data: Sequence[str], *, roles: Sequence[str], optional: Sequence[str]
) -> dict[str, str | None]:
    """What to say of other data, for `resolve`, where training read the columns `known` (role -> column).

    A column that is there plays its role again, and an optional role that none played stays without one. Where no
    column of the inputs is there, roles are found by name; where some are, the others are missing.
    """
    if not known:
        return {}
    unused = {role: None for role in optional if role not in known}
    there = [role for role, column in known.items() if column in columns_in_data]
    inputs = [role for role in known if role != gold_role(roles, optional)]
    due = inputs if any(role in there for role in inputs) else []
    return {**unused, **{role: known[role] for role in known if role in there or role in due}}


def _inferred(
    columns: Sequence[str],
    unsaid: Sequence[str],
    optional: Sequence[str],
    hints: Mapping[str, Sequence[str]],
    chosen: Mapping[str, str],
) -> dict[str, str]:
    found: dict[str, str] = {}
    for role in unsaid:
        taken = {*chosen.values(), *found.values()}
        column = _by_hint(role, [c for c in columns if c not in taken], hints.get(role, ()))
        if column is not None:
            found[role] = column
    open_roles = [role for role in unsaid if role not in found and role not in optional]
    taken = {*chosen.values(), *found.values()}
    left = [c for c in columns if c not in taken and c.lower() not in _COUNTERS]
    if len(columns) <= 2 and len(open_roles) == 1 and len(left) == 1:
        found[open_roles[0]] = left[0]
    return found


def _by_hint(role: str, columns: Sequence[str], names: Sequence[str]) -> str | None:
    for name in names:
        if name in columns:
            return name
        same = [column for column in columns if _folded(column) == _folded(name)]
        if len(same) > 1:
            raise DataError(f"columns {_listed(same)} could each be the {role}: say it with columns={{{role!r}: …}}.")
        if same:
            return same[0]
    return None


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _advice(
    missing: Sequence[str], columns: Sequence[str], roles: Sequence[str], hints: Mapping[str, Sequence[str]], task: str
) -> str:
    looked = "; ".join(f"{role}: {', '.join(hints.get(role, ())) or 'no names'}" for role in missing)
    example = ", ".join(f"{role!r}: …" for role in missing)
    there = {_folded(column) for column in columns}
    other = [name for name, signs in _SIGNS.items() if name != task and all(there & names for names in signs)]
    return (
        f"{task} finds no column for {' and '.join(missing)} (looked for {looked}). "
        f"Columns: {_listed(columns)}. Say it with columns={{{example}}} or a tuple ({', '.join(roles)})"
        f"{f'; or is it task={other[0]!r}?' if other else '.'}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
