#!/usr/bin/env python3
"""Writes testdata/commands.tsv: what real servers say of their commands.

    python3 testdata/commands.py FOLDER > testdata/commands.tsv

FOLDER holds the servers that tests/run fetched, each as <id>/server. Every one is started on a unix
socket in a folder of its own, asked COMMAND and COMMAND DOCS, and stopped.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HEAD = """\
# The commands of real servers, as their COMMAND and COMMAND DOCS say. Made by
#   python3 testdata/commands.py ~/.cache/redkit/servers > testdata/commands.tsv
# where tests/run puts the servers. One line for each different answer, apart by tabs:
#   name     lower case; a subcommand is container|subcommand. Modules' own (with a dot) are left out
#   arity    number of arguments with the name: exactly n, or at least n when it is -n
#   first    position of the first key, the name being 0; 0 when no key has a fixed position
#   last     position of the last key; from the end when negative
#   step     from one key to the next
#   flags    apart by commas, or -
#   since    first version of the family that has it, or -. Redis 6.2 does not say: from the next Redis
#   servers  those that say so, apart by commas
"""


class Client:
    """RESP2 over a unix socket, for a few commands."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")

    def ask(self, *words):
        parts = [f"*{len(words)}\r\n"] + [f"${len(word)}\r\n{word}\r\n" for word in words]
        self.socket.sendall("".join(parts).encode())
        return self.reply()

    def reply(self):
        line = self.replies.readline()
        kind, rest = line[:1], line[1:].rstrip(b"\r\n")
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.replies.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        raise RuntimeError(f"no reply: {line!r}")

    def close(self):
        self.replies.close()
        self.socket.close()


def connect(process, path):
    """A client, as soon as the server takes one."""
    end = time.monotonic() + 60
    while True:
        try:
            return Client(path)
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the server does not come up") from None
            time.sleep(0.02)


def ask_server(binary):
    """Its answers to COMMAND and, where it knows that, COMMAND DOCS."""
    folder = tempfile.mkdtemp(prefix="redkit-")
    path = os.path.join(folder, "s")
    words = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    process = subprocess.Popen([binary, *words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        client = connect(process, path)
        commands = client.ask("COMMAND")
        try:
            docs = client.ask("COMMAND", "DOCS")
        except RuntimeError:
            docs = []
        client.close()
        return commands, docs
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def flatten(commands):
    """Commands and the subcommands below them."""
    for command in commands:
        yield command
        yield from flatten(command[9] if len(command) > 9 else [])


def since_of(docs):
    """The version that each command came with, by name."""
    found = {}
    for name, fields in zip(docs[::2], docs[1::2]):
        fields = dict(zip(fields[::2], fields[1::2]))
        if fields.get("since"):
            found[name.lower()] = fields["since"]
        found.update(since_of(fields.get("subcommands", [])))
    return found


def main(folder):
    servers = sorted(name for name in os.listdir(folder)
                     if os.path.isfile(os.path.join(folder, name, "server")))
    if not servers:
        sys.exit(f"{folder}: no server in it")
    answers = {server: ask_server(os.path.join(folder, server, "server")) for server in servers}
    since = {server: since_of(docs) for server, (_, docs) in answers.items()}
    for server, after in zip(servers, servers[1:]):
        # The commands of one family: the family is all before the dash.
        if not since[server] and server.split("-")[0] == after.split("-")[0]:
            since[server] = since[after]

    lines = {}
    for server, (commands, _) in answers.items():
        for name, arity, flags, first, last, step, *_ in flatten(commands):
            name = name.lower()
            if "." in name:
                continue
            line = (name, arity, first, last, step, ",".join(sorted(flags)) or "-",
                    since[server].get(name, "-"))
            lines.setdefault(line, []).append(server)
    order = sorted(lines.items(), key=lambda item: (item[0][0], item[1]))
    sys.stdout.write(HEAD)
    for line, of in order:
        sys.stdout.write("\t".join([*map(str, line), ",".join(of)]) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
