"""Read a study file: YAML, strictly, into typed sections, with one readable error."""

import difflib
from pathlib import Path
from typing import get_args

import yaml
from pydantic import ValidationError

from ..errors import ConfigError, UnitError, located
from .crosscheck import cross_check
from .crystal_file import with_file_sums
from .schema import Study
from .strict import Strict

MAX_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys and without aliases (a few nested ones can fill any memory)."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed in a study", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} stands twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path):
    """Return the mapping in a YAML file, read without executing anything."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("the study file is too large", where=str(path), expected=f"at most {MAX_BYTES} bytes")
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise ConfigError("there is no such study file", where=str(path), fix="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the study file cannot be read", where=str(path), got=str(error)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}: line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigError(
            "the study file is not valid YAML",
            where=place,
            got=getattr(error, "problem", None) or str(error),
            fix="correct that line",
        ) from None
    except RecursionError:
        raise ConfigError("the study file is nested too deeply", where=str(path)) from None
    if not isinstance(data, dict):
        raise ConfigError(
            "a study file is a mapping of sections",
            where=str(path),
            expected="study: ..., crystal: ...",
            got=type(data).__name__,
        )
    return data


def load_study(path):
    """Return the validated study of a YAML file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Study

    Raises
    ------
    ConfigError
        With the file and the key, what was expected, what was found, and the fix.
    """
    return study_from_data(read_yaml(path), source=str(path))


def study_from_data(data, *, source="study"):
    """Return the validated study of a mapping; ``source`` names it in errors."""
    try:
        study = Study.model_validate(data)
    except ValidationError as error:
        raise _config_error(error, data, source) from None
    with located(source):
        study = with_file_sums(study)
        cross_check(study)
    return study


def _config_error(error, data, source):
    """Return the first of pydantic's errors as one of ours, with the places of the others."""
    found = error.errors(include_url=False)
    # An unknown key is the cause of what is then missing: tell it first.
    first = min(found, key=lambda e: e["type"] != "extra_forbidden")
    keys = _keys(first["loc"])
    where = f"{source}: {'.'.join(keys)}"
    more = _others(found, first)
    if first["type"] == "extra_forbidden":
        return _unknown_key(keys, data, where, more)
    if first["type"] == "quantity":
        context = first["ctx"]
        return UnitError(
            context["what"] + more, where=where, expected=context["expected"], got=context["got"], fix=context["fix"]
        )
    if first["type"] == "missing" and keys[-1].isdigit():
        expected = f"at least {int(keys[-1]) + 1} entries"
        return ConfigError(f"a list is too short{more}", where=where.rpartition(".")[0], expected=expected)
    if first["type"] == "missing":
        return ConfigError(
            f"a key is missing: {keys[-1]!r}{more}", where=where, expected=f"{keys[-1]}: ...", fix="add it"
        )
    return ConfigError(
        "a value is not as the study's schema wants it" + more,
        where=where,
        expected=_plain(first),
        got=repr(first.get("input"))[:200],
        fix="correct the value",
    )


def _others(found, first, *, most=4):
    """Return where the other errors are, in brackets; empty if there are none."""
    own = _section_of(first)
    # What a union of sections says of itself is the first error once more.
    places = dict.fromkeys(place for place in map(_section_of, found) if not f"{own}.".startswith(f"{place}."))
    if not places:
        return ""
    rest = f" and {len(places) - most} more" if len(places) > most else ""
    return f" (beside it something is wrong at {', '.join(list(places)[:most])}{rest})"


def _section_of(error):
    """Return the place of an error without the numbers of entries at its end."""
    keys = _keys(error["loc"])
    while len(keys) > 1 and keys[-1].isdigit():
        keys.pop()
    return ".".join(keys)


def _unknown_key(keys, data, where, more):
    known = _known_keys(keys[:-1], data)
    near = difflib.get_close_matches(keys[-1], known, 1) or difflib.get_close_matches(keys[-1], _all_keys(), 1)
    # A key of that very name exists, only not here.
    elsewhere = bool(near) and near[0] == keys[-1]
    fix = "it belongs to another section" if elsewhere else f"did you mean {near[0]!r}?" if near else "remove it"
    expected = f"one of {', '.join(known)}" if known else None
    return ConfigError(f"unknown key {keys[-1]!r}{more}", where=where, expected=expected, got=keys[-1], fix=fix)


def _plain(error):
    """Return what a value should have been, in the words of YAML."""
    if error["type"] == "tuple_type":
        return "a list, [..., ...]"
    if error["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return "keys with values, {...: ...}"
    return error["msg"]


_DISCRIMINATED = {"grid", "forward", "objective", "strategy", "simulate", "structure", "resolution", "twins"}
_LISTS_OF_KINDS = {"hamiltonian", "learn", "measurements", "methods"}
"""Sections of several members, each of which has a kind."""


def _keys(loc):
    """Return the file's own keys from pydantic's location, which names the members of unions too."""
    classes = {model.__name__ for model in _models()} | {"float", "int", "str"}
    kinds = _kinds()
    keys = []
    for k, part in enumerate(loc):
        of_kinds = k > 0 and (loc[k - 1] in _DISCRIMINATED or (k > 1 and loc[k - 2] in _LISTS_OF_KINDS))
        is_class = isinstance(part, str) and (part in classes or "[" in part)
        if not (of_kinds and part in kinds) and not is_class:
            keys.append(str(part))
    return keys


def _kinds():
    """Return the values that ``kind`` has in some section."""
    fields = (model.model_fields.get("kind") for model in _models())
    return {kind for field in fields if field is not None for kind in get_args(field.annotation)}


def _known_keys(keys, data):
    """Return the keys of the section at a place: those of the class that knows most of what stands there."""
    section = data
    for key in keys:
        try:
            section = section[int(key) if isinstance(section, list) else key]
        except (KeyError, ValueError, IndexError, TypeError):
            return []
    if not keys:
        return list(Study.model_fields)
    return max((_keys_of(model, section) for model in _models()), key=lambda known: len(set(known) & set(section)))


def _keys_of(model, section):
    """Return the keys of a class of the schema; none where the section's kind is another one."""
    field = model.model_fields.get("kind")
    if (field is not None or "kind" in section) and (
        field is None or section.get("kind", field.default) not in get_args(field.annotation)
    ):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _all_keys():
    """Return every key that the schema knows."""
    return sorted({field.alias or name for model in _models() for name, field in model.model_fields.items()})


def _models():
    """Return the classes of the schema."""
    found, young = set(), [Strict]
    while young:
        young = [new for model in young for new in model.__subclasses__()]
        found.update(young)
    return sorted(found, key=lambda model: model.__name__)
