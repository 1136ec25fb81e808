"""Base classes and field types of the recipe schema: strict models, and words with options.

A recipe gives a `Choice` as a word (`relu`), a word with its first option (`{cutout: 8}`) or a word
with options (`{leaky_relu: {negative_slope: 0.1}}`). The model of a `Choice` has a field for each
word and exactly one is set, so that a problem has the path that the user wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from zoo.errors import UsageError
from zoo.recipe import own_words
from zoo.recipe.ranges import AS_READ as AS_READ
from zoo.recipe.ranges import as_tuple as as_tuple
from zoo.recipe.ranges import factor_of, range_of
from zoo.recipe.shown import cut
from zoo.recipe.words import REQUIRED, Option, Word
from zoo.recipe.words.word import (
    BELOW_1,
    MAX_EPOCHS,
    MAX_ITEMS,
    MAX_SIDE,
    NOT_NEGATIVE,
    POSITIVE,
)

NONE = {"enum": ["none", None]}  # In a JSON Schema: a key may be left out by name.
# In a JSON Schema that is not finished: the name of the option that may be given alone.
FIRST_ALONE = "x-first-option-alone"


class Model(BaseModel):
    """A frozen, strict block of a recipe: unknown keys are errors, `"3"` is not 3."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).model_fields:
            raise UsageError(
                f"{name}: a recipe cannot be changed. Load it again with the change, such as "
                'zoo.load(recipe, {"train.epochs": 3}).'
            )
        super().__setattr__(name, value)

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, value: Any) -> Any:
        """Lets `none` stand for YAML's null where null is allowed."""
        if not isinstance(value, dict):
            return value
        return {
            key: None if item == "none" and _allows_none(cls, key) else item
            for key, item in value.items()
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            if {"type": "null"} in field.get("anyOf", []):
                at = field["anyOf"].index({"type": "null"})
                field["anyOf"][at] = NONE
        return schema


def without_required(schema: dict[str, Any]) -> None:
    """Takes `required` out of a block's JSON Schema: a recipe that extends another may lack keys.

    The schema of the recipe requires them of the others.
    """
    schema.pop("required", None)


def _allows_none(model: type[BaseModel], key: str) -> bool:
    field = model.model_fields.get(key)
    return field is not None and type(None) in get_args(field.annotation)


def _pair(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _level(value: Any) -> Any:
    is_level = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
    if value == "mean" or is_level:
        return value
    raise PydanticCustomError(
        "level",
        "not a grey level. Expected a whole number from 0 to 255, or mean. Received {given}",
        {"given": cut(str(value))},
    )


# TensorFlow and Keras count in 32 bits.
MAX_COUNT = 2**31 - 1
# Channels, units or images of a batch: more than eight times those of the widest layers published
# and of the largest batches (131,072 images: You et al. 2019).
MAX_WIDTH = 2**20
MAX_MINUTES = 10 * 366 * 24 * 60  # Ten years. Timers overflow at 292.
MAX_PATH = 4096  # Linux's limit, in bytes.
MAX_TEXT = 1_000
SIDE_SCHEMA = {"type": "integer", "minimum": 1, "maximum": MAX_SIDE}
PAIR_SCHEMA = {
    "anyOf": [SIDE_SCHEMA, {"type": "array", "items": SIDE_SCHEMA, "minItems": 2, "maxItems": 2}]
}
Fraction = Annotated[float, Field(ge=0.0, le=BELOW_1)]
Positive = Annotated[float, Field(**POSITIVE)]
NotNegative = Annotated[float, Field(**NOT_NEGATIVE)]
Minutes = Annotated[float, Field(ge=POSITIVE["ge"], le=MAX_MINUTES)]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Epochs = Annotated[int, Field(ge=1, le=MAX_EPOCHS)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Level = Annotated[
    Literal["mean"] | int,
    PlainValidator(_level),
    WithJsonSchema(
        {"anyOf": [{"enum": ["mean"]}, {"type": "integer", "minimum": 0, "maximum": 255}]}
    ),
]
Pair = Annotated[tuple[Side, Side], BeforeValidator(_pair), WithJsonSchema(PAIR_SCHEMA)]


def tuple_of(item: Any, most: int = MAX_ITEMS, read: Callable[[Any], Any] = as_tuple) -> Any:
    """The type of a YAML list of at most so many items, kept as a tuple.

    Args:
        item: type of an item.
        most: items at most.
        read: makes a tuple of what the recipe gives. Pydantic 2.10 takes one validator of this kind
            alone: of a second one around this type it would forget the first.
    """
    return Annotated[tuple[item, ...], Field(max_length=most), BeforeValidator(read)]


class Choice(Model):
    """Base class of everything that a recipe gives as a word with options.

    Attributes:
        own_kind: kind of the parts of a user's own whose words it takes, too; empty: of none.
    """

    own_kind: ClassVar[str] = ""

    @property
    def word(self) -> str:
        """The word chosen: the one field that is set, which is never None."""
        return next(iter(self.model_fields_set))

    @property
    def options(self) -> Any:
        """The options of that word, as a model with a field for each."""
        return getattr(self, self.word)

    @property
    def part(self) -> Any:
        """The part of the user's own that the word stands for; None: it is a word of zoo."""
        return getattr(type(self.options), "own_part", None)

    @model_validator(mode="wrap")
    @classmethod
    def _read_own_word(cls, value: Any, handler: Any) -> Any:
        """Reads a word of a user's own part as a class that knows it beside those of zoo."""
        one = isinstance(value, dict) and len(value) == 1
        word = next(iter(value)) if one else value
        if not isinstance(word, str) or word in cls.model_fields:
            return handler(value)
        own = own_words.choice_with(cls, cls.own_kind, word)
        return handler(value) if own is None else own.model_validate(value)

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, value: Any) -> Any:
        """Leaves `none` as it is: a field is None only while another word is chosen."""
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_word(cls, value: Any) -> Any:
        entries = cls.model_fields
        if isinstance(value, str):
            if value not in entries:
                raise PydanticCustomError("unknown_word", "unknown word", {"word": value})
            return {value: {}}
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise PydanticCustomError("one_word", "one word", {"given": list(value)})
        (word, options), *_ = value.items()
        if word not in entries:
            raise PydanticCustomError("unknown_word", "unknown word", {"word": str(word)})
        if isinstance(options, dict):
            return value
        model = _options_of(entries[word])
        if options is None:
            return {word: {}}
        if issubclass(model, Choice) or not model.model_fields:
            return value
        return {word: {first_option(model): options}}

    @model_serializer
    def _write(self) -> Any:
        chosen = self.options
        if isinstance(chosen, Choice):
            return {self.word: chosen._write()}
        fields = type(chosen).model_fields
        if self.part:  # What only running it would tell is left out; what it takes beside is not.
            given, hidden = chosen.model_fields_set, self.part.unwritten
            fields = {key: fields[key] for key in fields if key in given or key not in hidden}
            fields |= dict.fromkeys(chosen.model_extra or (), FieldInfo())
        required_first = sorted(fields, key=lambda name: not fields[name].is_required())
        return (
            {self.word: {name: _written(getattr(chosen, name)) for name in required_first}}
            if fields
            else self.word
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if not cls.model_fields:  # All of its words are a user's own.
            one = {"type": "object", "properties": {}, "minProperties": 1, "maxProperties": 1}
            return {"description": cls.__doc__, "anyOf": [{"type": "string"}, one]}
        properties = {
            name: {"description": field.description}
            | _options_schema(schema["properties"][name], _options_of(field))
            for name, field in cls.model_fields.items()
        }
        bare = [
            name
            for name, field in cls.model_fields.items()
            if not any(option.is_required() for option in _options_of(field).model_fields.values())
        ]
        with_options = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {
            "description": cls.__doc__,
            "anyOf": [{"enum": bare}, with_options] if bare else [with_options],
        }


def _written(value: Any) -> Any:
    # Dump each model by itself: pydantic before 2.14 fails on inner models that it has not built.
    if isinstance(value, tuple):
        return tuple(map(_written, value))
    return value.model_dump() if isinstance(value, BaseModel) else value


def _options_of(field: FieldInfo) -> type[BaseModel]:
    """The model of a word's options: the first half of `Options | None`."""
    options: type[BaseModel] = get_args(field.annotation)[0]
    return options


def first_option(model: type[BaseModel]) -> str:
    """The option that may be given without its name: the first required one, else the first."""
    fields = model.model_fields
    return next((name for name, field in fields.items() if field.is_required()), next(iter(fields)))


def _options_schema(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a word's options, without the null that only marks an unset word."""
    options = [part for part in schema.get("anyOf", []) if part.get("type") != "null"]
    if issubclass(model, Choice):  # `pool: max`: a word or its options, and nothing else.
        return {"anyOf": options}
    # The first option may be given alone; `json_schema` says of what form it is.
    first = first_option(model) if model.model_fields else ""
    return {"anyOf": [*options, {FIRST_ALONE: first}]}


def _is_list(kind: Any) -> bool:
    """Whether a type is a tuple of any length."""
    return get_args(kind)[-1:] == (Ellipsis,)


def _field(option: Option) -> tuple[Any, Any]:
    if option.type == "range":
        return range_of(option.limits), Field(option.default, description=option.description)
    if option.type in ("factor", "factor?"):
        factor = factor_of(option.limits)
        optional = factor | None if option.type == "factor?" else factor
        return optional, Field(
            ... if option.default is REQUIRED else option.default, description=option.description
        )
    types: dict[Any, Any] = {"pair": Pair, "pair?": Pair | None, "level": Level}
    kind = types.get(option.type, option.type) if isinstance(option.type, str) else option.type
    limits: dict[str, Any] = dict(option.limits)
    items = next((each for each in (kind, *get_args(kind)) if _is_list(each)), None)
    if items is not None:
        # Weights have an item for each class: only the size of a file bounds them.
        listed = tuple_of(Annotated[get_args(items)[0], Field(**limits)], MAX_COUNT)
        kind = listed if kind is items else listed | None
        limits = {}
    default = ... if option.default is REQUIRED else option.default
    return kind, Field(default, description=option.description, **limits)


class NoOptions(Model):
    """A word without options."""


def choice(name: str, doc: str, entries: Mapping[str, Word], own: str = "") -> type[Choice]:
    """Makes a `Choice` model from a table of words.

    Args:
        name: name of the model's class, and its heading in docs/recipe.md.
        doc: its docstring.
        entries: word -> its description and options.
        own: kind of the parts of a user's own whose words it takes, too.
    """
    fields: dict[str, Any] = {}
    for word, entry in entries.items():
        # Words without options share one model: making a model takes a millisecond at every start.
        options = _options(f"{name}_{word}", entry) if entry.options else NoOptions
        fields[word] = (options | None, Field(None, description=entry.description))
    made = create_model(name, __base__=Choice, __doc__=doc, **fields)
    made.own_kind = own
    return made


def _options(name: str, entry: Word) -> type[Model]:
    fields: dict[str, Any] = {key: _field(option) for key, option in entry.options.items()}
    return create_model(name, __base__=Model, __doc__=entry.description, **fields)
