"""Forms that MCP servers and agents have filled in by a person, reduced to one choice (JSON Schema, flat objects)."""

from __future__ import annotations

from executors.peers.voice import Line, Question


def question_of_form(tool: str, message: str, schema: object) -> Question:
    """Return the question that a form means: its one field's values are the options."""
    given: Line = {"message": message, "schema": schema}
    field = _only_field(schema)
    options: tuple[Line, ...] = ()
    default = None
    if field is not None:
        _, described = field
        options = tuple(_options(described))
        preset = described.get("default")
        default = _value(preset) if preset is not None else None
    return Question(tool, given, {"kind": "question"}, message or "The agent asks for something.", options, default)


def filled(schema: object, choice: str | None) -> Line | None:
    """Return the content of a form with one answer, or None when that is not enough to fill it."""
    fields = _fields(schema)
    required = schema.get("required") if isinstance(schema, dict) else None
    needed = set(required) if isinstance(required, list) else set()
    content = {name: field["default"] for name, field in fields.items() if field.get("default") is not None}
    field = _only_field(schema)
    if field is not None and choice is not None:
        name, described = field
        match described.get("type"):
            case "boolean":
                content[name] = choice == "true"
            case "array":
                content[name] = [choice]
            case "integer" | "number" as kind:
                try:
                    content[name] = int(choice) if kind == "integer" else float(choice)
                except ValueError:
                    return None
            case _:
                content[name] = choice
    return content if needed <= content.keys() else None


def _fields(schema: object) -> dict[str, Line]:
    fields = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(fields, dict):
        return {}
    return {name: field for name, field in fields.items() if isinstance(field, dict)}


def _only_field(schema: object) -> tuple[str, Line] | None:
    fields = _fields(schema)
    return next(iter(fields.items())) if len(fields) == 1 else None


def _options(field: Line) -> list[Line]:
    if field.get("type") == "boolean":
        return [_option("true", "Yes"), _option("false", "No")]
    items = field.get("items")
    source = items if isinstance(items, dict) else field
    titled = source.get("oneOf") or source.get("anyOf")
    if isinstance(titled, list):
        consts = [one for one in titled if isinstance(one, dict) and isinstance(one.get("const"), str)]
        return [_option(one["const"], one.get("title")) for one in consts]
    values = source.get("enum")
    if not isinstance(values, list):
        return []
    names = source.get("enumNames")
    labels = names if isinstance(names, list) and len(names) == len(values) else values
    return [_option(_value(value), label) for value, label in zip(values, labels, strict=True)]


def _option(value: str, label: object) -> Line:
    return {"value": value, "label": label if isinstance(label, str) and label else value, "description": ""}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
