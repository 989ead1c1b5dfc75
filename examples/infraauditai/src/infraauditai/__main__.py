"""Start the service: ``python3 -m infraauditai``."""

import logging
import os
import signal
import threading

from infraauditai.logs import log_as_json
from infraauditai.service import Service


def main() -> None:
    log_as_json(os.environ.get("LOG_LEVEL", "info"))
    log = logging.getLogger("infraauditai")
    port = int(os.environ.get("PORT", "8080"))
    service = Service(("", port))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=service.shutdown).start())
    log.info("listening", extra={"fields": {"port": port, "not_ready": service.readiness()}})
    service.serve_forever(poll_interval=0.2)
    service.server_close()
    log.info("stopped")


main()
