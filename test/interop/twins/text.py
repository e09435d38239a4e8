"""Awkward pages in the text format."""

import os
import re

from case import MINUTE, ROUNDS, START, Case, by_round
from twin_proxy import Reply

EVERY_KIND = """\
# HELP requests_total Help with a \\\\ backslash and a \\n line end, "quotes".
# TYPE requests_total counter
requests_total{{method="get",code="200"}} {k}
requests_total{{ method = "post" , code = "500" , }} {k}.5
# Just a comment
#
#HELP not_a_keyword text
# TYPE temperature gauge
temperature{{room="a \\"b\\" \\\\ c\\nd"}} -{k}.25
temperature	{{room="tabs"	}}	1e{k}
untyped 1{k}
# TYPE untyped_typed untyped
untyped_typed{{}} 7
# TYPE latency histogram
latency_bucket{{le="0.1"}} {k}
latency_bucket{{le="1"}} 1{k}
latency_bucket{{le="+Inf"}} 2{k}
latency_sum 12.{k}
latency_count 2{k}
# TYPE rpc summary
rpc{{quantile="0.5"}} 0.{k}
rpc{{quantile="1"}} 1.{k}
rpc{{quantile="nonsense"}} 2
rpc_sum 3
rpc_count {k}
# TYPE plain gauge
plain{{le="1",quantile="2"}} 1
colon:name:rate5m 3
_underscore{{_l="",__x="y"}} 4
empty_label{{a="",b="c"}} 5
utf8_value{{city="Z\u00fcrich \u2603 \U0001f600"}} {k}
"""

NUMBERS = ["0", "-0", "+1", "1.", ".5", "1e3", "1E-3", "1e+03", "NaN", "nan",
           "+Inf", "-Inf", "Inf", "inf", "infinity", "-infinity", "+inf",
           "9007199254740993", "0.1", "1.7976931348623157e308", "5e-324",
           "2.2250738585072011e-308", "123456789012345678901234567890",
           "0.30000000000000004", "1e-400", "00012", "1e05", "-1e-05"]

# One a round, between two good samples: is it taken, and what is counted?
ODD_LINES = [
    "odd 0x1p-2", "odd 1_000", "odd 1e400", "odd -1e400", "odd", "odd ",
    "odd{", "odd{}", "odd{} ", "odd{a} 1", "odd{a=} 1", "odd{a=b} 1",
    'odd{a="b} 1', 'odd{a="b"', 'odd{a="b" 1', 'odd{a="b"} x', 'odd{a="b"}1',
    'odd{a="b",} 1', 'odd{,a="b"} 1', 'odd{a="b",,c="d"} 1', 'odd{,} 1',
    'odd{a="b" c="d"} 1', 'odd{a="b"} 1 x', 'odd{a="b"} 1 1.5',
    'odd{a="b"} 1 -5', 'odd{a="b"} 1 99999999999999999999', "odd 1 2 3",
    'odd{a="1",a="2"} 1', 'odd{a="1",a="1"} 1', 'odd{1a="b"} 1', "1odd 1",
    "o-dd 1", "o.dd 1", 'odd{a.b="c"} 1', 'odd{"a.b"="c"} 1', '{"odd"} 1',
    '{"o.dd",a="b"} 1', '{a="b","o.dd"} 1', '{"odd","again"} 1', '{a="b"} 1',
    '{} 1', 'odd{"again"} 1', '{"odd"="x"} 1', '{"odd"', '{"odd} 1',
    '{__name__="odd"} 1', 'odd{__name__="x"} 1', '{"odd",__name__="x"} 1',
    'odd{a="\\x"} 1', 'odd{a="\\"} 1', 'odd{a="\\\\"} 1', 'odd{a="\\n"} 1',
    b'odd{a="\xff"} 1', b'odd{a="\xc3\x28"} 1', b"od\xffd 1",
    b'{"o\xffdd"} 1', 'odd{a="b"}\t1\t', "odd 1\t ", "odd 1\r", "\rodd 1",
    "odd\t1", "odd  1  12345", 'odd {a="b"} 1', 'odd{a = "b"} 1',
    'odd{a="b"} NAN', "odd Infinity", "odd InF", "odd ++1", "odd +-1",
    "odd --1", "odd 1e", "odd 1e+", "odd .", "odd e1", "odd 1,5", "odd 1 1e3",
    "# TYPE odd banana\nodd 1", "# TYPE odd\nodd 1", "# TYPE\nodd 1",
    "# TYPE odd counter extra\nodd 1", "# TYPE  odd  counter\nodd 1",
    "# TYPE odd counter \nodd 1", "#\tTYPE\todd\tcounter\nodd 1",
    "# TYPE odd info\nodd 1", "# TYPE odd Counter\nodd 1",
    "# HELP odd\nodd 1", "# HELP odd \nodd 1", "# HELP\nodd 1",
    b"# HELP odd \xff\nodd 1", "# HELP odd a\\b\\n\\\\\nodd 1",
    '# TYPE "o.dd" counter\n{"o.dd"} 1', '# HELP "o.dd" text\n{"o.dd"} 1',
    "# UNIT odd seconds\nodd 1", "# EOF\nodd 1", "# EOF", "\n\n\nodd 1",
    "   \nodd 1", "\t\nodd 1", "odd 1 # a comment", "odd 1 #", "\x00odd 1",
    "odd \x001", "odd\x00 1", 'odd{a="\x00"} 1', "odd 1\x00", "odd 1\n\x00",
    "# a\x00comment\nodd 1", 'odd{a="b\nc"} 1', 'odd{a\n="b"} 1', "odd\n1",
    'odd{\na="b"} 1', "odd 1\n2", "odd 1 \n odd2 2", 'a{b="c"}{d="e"} 1',
    'odd{a="b"}} 1', 'odd{{a="b"} 1', "odd 1 1\u00a0", "\u00fcmlaut 1",
    "odd\u00a01", "odd \u0661", "odd{a='b'} 1", 'odd{a="b";c="d"} 1',
    'odd{a=="b"} 1', 'odd(a="b") 1', "odd=1", "odd: 1", ":odd 1", "odd;1",
    'odd{le="1e400"} 1', 'odd{le="0x1p-2"} 1', 'odd{le=""} 1',
    '# TYPE odd histogram\nodd_bucket{le="0x1p-2"} 1\nodd_bucket{le=""} 2',
    '# TYPE odd histogram\nodd_bucket{le="1e3"} 1\nodd_bucket{le="1000"} 2',
    '# TYPE odd histogram\nodd_bucket{le="1e23"} 1\nodd_bucket{le="NaN"} 2',
    '# TYPE odd histogram\nodd_bucket{le="0.0000001"} 1',
    '# TYPE odd summary\nodd{quantile="1e-7"} 1\nodd{quantile="1_0"} 2',
]
# 2.42 reads these otherwise than 3.5: names in quotes, bounds of buckets,
# blanks before names.
NEW_SYNTAX = ('"o', '"odd"', '"a.b"', '{"', '"again"', 'le="', "\n odd2")


def odd_cases():
    cases = []
    for i in range(0, len(ODD_LINES), ROUNDS):
        lines = ODD_LINES[i:i + ROUNDS]

        def page(k):
            line = lines[k] if k < len(lines) else "odd 1"
            line = line.encode() if isinstance(line, str) else line
            return b'before{k="%d"} 1\n%s\nafter 2\n' % (k, line)

        def is_new(line):
            line = line if isinstance(line, str) else line.decode("latin-1")
            return any(quoted in line for quoted in NEW_SYNTAX)

        cases.append(Case(f"odd_lines_{i // ROUNDS:02}", by_round(page),
                          old=not any(map(is_new, lines))))
    return cases


def timed(k):
    """Explicit timestamps; each series a story of its own."""
    past = START - 30 * MINUTE + 1000 * k
    lines = [
        f"steady {k} {past}",
        f"repeated {k // 4} {START - 20 * MINUTE}",
        f"other_value_same_time {k} {START - 20 * MINUTE}",
        f"backwards {k} {START - 20 * MINUTE - 1000 * k}",
        f"soon {k} {START + 5 * MINUTE + 1000 * k}",
        f"too_far_ahead {k} {START + 30 * MINUTE}",
        f"twice {k} {past}", f"twice {k + 0.5} {past + 500}",
        f"twice_the_same {k} {past}", f"twice_the_same {k} {past}",
        f"twice_backwards {k} {past + 500}", f"twice_backwards {k} {past}",
    ]
    if k >= 2:  # by then the head knows what time it is
        lines += [f"too_old {k} {START - 90 * MINUTE + 1000 * k}",
                  f"begin_of_time {k} 0", f"later_old {k} 1"]
    if k != 4:
        lines.append(f"pauses {k} {past}")
    if k % 2:
        lines.append(f"sometimes_timed {k} {START - 40 * MINUTE + 1000 * k}")
    else:
        lines.append(f"sometimes_timed {k}")
    lines.append(f"ahead_then_now {k} {START + 3 * MINUTE}" if k == 1
                 else f"ahead_then_now {k}")
    lines.append(f"untimed {k}")
    return "\n".join(lines) + "\n"


def vanishing(k):
    lines = ["always 1"]
    if k not in (3, 4):
        lines.append(f'comes_back{{k="x"}} {k}')
    if k < 2:
        lines.append(f"leaves {k}")
    if k >= 5:
        lines.append(f"arrives {k}")
    lines.append(f'renamed{{k="{k}"}} 1')
    if k % 2:
        lines.reverse()
    return "\n".join(lines) + "\n"


def duplicates(k):
    return (f"same 1\nsame 1\ndiffers {k}\ndiffers {k + 1}\n"
            f'order{{a="1",b="2"}} {k}\norder{{b="2",a="1"}} {k + 1}\n'
            f"blank  {k}\nblank {k + 5}\nblank{{}} {k + 7}\n")


def typed(k):
    kinds = ["counter", "gauge", "histogram", "summary", "untyped"]
    kind = kinds[k % len(kinds)]
    return (f"# HELP turns Help {k}\n# TYPE turns {kind}\n"
            f'turns{{le="1"}} {k}\nturns{{quantile="1"}} {k}\nturns {k}\n'
            f'turns_bucket{{le="1"}} {k}\n# TYPE turns gauge\n'
            f'turns{{le="2"}} {k}\n# TYPE late counter\n')


def big(k):
    lines = [f'big{{n="{i}",text="{"x" * (i % 70)}"}} {i * k}'
             for i in range(3_000)]
    return Reply("\n".join(lines).encode() + b"\n", packed=True)


def number_page(k):
    lines = [f'number{{text="{n}"}} {n}' for n in NUMBERS]
    lines += [f'random{{n="{i}"}} {pow(7, 13 * k + i, 10**17 + 3)}e-{i % 30}'
              for i in range(300)]
    return "\n".join(lines) + "\n"


def growing_page(name):
    """A file of pages/, its numbers a little larger every round."""
    path = os.path.join(os.path.dirname(__file__), "..", "pages", name)
    with open(path, encoding="utf-8") as f:
        page = f.read()

    def larger(k):
        return re.sub(r"(?m)^(\w.*[} ])(\d[\d.]*)$",
                      lambda m: f"{m[1]}{float(m[2]) + k!r}", page)
    return by_round(larger)


CASES = [
    Case("dcgm_exporter", growing_page("dcgm_exporter.txt"), old=True,
         stored=10),
    Case("micrometer_actuator", growing_page("micrometer_actuator.txt"),
         {"honor_labels": True}, old=True, stored=20),
    Case("every_kind", by_round(lambda k: EVERY_KIND.format(k=k)), old=True,
         stored=20),
    Case("blanks_before_names", by_round(
        lambda k: f" a {k}\n\t b{{c=\"d\"}} {k}\n \n{{}}\n" if k == 5
        else f" a {k}\n\t b{{c=\"d\"}} {k}\n \n  # odd\n")),
    Case("numbers", by_round(number_page), old=True, stored=100),
    Case("vanishing", by_round(vanishing), old=True),
    Case("duplicates", by_round(duplicates), old=True),
    Case("changing_types", by_round(typed), old=True),
    Case("timed", by_round(timed), old=True, stored=6),
    Case("timed_ignored", by_round(timed), {"honor_timestamps": False},
         old=True),
    Case("timed_tracked", by_round(timed),
         {"track_timestamps_staleness": True}),
    Case("no_last_line_end", by_round(lambda k: f"a 1\nb {k}"), old=True),
    Case("line_ends_of_dos", by_round(
        lambda k: f"a 1\r\nb {k}\r\n" if k % 2 else f"a 1\nb {k}\n"),
        old=True),
    Case("huge_labels", by_round(
        lambda k: f'huge{{a="{"v" * 300_000}",{"n" * 70_000}="x"}} {k}\n'
        + "many{" + ",".join(f'l{i}="{i}"' for i in range(500)) + f"}} {k}\n"),
        old=True),
    Case("big_page", by_round(big), old=True, stored=3_000),
    Case("blank_pages", by_round(
        lambda k: ["a 1\n", "", "a 2\n", "\n", "a 3\n", "# only\n", "a 4\n",
                   "a 5\n"][k]), old=True),
    Case("vanishing_target", lambda request: Reply(b'a 1\nb{c="d"} 2\n'),
         old=True, vanishes=True),
    Case("utf8_names", by_round(
        lambda k: f'{{"a.metric","l.b"="v",plain="w"}} {k}\n'
                  f'plain{{"\u00fc ml"="\u00e4"}} {k}\n{{"plain"}} {k}\n'
                  f'{{"sp ace"}} {k}\n# TYPE "q.t" counter\n{{"q.t"}} {k}\n')),
    Case("utf8_names_refused", by_round(
        lambda k: f'plain 1\n{{"a.metric"}} {k}\n' if k % 2 else f"plain {k}\n"
    ), {"metric_name_validation_scheme": "legacy",
        "metric_name_escaping_scheme": "underscores"}),
] + odd_cases()
