"""Where the bytes of attachments are kept: the bucket, and the keys of objects, built in this one place.

Promises: a key is made of `A-Z a-z 0-9 _ - = .` and one `/`, whatever the id holds, and different ids give different
keys. A file and its thumbnail are two objects.
"""

from typing import Final

from chatterbus_contracts.ids import AttachmentId, split_attachment_id
from chatterbus_contracts.subjects import token

BUCKET: Final = "attachments"


def file_key(attachment_id: AttachmentId) -> str:
    """The key of a file. Raises InvalidId."""
    thread_id, _ = split_attachment_id(attachment_id)
    return f"{token(thread_id)}/{attachment_id.rpartition('~')[2]}"


def thumbnail_key(attachment_id: AttachmentId) -> str:
    """The key of its thumbnail. Raises InvalidId."""
    return f"{file_key(attachment_id)}.thumbnail"
