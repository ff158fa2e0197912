"""An SFTP server of this machine that misbehaves as it is told."""

import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import paramiko


@dataclass
class Mischief:
    """What goes wrong, how often."""

    cut_after: list[int] = field(default_factory=list)  #: bytes; one for each connection, then none
    short: int = 0  #: bytes that files lack, and no one says so
    garbage: int = 0  #: times that other bytes are sent than are there
    connections: int = 0  #: counted
    sent: int = 0  #: bytes


class _Handle(paramiko.SFTPHandle):
    def __init__(self, file, mischief, transport):
        super().__init__()
        self.readfile, self.mischief, self.transport = file, mischief, transport
        self.left = mischief.cut_after.pop(0) if mischief.cut_after else None

    def read(self, offset, length):
        data = super().read(offset, length)
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                self.transport.sock.shutdown(socket.SHUT_RDWR)
        self.mischief.sent += len(data)
        return b"\0" * len(data) if self.mischief.garbage else data

    def close(self):
        self.mischief.garbage = max(0, self.mischief.garbage - 1)
        super().close()


def _interface(root, mischief, transport):
    class Files(paramiko.SFTPServerInterface):
        def stat(self, path):
            result = paramiko.SFTPAttributes.from_stat(os.stat(root / path.lstrip("/")))
            result.st_size += mischief.short
            return result

        def open(self, path, flags, attr):
            return _Handle((root / path.lstrip("/")).open("rb"), mischief, transport)

    return Files


class _Door(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        well = (username, password) == ("ice", "anonymous")
        return paramiko.AUTH_SUCCESSFUL if well else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


@contextmanager
def served(root, mischief):
    """Port and key of a server of the files below `root`."""
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    transports = []

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            mischief.connections += 1
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            files = _interface(root, mischief, transport)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            transports.append(transport)
            try:
                transport.start_server(server=_Door())
            except (paramiko.SSHException, EOFError):
                continue

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], key
    finally:
        listener.close()
        for transport in transports:
            transport.close()
