"""`mcp-app completion SHELL`: a script by which bash, zsh or fish completes the commands and their options.

The words are those of the argparse parsers: nothing is listed here.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

Parser = Callable[[], argparse.ArgumentParser]


class Option(NamedTuple):
    """One option: its spellings, and what it is for; or one of a command's own commands."""

    words: tuple[str, ...]
    help: str

    @property
    def is_command(self) -> bool:
        return not self.words[0].startswith("-")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], whole: Parser) -> None:
    """Register `completion`, of all commands of the parser that `whole` makes."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes this command in a shell",
        description="Print a script that completes mcp-app in a shell: eval it in .bashrc, .zshrc or config.fish.",
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=sorted(_SCRIPTS))
    parser.set_defaults(run=lambda arguments: run(arguments, whole()))


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the script and return the exit status."""
    print(script(arguments.shell, parser))
    return 0


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for `shell`: the commands first, then the options of the command, and files where it is neither."""
    [action] = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    helps = {each.dest: each.help or "" for each in action._choices_actions}
    commands = {name: list(_options(each)) for name, each in action.choices.items()}
    return "\n".join(_SCRIPTS[shell](commands, helps))


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    """Those of its own commands are among them, each once, and before them their names."""
    found: dict[tuple[str, ...], Option] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            found |= {(name,): Option((name,), helps[name]) for name in action.choices}
            for each in action.choices.values():
                found |= {option.words: option for option in _options(each)}
        elif action.option_strings and action.help != argparse.SUPPRESS:
            words = tuple(action.option_strings)
            found[words] = Option(words, action.help or "")
    yield from found.values()


Commands = Mapping[str, list[Option]]


def _bash(commands: Commands, helps: Mapping[str, str]) -> Iterator[str]:
    yield "_mcp_app() {"
    yield "    local words= current=${COMP_WORDS[COMP_CWORD]}"
    yield "    case $COMP_CWORD,$current,${COMP_WORDS[1]} in"
    yield f"        1,*) words={shlex.quote(' '.join(commands))} ;;"
    for name, options in commands.items():
        words = " ".join(word for option in options for word in option.words)
        yield f"        *,-*,{name}) words={shlex.quote(words)} ;;"
        if own := " ".join(option.words[0] for option in options if option.is_command):
            yield f"        2,*,{name}) words={shlex.quote(own)} ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "complete -o default -F _mcp_app mcp-app"


def _zsh(commands: Commands, helps: Mapping[str, str]) -> Iterator[str]:
    yield "autoload -U +X compinit && compinit"
    yield "autoload -U +X bashcompinit && bashcompinit"
    yield from _bash(commands, helps)


def _fish(commands: Commands, helps: Mapping[str, str]) -> Iterator[str]:
    for name, options in commands.items():
        yield f"complete -c mcp-app -f -n __fish_use_subcommand -a {name} -d {shlex.quote(helps[name])}"
        for option in options:
            if option.is_command:
                condition = f"-f -n '__fish_seen_subcommand_from {name}; and test (count (commandline -opc)) -eq 2'"
                yield f"complete -c mcp-app {condition} -a {option.words[0]} -d {shlex.quote(option.help)}"
                continue
            words = " ".join(f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.words)
            condition = f"-n '__fish_seen_subcommand_from {name}'"
            yield f"complete -c mcp-app {condition} {words} -d {shlex.quote(option.help)}"


_SCRIPTS: Mapping[str, Callable[[Commands, Mapping[str, str]], Iterator[str]]] = {
    "bash": _bash,
    "fish": _fish,
    "zsh": _zsh,
}
