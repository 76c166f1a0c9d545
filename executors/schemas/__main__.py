"""Entry: ``python -I executors/schemas FILE SCHEMA``, both of them JSON, named from the folder that it runs in.

The exit code is 0 when the file fits, 1 when it does not, 2 when that cannot be said; stderr has one sentence about
it. Nothing is fetched: a reference to another document does not resolve, unless it is a schema of JSON schema itself.
"""

import json
import sys
from pathlib import Path
from typing import Any

# The folder of this file must not be on the path: it would hide modules of the standard library.
sys.path[0:1] = []

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is read."""


def main() -> int:
    """Hold the file against the schema; returns the exit code."""
    path, schema_path = sys.argv[1:3]
    try:
        said, code = fit(_read(path), _read(schema_path), path, schema_path)
    except (OSError, ValueError) as error:
        said, code = str(error), 2
    sys.stderr.write(f"{said}\n")
    return code


def fit(document: Any, schema: Any, path: str, schema_path: str) -> tuple[str, int]:
    """Say whether a document fits a schema, and where it does not."""
    import jsonschema
    import jsonschema.exceptions
    import jsonschema_specifications  # type: ignore[import-untyped]
    import referencing.exceptions

    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
        # With a registry of its own it looks references up there, and nowhere else.
        found = jsonschema.exceptions.best_match(
            kind(schema, registry=jsonschema_specifications.REGISTRY).iter_errors(document)
        )
    except jsonschema.exceptions.SchemaError as error:
        return f"{schema_path} is no JSON schema: {error.message[:200]}", 2
    except referencing.exceptions.Unresolvable as error:
        return f"{schema_path} refers to {error.ref}, which is not in it", 2
    except RecursionError:
        return f"{path} or {schema_path} is nested too deeply", 2
    if found is None:
        return f"{path} fits {schema_path}", 0
    return f"{path} at {found.json_path}: {found.message[:200]}", 1


def _read(path: str) -> Any:
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"there is no file {path}")
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST:,} bytes")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
