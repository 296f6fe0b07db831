"""Formats of docs/openapi.yaml that the tool does not know, each with values that the service takes."""

import schemathesis
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
