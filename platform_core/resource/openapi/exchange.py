"""How exports and imports are told in OpenAPI: the formats, their options, and the report on each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_core.exchange.writing import DELIMITERS, FORMATS
from platform_core.resource.exports import DELIMITER, FORMAT
from platform_core.resource.import_rows import MOST_ROWS
from platform_core.resource.openapi.conventions import Schema, query_parameter
from platform_core.resource.rendering import JSON
from platform_core.resource.uploads import FILE, MODES, MOST_BYTES

if TYPE_CHECKING:
    from platform_core.resource.base import Resource

_FORMATS: Schema = {"type": "string", "enum": list(FORMATS)}
_DELIMITERS: Schema = {"type": "string", "enum": list(DELIMITERS)}
_FILE: Schema = {"type": "string", "format": "binary", "maxLength": MOST_BYTES}


def export_parameters() -> list[Schema]:
    """Return the parameters of an export that its list does not have."""
    return [
        query_parameter(FORMAT, {**_FORMATS, "default": "csv"}, "The kind of file."),
        query_parameter(
            DELIMITER, _DELIMITERS, "What parts the cells of CSV; semicolon adds a byte order mark."
        ),
    ]


def export_answer() -> Schema:
    """Return the description of the file."""
    headers = {
        "Content-Disposition": {
            "schema": {"type": "string"},
            "description": "The name of the file.",
        },
        "Cache-Control": {"schema": {"type": "string"}, "description": "Always no-store."},
    }
    sent: Schema = {"type": "string", "format": "binary"}
    content = {one.media_type.partition(";")[0]: {"schema": sent} for one in FORMATS.values()}
    return {
        "description": "All rows, in the order of the list",
        "content": content,
        "headers": headers,
    }


def _options(resource: Resource) -> dict[str, tuple[Schema, str]]:
    keys = {"type": "string", "enum": ["id", *resource.import_keys]}
    mapping = {"type": "string", "contentMediaType": JSON}
    return {
        "format": (_FORMATS, "The kind of file, where its type or name does not tell."),
        "mode": (
            {"type": "string", "enum": list(MODES), "default": "create"},
            "Create rows, change existing ones, or either.",
        ),
        "key": (keys, "The field by which existing rows are found; id unless given."),
        "mapping": (
            mapping,
            "A JSON object from headings to fields; null for a column to be passed over.",
        ),
        "delimiter": (_DELIMITERS, "What parts the cells of CSV; found out unless given."),
        "sheet": ({"type": "string"}, "Which sheet of a workbook with several."),
    }


def import_parameters(resource: Resource) -> list[Schema]:
    """Return the options of an import as parameters of the query."""
    return [
        query_parameter(name, schema, description)
        for name, (schema, description) in _options(resource).items()
    ]


def import_body(resource: Resource) -> Schema:
    """Return the description of the body: the file itself, or a form with it."""
    properties: Schema = {
        name: {**schema, "description": description}
        for name, (schema, description) in _options(resource).items()
    }
    properties[FILE] = {**_FILE, "description": "The file."}
    form = {
        "type": "object",
        "properties": properties,
        "required": [FILE],
        "additionalProperties": False,
    }
    content: Schema = {"multipart/form-data": {"schema": form}}
    content |= {one.media_type.partition(";")[0]: {"schema": _FILE} for one in FORMATS.values()}
    return {"content": content, "required": True}


def import_report(problem: Schema) -> Schema:
    """Return the schema of the report on an import."""
    count: Schema = {"type": "integer", "minimum": 0}
    statuses = ["created", "updated", "unchanged", "failed"]
    row: Schema = {
        "type": "object",
        "properties": {
            "row": {
                "type": "integer",
                "description": "Its number; 1 is the first below the heading.",
            },
            "line": {"type": "integer", "description": "The line of the file where it begins."},
            "status": {"type": "string", "enum": statuses},
            "id": {"description": "The id of the row that was written."},
            "problem": problem,
        },
        "required": ["row", "line", "status"],
    }
    file: Schema = {
        "type": ["object", "null"],
        "description": "The failed rows, as a file like the one sent with a column _problem more.",
        "properties": {
            name: {"type": "string"} for name in ("filename", "media_type", "content_base64")
        },
        "required": ["filename", "media_type", "content_base64"],
    }
    properties: dict[str, Any] = {
        "rows": {**count, "maximum": MOST_ROWS},
        **dict.fromkeys(statuses, count),
        "results": {"type": "array", "items": row},
        "failed_rows": file,
    }
    return {"type": "object", "properties": properties, "required": list(properties)}
