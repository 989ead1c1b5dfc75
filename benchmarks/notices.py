"""Time sending a backlog of notices to a real HTTP receiver, with as many senders as a site has.

    PYTHONPATH=. python benchmarks/notices.py [--notices 500] [--senders 2] [--answer 0.05] [--url …]

``--answer`` is how long the receiver takes for one, in seconds. A site has two senders: the service and Dagster's
sensor; here they are threads of this process. Prints when the last one arrived, and how many came twice.
"""

import json
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from generated_history import arguments, history_at

from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.reporting.recipients import Address, Recipients
from resources.history.outbox import write_notices
from resources.notifier import Notifier


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--notices", type=int, default=500)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--answer", type=float, default=0.05)
    given = parser.parse_args()
    came: Counter[str] = Counter()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came[json.loads(self.rfile.read(int(self.headers["Content-Length"])))["key"]] += 1
            time.sleep(given.answer)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    notifier = Notifier(Recipients((Address(f"http://127.0.0.1:{server.server_port}/"),)))
    with history_at(given.url) as history:
        began = time.perf_counter()
        stamp = f"{time.time():.0f}"
        write_notices(history, [Notice(f"{stamp}-{n}", "p", "title", "body", "failure") for n in range(given.notices)])
        written = time.perf_counter() - began
        senders = [Thread(target=send_notices, args=(history, lambda _: notifier)) for _ in range(given.senders)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        twice = sum(number > 1 for number in came.values())
        print(
            f"{len(came)} of {given.notices} arrived, {twice} of them twice; written in {written:.2f} s, "
            f"the last sent {time.perf_counter() - began:.2f} s after the first was written"
        )


if __name__ == "__main__":
    main()
