"""The REST app, put together.

Promises: every route below /api knows its caller; every refusal is a problem; a body over the limit and a page that may
not be here are stopped before a route. The routes for probes are open: what a deployment shows to the outside is its
proxy's decision.
"""

from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry

from chatterbus_gateway.attachments.attachments import Attachments
from chatterbus_gateway.attachments.uploads import URL as ATTACHMENTS_URL
from chatterbus_gateway.notifier import Notifier
from chatterbus_gateway.rest import (
    attachments,
    hooks,
    members,
    message_changes,
    messages,
    own_state,
    own_threads,
    pages,
    reactions,
    receipts,
    revocations,
    search,
    threads,
    ticket,
    unread,
    users,
)
from chatterbus_gateway.rest.backend import Backend, Commands, Questions
from chatterbus_gateway.rest.body_limit import BodyLimit
from chatterbus_gateway.rest.faults import FaultsBecomeProblems
from chatterbus_gateway.rest.identity import Callers, Verifies
from chatterbus_gateway.rest.openapi import DESCRIPTION, TAGS, TITLE, describe_problems
from chatterbus_gateway.rest.page_guard import AllowedPages, LoopbackHostOnly
from chatterbus_gateway.rest.problems import answer_with_problems
from chatterbus_gateway.rest.request_rates import RequestRates
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.health import Health
from chatterbus_runtime.probe_server import probe_routes

# The address of a user's threads would also match the parts of a thread, so it comes last.
ROUTERS: Final = (
    messages.router,
    attachments.router,
    message_changes.router,
    reactions.router,
    receipts.router,
    members.router,
    own_state.router,
    unread.router,
    search.router,
    ticket.router,
    users.router,
    hooks.router,
    revocations.router,
    threads.router,
    own_threads.router,
)


def build_rest(
    settings: GatewaySettings,
    credentials: Verifies,
    store: Questions,
    command_queue: Commands,
    health: Health,
    registry: CollectorRegistry = REGISTRY,
    files: Attachments | None = None,
    tickets: ticket.Tickets | None = None,
    notifier: Notifier | None = None,
    revokes: revocations.Revokes | None = None,
) -> FastAPI:
    """The app, for the server that also takes the sockets. `registry` is what /metrics shows; without `files`,
    `tickets` or `revokes`, none are taken, given or made, and without `notifier` nothing is known of presence and
    webhooks. Starts nothing."""
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=version("chatterbus-gateway"),
        openapi_tags=TAGS,
        redoc_url=None,
        redirect_slashes=False,
    )
    rates = RequestRates(settings.gateway_rate_frames_per_s, settings.gateway_rate_burst_frames)
    app.state.callers = Callers(credentials, rates, dev_mode=settings.gateway_dev_mode)
    app.state.attachments = files
    app.state.tickets = tickets
    app.state.notifier = notifier
    app.state.revokes = revokes
    app.state.presence = users.PresenceView(notifier, platform=settings.gateway_presence_visibility == "platform")
    app.state.backend = Backend(store, command_queue, settings.gateway_id, settings.gateway_queued_after_s)
    probes = probe_routes(health, registry)
    documents = list(app.routes)
    for router in ROUTERS:
        app.include_router(router)
    shown = pages.page_routes(demo=settings.gateway_dev_mode) if settings.gateway_serve_client else []
    app.router.routes.extend([*probes, *shown])
    answer_with_problems(app, [*documents, *(route for router in ROUTERS for route in router.routes), *probes, *shown])
    describe_problems(app)
    _wrap(app, settings)
    return app


def _wrap(app: FastAPI, settings: GatewaySettings) -> None:
    """Middleware, innermost first. Problems of all of them pass through CORS, or a page could not read them."""
    allowed, dev = settings.gateway_allowed_origins, settings.gateway_dev_mode
    app.add_middleware(BodyLimit, streamed=frozenset({ATTACHMENTS_URL}))
    if dev:
        app.add_middleware(LoopbackHostOnly, allowed=allowed)
    app.add_middleware(FaultsBecomeProblems)
    app.add_middleware(AllowedPages, allowed=allowed, dev=dev)
