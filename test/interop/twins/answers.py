"""Awkward answers, and what a scrape_config makes of a page."""

from case import ROUNDS, Case, by_round
from twin_proxy import OPENMETRICS, TEXT, Reply

PAGE = 'a{job="own",instance="here",exported_job="x"} 1\nb{c="d"} 2\n'


def page(k, **more):
    return Reply(f"value {k}\nother{{k=\"v\"}} {k}.5\n".encode(), **more)


def failing(k):
    """Good pages between answers that are none."""
    good = page(k, close=True)
    bad = [None, page(k, status="500 Internal Server Error", close=True),
           Reply(raw=b""), Reply(raw=b"garbage\r\n\r\nvalue 1\n"), None,
           page(k, promised=10_000, close=True),
           page(k, status="204 No Content", close=True), None]
    return bad[k] or good


def slow(k):
    return page(k, delay=4 if k in (2, 3) else 0, close=True)


def lying(k):
    packed = "Content-Encoding: gzip"
    return [
        page(k, packed=True),
        page(k, headers=(packed,), close=True),
        page(k, chunks=(b"value 1\n", b"other 2\n")),
        Reply(b"value 7\nother 8\n", promised=8, close=True),
        Reply(raw=b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nv 1\n"),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
              b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n5\r\nv 1\n\r\n"),
        page(k, packed=True),
    ][k]


TYPES = ["", "text/plain", "text/plain;charset=utf-8", "TEXT/PLAIN",
         "application/json", "nonsense", "text/plain; version", "text/html"]


def typed(k):
    return page(k, type=TYPES[k])


def typed_strictly(k):
    reply = page(k, type=[OPENMETRICS, "application/openmetrics-text", TEXT,
                          "application/openmetrics-text; version=7", "",
                          "text/plain;", ";", "a/b; c=d"][k])
    if "openmetrics" in reply.type:
        reply.body += b"# EOF\n"
    return reply


def redirect(to, status="302 Found"):
    return Reply(status=status, headers=(f"Location: {to}",))


def growing(k):
    return "".join(f'grows{{n="{i}"}} {k}\n' for i in range(2 * k + 1))


def labelled(k):
    long = "x" * (12 * k)
    return f'a{{b="{long}"}} {k}\nshort{{c="1"}} {k}\n'


def named(k):
    return f'a{{{"n" * (5 * k + 1)}="v"}} {k}\nshort{{c="1"}} {k}\n'


def many_labels(k):
    pairs = ",".join(f'l{i}="v"' for i in range(2 * k))
    return f"a{{{pairs}}} {k}\nshort 1\n"


def rules(*steps):
    return {"metric_relabel_configs": list(steps)}


RELABELLED = (
    'keep_me{x="1",y="2",tmp_a="p"} %d\ndrop_me 1\nmerge{part="a"} %d\n'
    'merge{part="b"} 5\nrename_me{x="New"} 2\nhash{x="%d"} 3\n'
    'drop_me_too{drop="yes"} 1\n')
RELABEL = rules(
    {"source_labels": ["__name__"], "regex": "drop_me.*", "action": "drop"},
    {"regex": "part", "action": "labeldrop"},
    {"source_labels": ["x"], "regex": "(N)ew", "target_label": "__name__",
     "replacement": "renamed_$1"},
    {"regex": "tmp_(.+)", "replacement": "mapped_$1", "action": "labelmap"},
    {"source_labels": ["x", "y"], "modulus": 7, "target_label": "shard",
     "action": "hashmod"},
    {"source_labels": ["y"], "target_label": "y", "replacement": ""},
)

CASES = [
    Case("failing", by_round(failing), old=True, own_port=True),
    Case("slow", by_round(slow), {"scrape_timeout": "1s"}, old=True),
    Case("lying", by_round(lying), own_port=True),
    Case("uncompressed", by_round(lambda k: page(k, packed=True)),
         {"enable_compression": False}),
    Case("content_types", by_round(typed)),
    Case("content_types_strict", by_round(typed_strictly)),
    Case("content_types_fallback", by_round(typed),
         {"fallback_scrape_protocol": "PrometheusText0.0.4"}),
    Case("content_types_wrong_fallback", by_round(typed_strictly),
         {"fallback_scrape_protocol": "OpenMetricsText1.0.0"}),
    Case("redirected", by_round(lambda k: redirect("/arrived?k=v")), old=True,
         paths={"/arrived": by_round(page)}),
    Case("redirected_in_circles", by_round(lambda k: redirect(
        "/redirected_in_circles" if k < 4 else "/there", "307 Temporary")),
         paths={"/there": by_round(page)}, stored=0),
    Case("redirect_not_followed", by_round(
        lambda k: redirect("/nowhere", "301 Moved Permanently")
        if k % 2 else page(k)), {"follow_redirects": False}, old=True),
    Case("endless", by_round(
        lambda k: Reply(endless=b"value 1\n" * 1000) if k == 2 else page(k)),
        {"body_size_limit": "1MB"}, old=True),
    Case("body_limit", by_round(
        lambda k: Reply(b"v 1\n" + b"#" * (1019 + k - 4) + b"\n", packed=k % 2)
    ), {"body_size_limit": "1KB"}, old=True),
    Case("bomb", by_round(
        lambda k: Reply(b"v 1\n" * (1 if k != 3 else 5_000_000), packed=True)),
        {"body_size_limit": "2MB"}, old=True),
    Case("sample_limit", by_round(growing), {"sample_limit": 7}, old=True),
    Case("sample_limit_after_rules", by_round(growing), {
        "sample_limit": 7, **rules({"source_labels": ["n"], "regex": "[0-3]",
                                    "action": "drop"})}, old=True),
    Case("label_value_limit", by_round(labelled),
         {"label_value_length_limit": 50}, old=True),
    Case("label_name_limit", by_round(named),
         {"label_name_length_limit": 20}, old=True),
    Case("label_limit", by_round(many_labels), {"label_limit": 12}, old=True),
    Case("target_limit", by_round(page), {"target_limit": 1}, old=True,
         targets=2, asked=False, stored=0),
    Case("two_targets", by_round(lambda k: page(0)), old=True, targets=2),
    Case("conflicts", by_round(lambda k: PAGE), old=True,
         labels={"c": "target", "exported_c": "target too"}),
    Case("conflicts_honored", by_round(
        lambda k: PAGE + 'e{job="",instance=""} 1\n'),
        {"honor_labels": True}, old=True,
         labels={"c": "target", "exported_c": "target too"}),
    Case("exported_chain", by_round(
        lambda k: 'm{a="1",exported_a="2",exported_exported_a="3"} 1\n'
                  'm{exported_a="4"} 2\n'), old=True,
         labels={"a": "t", "exported_a": "u"}),
    Case("relabelled", by_round(lambda k: RELABELLED % (k, k, k)), RELABEL,
         old=True),
    Case("relabelled_nameless", by_round(
        lambda k: f"good {k}\n" + ("bad 1\n" if k in (3, 4) else "")),
         rules({"source_labels": ["__name__"], "regex": "bad",
                "target_label": "__name__", "replacement": ""}), old=True),
    Case("relabelled_to_report", by_round(lambda k: f"value {k}\n"),
         rules({"source_labels": ["__name__"], "regex": "value",
                "target_label": "__name__", "replacement": "up"}), old=True,
         stored=0),
    Case("report_names_on_page", by_round(
        lambda k: f"up {k}\nscrape_duration_seconds 7\nup{{x=\"y\"}} 2\n"),
         old=True, stored=0),
    Case("asked_with", by_round(page), {
        "params": {"b": ["1", "2"], "a b": ["\u00fc&=?"], "n": ["first"]},
        "basic_auth": {"username": "us:er", "password": "p\u00e4ss"},
        "relabel_configs": [
            {"target_label": "__param_n", "replacement": "other"},
            {"source_labels": ["__param_n"], "target_label": "n"}]}, old=True),
    Case("asked_with_token", by_round(page), {
        "authorization": {"type": "Custom", "credentials": "t0ken"},
        "http_headers": {"X-One": {"values": ["1", "2"]},
                         "X-Secret": {"secrets": ["s"]}}}),
    Case("legacy_scheme", by_round(page), {
        "metric_name_validation_scheme": "legacy",
        "metric_name_escaping_scheme": "underscores",
        "scrape_protocols": ["PrometheusText1.0.0", "OpenMetricsText1.0.0",
                             "PrometheusText0.0.4"]}),
    Case("slower", by_round(page), {"scrape_interval": "3s",
                                    "scrape_timeout": "1500ms"}, old=True),
]
assert len(TYPES) == ROUNDS
