"""``inrcodec completion``: the script that makes a shell complete our commands and options."""

from __future__ import annotations

import click

from inrcodec.cli.help import DailyCommand

_VARIABLE = "_INRCODEC_COMPLETE"  # the name click derives from the program's


@click.command(cls=DailyCommand)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> int:
    """Print a completion script for SHELL.

    \b
      bash  eval "$(inrcodec completion bash)"
      zsh   eval "$(inrcodec completion zsh)"
      fish  inrcodec completion fish | source
    """  # noqa: D301 - click reads the escape: these lines stay as they are
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    root = context.find_root()
    click.echo(kind(root.command, {}, "inrcodec", _VARIABLE).source())
    return 0
