"""Awkward pages of OpenMetrics."""

from case import MINUTE, ROUNDS, START, Case, by_round
from twin_proxy import OPENMETRICS, Reply


def openmetrics(text):
    body = text if isinstance(text, bytes) else text.encode()
    return Reply(body, OPENMETRICS)


EVERY_KIND = """\
# HELP req Requests, \\"quoted\\" and \\\\ and \\n.
# TYPE req counter
req_total{{code="200"}} {k}.0 # {{trace_id="a{k}"}} 0.5 {now}.25
req_created{{code="200"}} 1600000000.123
req_total{{code="500"}} {k} {past}.5
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{{le="0.1"}} {k} # {{trace_id="b{k}"}} 0.05
wait_seconds_bucket{{le="1"}} 1{k} # {{}} 0.7
wait_seconds_bucket{{le="+Inf"}} 2{k} # {{trace_id="\u2603",span="x"}} 3 {now}
wait_seconds_sum 3.5
wait_seconds_count 2{k}
wait_seconds_created 1600000000
# TYPE depth gaugehistogram
depth_bucket{{le="1.0"}} {k}
depth_bucket{{le="+Inf"}} 1{k}
depth_gsum 2
depth_gcount 1{k}
# TYPE rpc summary
rpc{{quantile="0.99"}} 0.{k}
rpc{{quantile="1"}} 1
rpc_sum 1
rpc_count {k}
# TYPE build info
build_info{{version="1.{k}"}} 1
# TYPE state stateset
state{{state="on"}} 1
state{{state="off"}} 0
# TYPE what unknown
what {k}
# TYPE heat gauge
heat NaN
# TYPE cold gauge
cold -Inf
# EOF
"""

# One a round, between two good samples and before the end.
ODD_LINES = [
    "odd  1", "odd 1 ", " odd 1", "odd\t1", "odd 1 1 1", "odd 1 1.5",
    "odd 1 -5", "odd 1 1e3", "odd 1 NaN", "odd 1 +Inf", "odd 1 0x10",
    "odd 1 1_0", "odd 1 99999999999999999999", "odd", "odd{} 1", "odd{a} 1",
    'odd{a="b",} 1', 'odd{a="b", c="d"} 1', 'odd {a="b"} 1', 'odd{a="b"}1',
    'odd{ a="b"} 1', 'odd{a="b" } 1', 'odd{a="1",a="2"} 1', '{"o.dd"} 1',
    '{"o.dd",a="b"} 1', '{a="b","o.dd"} 1', 'odd{"a.b"="c"} 1', '{a="b"} 1',
    'odd{a="b\nc"} 1', "# a comment\nodd 1", "#\nodd 1", "\nodd 1",
    "# HELP odd\nodd 1", "# HELP odd \nodd 1", "# HELP  odd x\nodd 1",
    "# TYPE odd counter\nodd 1", "# TYPE odd counter\nodd_total 1",
    "# TYPE odd banana\nodd 1", "# TYPE odd Counter\nodd 1",
    "# TYPE odd untyped\nodd 1", "# TYPE odd_total counter\nodd_total 1",
    "# UNIT odd seconds\nodd 1", "# UNIT odd_seconds seconds\nodd_seconds 1",
    "# UNIT oddseconds seconds\noddseconds 1", "# UNIT odd \nodd 1",
    "# UNIT odd\nodd 1", "# TYPE odd gauge\n# TYPE odd gauge\nodd 1",
    "# EOF\nodd 1", "# EOF ", "# EOF\n# EOF", "#EOF", "# eof\nodd 1",
    "odd 1 # {}", "odd 1 # {} 1", "odd 1 # {} 1 2", "odd 1 # {} 1 2 3",
    "odd 1 # {a=\"b\"}", 'odd 1 # {a="b"} x', 'odd 1 #{a="b"} 1',
    'odd 1 # {a="b",} 1', 'odd 1 # {a} 1', 'odd 1 # {a="b"} 1 NaN',
    'odd 1 # {a="b"} NaN', 'odd 1 # {a="b"} 1 -1', 'odd 1  # {a="b"} 1',
    'odd 1 # {a="b"}  1', 'odd 1 5 # {a="b"} 1', 'odd 1 # {"a.b"="c"} 1',
    f'odd 1 # {{a="{"x" * 127}"}} 1', f'odd 1 # {{a="{"x" * 128}"}} 1',
    f'odd 1 # {{a="{chr(0xfc) * 127}"}} 1',
    'odd{a="\\x"} 1', 'odd{a="\\n\\\\\\""} 1', b'odd{a="\xff"} 1',
    b"# HELP odd \xff\nodd 1", "odd 1e400", "odd 1_000", "odd 0x1p-2",
    "odd Inf", "odd inf", "odd nan", "odd +1", "odd 1\r", "odd\x00 1",
    "odd 1\x00", '# TYPE "o.dd" counter\n{"o.dd_total"} 1',
    '# TYPE odd info\nodd_info{a="b"} 1', "odd_created 5", "odd_total 5",
    "# TYPE odd counter\nodd_created 5\nodd_total 1",
    '# TYPE odd histogram\nodd_bucket{le="1"} 1\nodd_bucket{le="1e3"} 2',
    '# TYPE odd summary\nodd{quantile="1"} 1\nodd{quantile="x"} 2',
    '# TYPE odd gaugehistogram\nodd_bucket{le="1"} 1',
    "odd 1 1600000000.0005", "odd 1 1600000000.0004999", "odd 1 .5",
]


def odd_cases():
    cases = []
    for i in range(0, len(ODD_LINES), ROUNDS):
        lines = ODD_LINES[i:i + ROUNDS]

        def page(k):
            line = lines[k] if k < len(lines) else "odd 1"
            line = line.encode() if isinstance(line, str) else line
            return openmetrics(b'before{k="%d"} 1\n%s\nafter 2\n# EOF\n'
                               % (k, line))

        cases.append(Case(f"odd_openmetrics_{i // ROUNDS:02}", by_round(page)))
    return cases


def every_kind(k):
    return openmetrics(EVERY_KIND.format(
        k=k, now=START // 1000 + k, past=START // 1000 - 600 + k))


ENDS = ["a 1\n# EOF\n", "a 2\n# EOF", "a 3\n", "a 4", "", "# EOF\n",
        "a 5\n# EOF\n\n", "a 6\n# EOF\nb 1\n"]


def exemplars(k):
    """Of one series: again, newer, older, other labels, other value."""
    second = START // 1000
    told = [f' # {{id="1"}} 1 {second}', f' # {{id="1"}} 1 {second}',
            f' # {{id="2"}} 1 {second + 1}', f' # {{id="0"}} 1 {second - 60}',
            f' # {{id="3"}} 2 {second + 1}', ' # {id="4"} 3', "",
            ' # {id="4"} 3'][k]
    return openmetrics(f"# TYPE x counter\nx_total {k}{told}\n"
                       f'# TYPE y counter\ny_total {k} # {{n="{k}"}} {k}\n'
                       "# EOF\n")


def timed(k):
    past = (START - 30 * MINUTE) / 1000 + k
    return openmetrics(
        f"steady {k} {past:.3f}\nfine {k} {past:.6f}\nnegative {k} -{k + 1}\n"
        f"twice {k} {past:.3f}\ntwice {k} {past + 0.5:.3f}\nplain {k}\n"
        "# EOF\n" if k >= 2 else f"steady {k} {past:.3f}\n# EOF\n")


CASES = [
    Case("om_every_kind", by_round(every_kind), exemplars=True, stored=15),
    Case("om_ends", by_round(lambda k: openmetrics(ENDS[k]))),
    Case("om_exemplars", by_round(exemplars), exemplars=True),
    Case("om_timed", by_round(timed)),
    Case("om_utf8", by_round(lambda k: openmetrics(
        f'# TYPE "a.b" counter\n{{"a.b_total","l.x"="y"}} {k}\n'
        f'{{"pl\u00e4in"}} {k} # {{"t.id"="\u00fc"}} 1\n# EOF\n')),
         exemplars=True),
    Case("om_old_version", by_round(lambda k: Reply(
        f"# TYPE a gauge\na {k}\n# EOF\n".encode(),
        "application/openmetrics-text; version=0.0.1")),
         {"scrape_protocols": ["OpenMetricsText0.0.1"]}),
] + odd_cases()
