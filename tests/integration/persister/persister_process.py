"""The real process, `python -m chatterbus_persister`, and a gateway's side of the queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from chatterbus_contracts.commands import Command, encode_command, encode_parcel
from chatterbus_contracts.envelopes import decode_answers, decode_events
from chatterbus_contracts.ids import GatewayId
from chatterbus_contracts.subjects import (
    ALL_EVENTS,
    ALL_OWN_STATES,
    command_subject,
    gateway_subject,
    partition_of,
    store_subject,
)
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, PubAck
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.ledger_commands import GATEWAY
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.nats_server import free_port
from tests.kit.waiting import until

START_S: Final = 15.0
ANSWER_S: Final = 10.0
EXIT_S: Final = 10.0


class PersisterProcess:
    """One persister. `log` is everything it has logged so far, one dictionary a line."""

    def __init__(self, home: Path, name: str, nats_url: str, dsn: str, **settings: str) -> None:
        self.home = home
        self.failpoints = home / "failpoints"
        self.failpoints.mkdir(exist_ok=True)
        self.port = free_port()
        self._log = home / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._env = {
            "PATH": os.environ["PATH"],
            "NATS_URL": nats_url,
            "PERSISTER_DSN": dsn,
            "PERSISTER_PROBE_PORT": str(self.port),
            "PERSISTER_FAILPOINTS_DIR": str(self.failpoints),
            "PERSISTER_REBALANCE_INTERVAL_S": "0.2",
            "PERSISTER_PURGE_INTERVAL_S": "0.1",
            **settings,
        }

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatterbus_persister"], env=self._env, stdout=log, stderr=log
            )

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("event") == event]

    async def until_ready(self, partitions: int = PARTITIONS, timeout_s: float = START_S) -> None:
        """It holds that many partitions."""
        await until(lambda: self.partitions() == partitions, timeout_s, f"{partitions} partitions are held")

    def partitions(self) -> int:
        """How many it holds, by its log; -1 when it is gone."""
        if self.returncode is not None:
            return -1
        return len(self.logged("partition taken")) - len(self.logged("partition released"))

    @property
    def returncode(self) -> int | None:
        return -1 if self._process is None else self._process.poll()

    def arm(self, failpoint: str) -> None:
        (self.failpoints / failpoint).touch()

    def signal(self, signum: int) -> None:
        assert self._process is not None
        self._process.send_signal(signum)

    async def ended(self, timeout_s: float = EXIT_S) -> int:
        """Its exit code."""
        await until(lambda: self.returncode is not None, timeout_s, "the persister has ended")
        assert self.returncode is not None
        return self.returncode

    async def start_again(self) -> None:
        """After its end: with a log of its own."""
        self._log.unlink()
        self.start()
        await self.until_ready()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(EXIT_S)


class Sender:
    """A gateway as the queue sees it: publishes parcels, collects answers and events."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.publisher = JetStreamPublisher(link, ack_timeout_s=5.0)
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.own_states: list[dict[str, Any]] = []
        self.asking_failed = 0
        link.listen(gateway_subject(GatewayId(GATEWAY)), self._answered)
        link.listen(ALL_EVENTS, self._happened)
        link.listen(ALL_OWN_STATES, self._changed)

    @classmethod
    async def connect(cls, nats_url: str) -> Sender:
        link = await NatsLink.connect(ServiceSettings(nats_url=nats_url), "sender", connect_patience_s=10)
        sender = cls(link)
        await link.flush(5)
        return sender

    def _answered(self, message: Message) -> None:
        for answer in decode_answers(message.data):
            self.answers.setdefault(answer.command_id, []).append(json.loads(answer.frame))

    def _happened(self, message: Message) -> None:
        self.events += [json.loads(event.frame) for event in decode_events(message.data)]

    def _changed(self, message: Message) -> None:
        self.own_states += [json.loads(event.frame) for event in decode_events(message.data)]

    async def publish(self, *commands: Command) -> None:
        """One parcel of one partition; again until the queue has it, as its duplicate window allows."""
        subject = command_subject(partition_of(commands[0].thread_id, PARTITIONS), GatewayId(GATEWAY))
        parcel = encode_parcel([encode_command(command) for command in commands])
        await self.publish_raw(subject, parcel, commands[0].id)

    async def publish_raw(self, subject: str, parcel: bytes, message_id: str) -> None:
        async def taken() -> bool:
            try:
                return isinstance(await self.publisher.publish_wait(subject, parcel, message_id=message_id), PubAck)
            except LinkError:
                return False

        await until(taken, ANSWER_S, "the queue has the parcel")

    async def answer(self, command: Command, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        await until(lambda: command.id in self.answers, timeout_s, f"{command.kind} is answered")
        return self.answers[command.id][0]

    async def ask(self, command: Command, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """Publish it alone, and its answer."""
        await self.publish(command)
        return await self.answer(command, timeout_s)

    async def query(self, name: str, **ask: Any) -> Message:
        return await self.link.request(store_subject(name), json.dumps(ask).encode(), 5.0)

    async def close(self) -> None:
        self.publisher.close()
        await self.link.close()


StartPersister = Callable[..., PersisterProcess]


async def messages_of(sender: Sender, thread: str, user: str = "ann") -> list[dict[str, Any]]:
    """The stored messages, by the store service, when it is there."""
    page: list[dict[str, Any]] = []

    async def asked() -> bool:
        try:
            answer = await sender.query("history", threadId=thread, userId=user, afterSeq=0, limit=200)
        except (LinkError, TimeoutError):
            return False
        if answer.headers:
            return False
        page[:] = json.loads(answer.data)["items"]
        return True

    await until(asked, ANSWER_S, "the history is answered")
    return page
