"""Formats of docs/openapi.yaml that the tool does not know, each with values that the service takes."""

import atexit
import json
import os
from base64 import urlsafe_b64encode
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from itertools import count
from urllib.parse import quote

import requests
import schemathesis
import yaml
from hypothesis import strategies as st

hosts = st.one_of(
    st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,10}){0,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
    st.sampled_from(["bücher.example", "xn--bcher-kva.example", "LOCALHOST", "a.", "127.1"]),
)
ports = st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format))
logins = st.sampled_from(["", "user@", "user:p%40ss@", ":@"])
tails = st.sampled_from(["", "/", "/a/b", "/%2e%2e", "//", "/ü", "?a=b", "/a?b=\\c#d", "#e", "/a1b2c3d4e5f6g7h8i9j0"])
schemes = st.sampled_from(["http", "https", "HTTP"])

schemathesis.openapi.format(
    "http-url",
    st.tuples(schemes, logins, hosts, ports, tails).map(lambda parts: "{}://{}{}{}{}".format(*parts)),
)

names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=100).filter(str.strip)

schemathesis.openapi.format("percent-encoded-name", names.map(lambda name: quote(name, safe="")))

# A key that begins with ~ can be named by its id alone, and the tool names what it has seen in answers by its key, too.
keys = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=100).filter(lambda key: key not in (".", "..") and key[0] != "~")

schemathesis.openapi.format("destination-id", keys.map(lambda key: "~" + urlsafe_b64encode(key.encode()).decode().rstrip("=")))

# Most texts of the form of a key are no key that holds.
schemathesis.openapi.format("access-key", st.sampled_from([os.environ.get("OPENAPI_API_KEY", "")]))

# The only time that a client sends is the end of a pause. It has to be in the future.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(min_value=datetime(2100, 1, 1), max_value=datetime(9999, 12, 30)).map(lambda time: time.isoformat(timespec="milliseconds") + "Z"),
)

# How far back GET /history looks. A time would have to be one of the last day.
schemathesis.openapi.format("time-or-length", st.sampled_from(["1s", "90s", "15m", "1h", "24h"]))


def is_time(text):
    return isinstance(text, str) and text[:2] == "20"


changes_of_actions = count()


def name_running_action(case):
    """
    Every fifth change of a bulk action is made of a new one. The others name one that was cancelled long ago, or none. No worker
    runs, so it stays as it is.
    """
    if case.operation.method.upper() == "GET" or not case.operation.path.startswith("/bulk-actions/{id}") or next(changes_of_actions) % 5 != 0:
        return
    made = requests.post(
        case.operation.base_url + "/bulk-actions",
        json={"action": "send_now", "ids": ["none"]},
        headers={"Authorization": "Bearer " + os.environ["OPENAPI_API_KEY"]},
        timeout=60,
    )
    made.raise_for_status()
    case.path_parameters["id"] = made.json()["id"]


removals_of_keys = count()


def name_new_key(case):
    """Every third right removal of a key is that of a new one. The others name one that is gone, or none."""
    if case.operation.label != "DELETE /keys/{id}" or case.meta is None or case.meta.generation.mode.value != "positive" or next(removals_of_keys) % 3 != 0:
        return
    made = requests.post(
        case.operation.base_url + "/keys",
        json={"name": "to be removed", "role": "read"},
        headers={"Authorization": "Bearer " + os.environ["OPENAPI_API_KEY"]},
        timeout=60,
    )
    made.raise_for_status()
    case.path_parameters["id"] = made.json()["id"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """What a contract cannot say: a reason stands in the query or in the body, a pause ends in the future, and lists of the last day go no further back."""
    # The times of answers, and of answers that are examples in the contract, are used as parameters of the same name.
    if case.operation.path in ("/history", "/failures") and case.query and is_time(case.query.get("since")):
        del case.query["since"]
    name_running_action(case)
    name_new_key(case)
    if not isinstance(case.body, dict):
        return
    if "reason" in case.body and case.query and "reason" in case.query:
        del case.query["reason"]
    # Times of earlier answers are used again in later requests.
    until = case.body.get("until")
    if is_time(until) and until < datetime.now(timezone.utc).isoformat():
        del case.body["until"]


CONTRACT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
METHODS = ("get", "put", "post", "patch", "delete")


def operations():
    """As the tool names them: `GET /tasks/{id}`."""
    paths = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in METHODS]


# How often each operation was answered with each status: {"GET /tasks": {"200": 61, "400": 40}}.
statuses = {operation: Counter() for operation in operations()}


@schemathesis.hook
def after_call(context, case, response):
    # Other methods are tried on the path of an operation, too.
    if response.request.method != case.operation.method.upper():
        return
    statuses.setdefault(case.operation.label, Counter())[str(response.status_code)] += 1


@atexit.register
def write_statuses():
    """For operation-coverage.mjs, which names the file. Without a name the statuses are not kept."""
    path = os.environ.get("OPENAPI_STATUSES_FILE")
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(statuses, file)
