"""The storage that the settings choose, where files are collected from."""

from chatterbus_contracts.objects import BUCKET
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_storage.nats_storage import NatsObjectStorage
from chatterbus_storage.object_storage import ObjectStorage
from chatterbus_storage.s3_storage import S3ObjectStorage, S3Place


def storage_of(settings: PersisterSettings, link: NatsLink) -> ObjectStorage:
    """Opens nothing of its own in NATS: removing is a few small requests, which the persister's link carries too."""
    timeout_s = settings.persister_storage_timeout_s
    if settings.persister_storage == "s3":
        return S3ObjectStorage(s3_place(settings), chunk_timeout_s=timeout_s)
    return NatsObjectStorage(link, BUCKET, chunk_timeout_s=timeout_s)


def s3_place(settings: PersisterSettings) -> S3Place:
    """Where the settings say the bucket is."""
    access, secret = settings.persister_s3_access_key, settings.persister_s3_secret_key
    return S3Place(
        bucket=settings.persister_s3_bucket,
        endpoint=settings.persister_s3_endpoint,
        region=settings.persister_s3_region,
        access_key=None if access is None else access.get_secret_value(),
        secret_key=None if secret is None else secret.get_secret_value(),
    )
