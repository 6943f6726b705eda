"""The `chatterbus` command. Registers commands, nothing else; each command is a module of its name."""

import typer

from chatterbus.bench import PASSED_ON, bench
from chatterbus.chat import chat
from chatterbus.doctor import doctor
from chatterbus.migrate import migrate
from chatterbus.token import token
from chatterbus.up import up
from chatterbus.version import version

app = typer.Typer(
    help="Chatterbus: self-hosted real-time messaging.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals hold secrets
)
for command in (up, chat, token, migrate, doctor, version):
    app.command()(command)
app.command(context_settings=PASSED_ON)(bench)
