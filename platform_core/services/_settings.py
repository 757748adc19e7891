"""Hold the settings the embedded PostgreSQL server is started with."""

import re
from collections.abc import Mapping
from pathlib import Path

from platform_core.services._errors import EmbeddedPostgresError
from platform_core.services._folder import PORT

_DEFAULTS: Mapping[str, str] = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",  # nosec B105
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",  # one file per weekday, overwritten a week later
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # What a statement or a DETAIL quotes are rows: of a process that crashed, too, its last statement would be told.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_RESERVED = frozenset(
    {"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file"}
    | {"listen_addresses", "log_directory", "port", "unix_socket_directories"}
)


def server_settings(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults with the wanted settings over them.

    Raises EmbeddedPostgresError for malformed names and for what `placement` decides.
    """
    for name in wanted:
        if name.lower() in _RESERVED or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise EmbeddedPostgresError(
                f"The setting {name!r} cannot be given to the embedded PostgreSQL. Remove it,"
                " or set DATABASE_URL to a server you configure yourself."
            )
    return {**_DEFAULTS, **wanted}


def placement(sockets: Path, logs: Path) -> dict[str, str]:
    """Return the settings that say where the server listens and logs: on a socket only."""
    quoted = str(sockets).replace('"', '""')
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{quoted}"',
        "log_directory": str(logs),
    }
