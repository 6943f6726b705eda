"""The storage that the settings choose.

Promises: files go over a NATS connection of their own, so that a long upload is never in the way of a message.
"""

from __future__ import annotations

from chatterbus_contracts.objects import BUCKET
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_storage.nats_storage import NatsObjectStorage
from chatterbus_storage.object_storage import ObjectStorage
from chatterbus_storage.s3_storage import S3ObjectStorage, S3Place


async def open_storage(settings: GatewaySettings) -> ObjectStorage:
    """Connected; to be closed by the caller. Waits for a NATS that is not there."""
    timeout_s = settings.gateway_storage_timeout_s
    if settings.gateway_storage == "s3":
        return S3ObjectStorage(s3_place(settings), chunk_timeout_s=timeout_s)
    link = await NatsLink.connect(settings, f"{settings.gateway_id}-files")
    return NatsObjectStorage(
        link, BUCKET, chunk_timeout_s=timeout_s, replicas=settings.gateway_storage_replicas, closes_link=True
    )


def s3_place(settings: GatewaySettings) -> S3Place:
    """Where the settings say the bucket is."""
    access, secret = settings.gateway_s3_access_key, settings.gateway_s3_secret_key
    return S3Place(
        bucket=settings.gateway_s3_bucket,
        endpoint=settings.gateway_s3_endpoint,
        region=settings.gateway_s3_region,
        access_key=None if access is None else access.get_secret_value(),
        secret_key=None if secret is None else secret.get_secret_value(),
    )
