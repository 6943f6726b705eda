"""The storages, each against a real server of its kind."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from chatterbus_storage.nats_storage import NatsObjectStorage
from chatterbus_storage.object_storage import ObjectStorage
from chatterbus_storage.s3_storage import S3ObjectStorage, S3Place
from tests.kit.nats_server import NatsServer

BUCKET = "objects"
CHUNK_TIMEOUT_S = 10.0


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 on the loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3_client(s3_endpoint: str) -> object:
    """Another client of the same S3, with an empty bucket."""
    client = boto3.client(
        "s3", endpoint_url=s3_endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket=BUCKET)
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    return client


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    """To the test's NATS."""
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    yield link
    await link.close(1)


@pytest.fixture
def nats_storage(link: NatsLink) -> NatsObjectStorage:
    return NatsObjectStorage(link, BUCKET, chunk_timeout_s=CHUNK_TIMEOUT_S)


@pytest.fixture
def s3_storage(s3_endpoint: str, s3_client: object) -> S3ObjectStorage:
    place = S3Place(BUCKET, s3_endpoint, "us-east-1", "k", "s")
    return S3ObjectStorage(place, chunk_timeout_s=CHUNK_TIMEOUT_S)


@pytest.fixture(params=["nats", "s3"])
def storage(request: pytest.FixtureRequest) -> ObjectStorage:
    """Either one: they can not be told apart."""
    made: ObjectStorage = request.getfixturevalue(f"{request.param}_storage")
    return made
