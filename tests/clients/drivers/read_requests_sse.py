"""Calls `count` by POST with requests-sse, which reconnects by itself, until it stops by itself: as the other two."""

import json
import sys
from datetime import timedelta

from requests import Session
from requests_sse import EventSource, InvalidStatusCodeError

url, _, *last = sys.argv[1:]
messages = []
session = Session()
answers = []
session.hooks["response"].append(lambda answer, *_args, **_options: answers.append(answer.status_code))
source = EventSource(
    url,
    method="POST",
    session=session,
    reconnection_time=timedelta(seconds=0.05),
    latest_event_id=last[0] if last else None,
    json={"tool": "count", "params": {"to": 3}},
)
try:
    with source as events:
        for event in events:
            message = json.loads(event.data)
            messages.append(message["error"]["code"] if "error" in message else message["type"])
except InvalidStatusCodeError:
    print(json.dumps({"messages": messages, "requests": len(answers), "stopped_by": answers[-1]}))
