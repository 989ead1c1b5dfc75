#!/opt/infraaudit/bin/python3
"""Exit 0 where Dagster's daemon has sent a heartbeat within the last two minutes, as its database knows.

One recent heartbeat is enough: the daemon itself exits when one of its threads dies or hangs. Deliberately
absent: Dagster, whose program for this (`dagster-daemon liveness-check`) takes 3 CPU seconds each time, and waits half
an hour before it calls a daemon dead.
"""

import os
import sys

import psycopg2

URL = os.environ["INFRAAUDIT_DAGSTER_DATABASE_URL"].replace("+psycopg2", "", 1)
# Timestamps are UTC without a time zone; Dagster writes one every 30 seconds.
SILENCE = "SELECT extract(epoch FROM now() AT TIME ZONE 'UTC' - max(timestamp)) FROM daemon_heartbeats"

try:
    with psycopg2.connect(URL, connect_timeout=5) as database, database.cursor() as cursor:
        cursor.execute(SILENCE)
        (seconds,) = cursor.fetchone() or (None,)
except psycopg2.Error as error:
    sys.exit(f"the daemon's heartbeats cannot be read: {error}")
if seconds is None or seconds > 120:
    sys.exit(
        "the daemon has sent no heartbeat yet" if seconds is None else f"the last heartbeat is {seconds:.0f} s old"
    )
