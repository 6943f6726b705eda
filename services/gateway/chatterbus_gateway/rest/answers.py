"""Successful responses."""

from fastapi import Response


def passed_on(body: bytes, status: int = 200, *, location: str | None = None) -> Response:
    """JSON of the store as it is. It was checked against its model there, and is not decoded again."""
    headers = {"Location": location} if location is not None else None
    return Response(body, status_code=status, media_type="application/json", headers=headers)
