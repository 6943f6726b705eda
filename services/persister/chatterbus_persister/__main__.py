"""`python -m chatterbus_persister` runs one persister."""

from chatterbus_persister.app import service_main
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.lifecycle import run
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load

if __name__ == "__main__":
    settings = load(PersisterSettings)
    configure_logging("persister", settings.log_level, settings.log_format)
    run(service_main(settings))
