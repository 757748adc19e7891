"""``platformctl audit``: seal the audit trail, prove it, sign where it stands, and erase what is personal in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from platform_core.audit.checkpoints import (
    CheckpointBroken,
    CheckpointFile,
    append_checkpoint,
    as_dict,
    checkpoint_file,
    own_file,
)
from platform_core.audit.keys import KeyUnusable, key_id, public_key, signing_key
from platform_core.cli import boot
from platform_core.cli.output import PROBLEMS, AsJson, console, print_json, refuse
from platform_core.conf.deployment import Deployment

app = typer.Typer(no_args_is_help=True, help="The audit trail: seal, verify, checkpoints, erasing.")


@app.command()
def seal(as_json: AsJson = False) -> None:
    """Seal what has happened since the last time, and sign a checkpoint; run and worker do it by themselves."""
    from platform_core.audit.sealing import seal_all

    with _deployment(as_json=as_json) as deployment:
        sealed = seal_all(deployment)
    if as_json:
        print_json({"ok": True, "sealed": sealed.events, "chain": sealed.seq})
    else:
        console.print(f"{sealed.events} events sealed; the chain has {sealed.seq}.")


@app.command()
def verify(
    checkpoints: Annotated[
        Path | None, typer.Option(help="Another file of checkpoints, such as the copy elsewhere.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--public-key", help="A public key (PEM) that signed them; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk the whole trail and name the first record that is not as it was; exit code 1 when there is one."""
    from platform_core.audit.verifying import verify as walk

    with _deployment(as_json=as_json) as deployment:
        keys = [public_key(one.read_bytes()) for one in key or ()]
        if not keys:
            keys = [signing_key(deployment).private.public_key()]
        file = CheckpointFile(
            checkpoints or checkpoint_file(deployment), {key_id(one): one for one in keys}
        )
        verdict = walk(file)
    broken = verdict.broken
    if as_json:
        print_json({"ok": broken is None, **asdict(verdict)})
    elif broken is None:
        console.print(
            f"[green]Sound:[/] {verdict.sealed} sealed events, {verdict.checkpoints} checkpoints, "
            f"{verdict.erased} erased, {verdict.unsealed} not sealed yet."
        )
    else:
        text = f"{broken.fault}: {broken.record} {broken.number}: {broken.explanation}"
        console.print(text, markup=False, highlight=False)
        console.print(f"Sound up to seal {verdict.sealed}.")
    if broken is not None:
        raise typer.Exit(PROBLEMS)


@app.command()
def checkpoint(
    restored: Annotated[
        str | None,
        typer.Option(help="Why the database was put back: later checkpoints do not count then."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the last checkpoint and the public key; with --restored sign that the database was put back on purpose."""
    from platform_core.audit import Event, record
    from platform_core.audit.sealing import head_of_chain

    with _deployment(as_json=as_json) as deployment:
        if restored:
            record(Event(action="audit.restored", plugin="platform_core", reason=restored))
            append_checkpoint(
                deployment, head_of_chain, complete_to=0, kind="restored", reason=restored
            )
        last, _ = own_file(deployment).last()
        pem = signing_key(deployment).public_pem
        path = checkpoint_file(deployment)
    shown = None if last is None else as_dict(last)
    if as_json:
        print_json({"ok": True, "file": path, "last": shown, "public_key": pem})
        return
    console.print(f"File: {path}", markup=False, highlight=False)
    console.print(f"Last: {shown or 'none yet'}", markup=False, highlight=False)
    console.print(pem, markup=False, highlight=False)


@app.command()
def erase(
    reason: Annotated[str, typer.Option(help="Why; it is kept for good.")],
    actor: Annotated[
        UUID | None, typer.Option(help="Erase the personal part of all that this actor did.")
    ] = None,
    event: Annotated[
        list[int] | None, typer.Option(help="Erase that of one event; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase what is personal in events; these stay, and each erasure is an event of its own."""
    if (actor is None) == (not event) or not reason.strip():
        refuse(
            "Say whose events, or which, and why.",
            "Give --actor or --event, and --reason.",
            code="nothing_to_erase",
            as_json=as_json,
        )
    from platform_core.audit.erasing import erase_payloads, erase_payloads_of

    with _deployment(as_json=as_json):
        if actor is not None:
            erased = erase_payloads_of(actor, reason=reason)
        else:
            erased = erase_payloads(event or [], reason=reason)
    if as_json:
        print_json({"ok": True, "erased": erased})
    else:
        console.print(f"The personal part of {len(erased)} events is erased.")


@contextmanager
def _deployment(*, as_json: bool) -> Iterator[Deployment]:
    """Lend the deployment with its database; leaves with a report when key or checkpoints cannot be used."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.database(deployment, as_json=as_json), boot.reporting(as_json=as_json):
        boot.set_up(deployment, as_json=as_json)
        try:
            yield deployment
        except CheckpointBroken as error:
            refuse(
                f"The last checkpoint cannot be continued: {error}.",
                "Run platformctl audit verify; keep the file elsewhere as evidence, move it away, and sign anew "
                "with platformctl audit checkpoint --restored REASON.",
                code="checkpoint_broken",
                as_json=as_json,
            )
        except KeyUnusable as error:
            refuse(
                str(error),
                "Give a private Ed25519 key in PEM, or let one be made in the data folder.",
                code="audit_key",
                as_json=as_json,
            )
