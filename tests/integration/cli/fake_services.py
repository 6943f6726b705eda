"""Stand-ins for the three services, so that `up` is tested as it is and without them.

They are packages of the same names, found first through PYTHONPATH; each serves /readyz on the port its real self would
use, and leaves the environment it was given in a file for the test to read.
"""

import json
import textwrap
from pathlib import Path

SERVE = """
    import http.server, json, os, signal, sys
    from pathlib import Path

    def leave_environment(name):
        Path(os.environ["FAKES_REPORT_TO"], f"{name}.json").write_text(json.dumps(dict(os.environ)))

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
        def log_message(self, *args):
            pass

    def serve(name, port):
        leave_environment(f"{name}-{port}")
        print(json.dumps({"level": "info", "event": "started", "service": name}), flush=True)
        signal.signal(signal.SIGTERM, lambda *_: (leave_environment(f"{name}-{port}-stopped"), os._exit(0)))
        http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""
MAIN = """
    import os, sys
    from fake_serve import serve
    if os.environ.get("FAKE_BROKEN") == "{service}":
        sys.exit("no luck today")
    serve("{service}", int(os.environ["{variable}"]))
"""
MIGRATE = """
    import psycopg, os
    from fake_serve import leave_environment
    leave_environment("migrate")
    with psycopg.connect(os.environ["PERSISTER_DSN"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS migrated (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO migrated DEFAULT VALUES")
"""
PORT_VARIABLES = {
    "gateway": "GATEWAY_PORT",
    "persister": "PERSISTER_PROBE_PORT",
    "notifier": "NOTIFIER_PROBE_PORT",
}


def write_packages(root: Path) -> None:
    """Write the stand-ins below `root`, to be put first on PYTHONPATH."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "fake_serve.py").write_text(textwrap.dedent(SERVE))
    for service, variable in PORT_VARIABLES.items():
        package = root / f"chatterbus_{service}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(textwrap.dedent(MAIN.format(service=service, variable=variable)))
    (root / "chatterbus_persister" / "migrate.py").write_text(textwrap.dedent(MIGRATE))


def environment_of(root: Path, name: str) -> dict[str, str]:
    """What the stand-in called `name` ('gateway-8080', 'migrate') was given."""
    given: dict[str, str] = json.loads((root / f"{name}.json").read_text())
    return given
