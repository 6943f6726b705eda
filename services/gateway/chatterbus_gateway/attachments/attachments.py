"""What the routes for files do their work with."""

from __future__ import annotations

from dataclasses import dataclass

from chatterbus_gateway.attachments.downloads import Downloads
from chatterbus_gateway.attachments.picture_workers import PictureWorkers
from chatterbus_gateway.attachments.transfers import Transfers
from chatterbus_gateway.attachments.uploads import Uploads
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_storage.object_storage import ObjectStorage


@dataclass(frozen=True, slots=True)
class Attachments:
    """One per gateway."""

    uploads: Uploads
    downloads: Downloads
    transfers: Transfers
    max_bytes: int
    idle_timeout_s: float

    @classmethod
    def over(cls, storage: ObjectStorage, settings: GatewaySettings) -> Attachments:
        """All parts, over one storage."""
        transfers = Transfers(
            settings.gateway_attachment_transfers_max, settings.gateway_attachment_transfers_per_user_max
        )
        idle_timeout_s = settings.gateway_attachment_idle_timeout_s
        workers = PictureWorkers(
            at_once=settings.gateway_pictures_at_once, timeout_s=settings.gateway_picture_timeout_s
        )
        return cls(
            uploads=Uploads(storage, workers, spool_max_bytes=settings.gateway_picture_max_bytes),
            downloads=Downloads(storage, transfers, idle_timeout_s=idle_timeout_s),
            transfers=transfers,
            max_bytes=settings.gateway_attachment_max_bytes,
            idle_timeout_s=idle_timeout_s,
        )

    async def close(self) -> None:
        """After the last request."""
        await self.uploads.close()
