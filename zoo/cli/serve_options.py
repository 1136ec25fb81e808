"""Flags of `zoo serve`."""

from __future__ import annotations

from typing import Annotated

import typer

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="EXPORT", help="export/saved_model/NAME, a version folder in it, or a run."
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", help="The model's name (default: the name of its folder)."),
]
HostOption = Annotated[
    str, typer.Option("--host", help="The address to listen on; 0.0.0.0 admits other machines.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port; 0: any free one.")
]
AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="A further name by which clients call the server, such as that of a proxy; *.NAME: "
        "all below it; *: all (repeatable).",
    ),
]
BatchSizeOption = Annotated[
    int, typer.Option("--max-batch-size", min=1, help="Maximum number of rows per batch.")
]
BatchTimeoutOption = Annotated[
    int,
    typer.Option(
        "--batch-timeout-micros",
        min=0,
        help="Maximum time to wait for a batch to fill, in microseconds.",
    ),
]
QueueOption = Annotated[
    int,
    typer.Option(
        "--max-queue", min=1, help="Maximum number of queued requests; further ones get HTTP 503."
    ),
]
BodyOption = Annotated[
    float,
    typer.Option(
        "--max-body-mb",
        min=0.001,
        help="Maximum size of a request in megabytes; larger ones get HTTP 413.",
    ),
]
PixelsOption = Annotated[
    float,
    typer.Option(
        "--max-megapixels",
        min=0.001,
        help="Maximum image size in megapixels; larger images get HTTP 400.",
    ),
]
ConnectionsOption = Annotated[
    int,
    typer.Option(
        "--max-connections",
        min=1,
        help="Maximum number of connections; above it, the one idle longest is closed.",
    ),
]
PerClientOption = Annotated[
    int,
    typer.Option(
        "--max-per-client", min=1, help="Maximum number of connections of one client address."
    ),
]
HeaderTimeoutOption = Annotated[
    float,
    typer.Option(
        "--header-timeout",
        min=0.1,
        help="Maximum seconds for a request's headers to arrive; slower ones get HTTP 408.",
    ),
]
BodyTimeoutOption = Annotated[
    float,
    typer.Option(
        "--body-timeout",
        min=0.1,
        help="Maximum seconds for a request's body to arrive; slower ones get HTTP 408.",
    ),
]
KeepAliveOption = Annotated[
    float,
    typer.Option(
        "--keep-alive-timeout",
        min=0.1,
        help="Seconds after an answer before an idle connection is closed.",
    ),
]
SendTimeoutOption = Annotated[
    float,
    typer.Option(
        "--send-timeout",
        min=0.1,
        help="Maximum seconds for a client to read an answer; then the connection is closed.",
    ),
]
PollOption = Annotated[
    float,
    typer.Option(
        "--poll-seconds", min=0, help="Seconds between searches for new versions; 0: never."
    ),
]
AllVersionsOption = Annotated[
    bool, typer.Option("--all-versions", help="Serve all versions, not only the newest.")
]
AccessLogOption = Annotated[
    bool, typer.Option("--access-log", help="Print a line on stderr for each request.")
]
