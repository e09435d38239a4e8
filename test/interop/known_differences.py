"""Where Prometheus 3.5, which same_answers asks, is not 3.14, which narthex
follows, and where Prometheus's own answer is left to chance; each with its
reason.  docs/guide/differences.md tells the same.

A rule gets (query, instant, theirs, ours, what): the two answers as JSON, and
which part of them differs.  It excuses nothing but what it names: warnings and
infos are compared again once the old texts are put into new words.
"""

import json
import math
import re

import answers_data

LE = re.compile(r'(has a malformed value of "[^"]*") for metric name "[^"]*"')
MONOTONIC = re.compile(r"(needed to be fixed for monotonicity \([^)]*\)).*$")
SORT = "PromQL warning: sort is ineffective for range queries"
DIGITS = re.compile(r"(got -?\d\.\d{10})\d*")
RECONCILED = "3.14 reconciles custom buckets of different bounds"
COMPARISON = re.compile(r"==|!=|[<>]")
QUOTED = re.compile(r"\"(\\.|[^\"])*\"|\{[^}]*\}")
# Of the least 64-bit number of seconds.
CALENDAR = {"minute": 29, "hour": 8, "day_of_week": 0, "day_of_month": 27,
            "day_of_year": 27, "days_in_month": 31, "month": 1,
            "year": -292277022657}
NATIVE = re.compile("size|custom|queue|mixed|young")
PLACE = re.compile(r" \(\d+:\d+\)$")
# Until then a window of minutes holds the beginning of counters.
YOUNG_UNTIL = answers_data.START + 300
LIMIT = 10  # of warnings, and of infos, in one answer


def in_new_words(texts):
    """What 3.14 would have said."""
    out = set()
    for text in texts:
        text = LE.sub(r"\1", text)
        text = MONOTONIC.sub(r"\1", text)
        out.add(text)
    return out


def told_twice(text, query):
    """Whether two places of the query may be the reason of one text."""
    calls = QUOTED.sub("", query)
    if "quantile value should be" in text:
        return len(re.findall("quantile", calls)) > 1
    if "bucket label" in text:
        return len(re.findall("histogram_(?:quantile|fraction)", calls)) > 1
    operator = re.search(r'sample types .* operator "([^"]*)"', text)
    return operator and calls.count(operator[1]) > 1


def annotations(query, instant, theirs, ours, what):
    """Why the warnings or infos differ."""
    a, b = theirs.get(what, []), ours.get(what, [])
    if len(a) >= LIMIT and len(b) >= LIMIT:
        return "which ten of many warnings are shown is left to chance"
    x, y = in_new_words(a), in_new_words(b)
    reason = "3.14 tells where monotonicity was repaired"
    if any(LE.search(t) for t in a):
        reason = "3.5 names the metric where `le` is wrong, even if as \"\""
    if x == y:
        return reason
    if not instant or "[" in query:
        if any(t.startswith(SORT) for t in y):
            reason = "3.14 warns of sort() in range queries"
        y = {t for t in y if not t.startswith(SORT)}
        if x == y:
            return reason
    if x < y and all("quantile value should be" in t for t in y - x) and \
            re.search(r"\bquantile( by| without|\()", query):
        return "3.14 warns of quantile's parameter even if nothing is aggregated"
    if x < y and all("conflicting counter resets" in t for t in y - x):
        return "3.14 warns when a sum meets conflicting counter resets"
    x, y = ({DIGITS.sub(r"\1", t) for t in s} for s in (x, y))
    if x == y:
        return "the last digits of a number within a warning"
    if {PLACE.sub("", t) for t in x} == {PLACE.sub("", t) for t in y} and \
            all(told_twice(t, query) for t in x ^ y):
        return "of two places with one text 3.5 names the last or both, 3.14 the first"
    return None


def errors(query, instant, theirs, ours):
    a, b = theirs.get("error", ""), ours.get("error", "")
    if a.replace("Scalar value NaN overflows int64",
                 "Parameter value is NaN") == b or \
            a.replace("Ratio value NaN is NaN", "Ratio value is NaN") == b:
        return "3.14 words the error of k = NaN otherwise"
    if a.replace("number or duration",
                 "number, duration, step(), or range()") == b:
        return "3.14 has duration expressions, and its errors name them"
    if re.match("Scalar value|Parameter value|Ratio value", b) and not a:
        return "3.5 looks at k only where there is something to choose from"
    if b.startswith("multiple matches for labels") and not a and \
            COMPARISON.search(QUOTED.sub("", query)):
        return "3.5 counts no match that a comparison filters out"
    duplicates = "found duplicate series for the match group"
    if a.startswith(duplicates) and b.startswith(duplicates):
        if not instant or "[" in query:
            return "which of many duplicates a range query names first is chance"
    return None


def nearly(a, b, apart=1e-7):
    """The same but for numbers `apart`, relatively."""
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and \
            all(nearly(x, y, apart) for x, y in zip(a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and \
            all(nearly(a[key], b[key], apart) for key in a)
    try:
        x, y = float(a), float(b)
    except ValueError:
        return a == b
    return abs(x - y) <= apart * max(abs(x), abs(y)) or a == b


def adds_up(value):
    """Whether a histogram's buckets add up to its count."""
    if not isinstance(value, dict):
        return False
    total = sum(float(bucket[3]) for bucket in value.get("buckets", []))
    return abs(total - float(value["count"])) <= 1e-6 * abs(total)


def apart(theirs, ours):
    """[(time, their value, our value)] of what is not the same; None: none."""
    if theirs["data"]["resultType"] == "scalar":
        t, a = theirs["data"]["result"]
        return [(t, a, ours["data"]["result"][1])]
    x, y = ({json.dumps(e["metric"], sort_keys=True): at(e)
             for e in answer["data"]["result"]} for answer in (theirs, ours))
    out = []
    for labels in x.keys() | y.keys():
        a, b = x.get(labels, {}), y.get(labels, {})
        out += [(t, a.get(t), b.get(t)) for t in a.keys() | b.keys()
                if t not in a or t not in b or not nearly(a[t], b[t], 1e-12)]
    return out


def as_number(value):
    return float(value) if isinstance(value, str) else math.inf


def size(value):
    """Of a number, or how many a histogram counts."""
    if value is None:
        return math.nan
    return abs(float(value["count"] if isinstance(value, dict) else value))


def sorted_result(answer):
    return sorted(answer["data"]["result"],
                  key=lambda e: sorted(e["metric"].items()))


def same_values(theirs, ours):
    """The same numbers at every time, whichever series has them."""
    def by_time(answer):
        out = {}
        for element in answer["data"]["result"]:
            for t, value in at(element).items():
                out.setdefault(t, []).append(json.dumps(value))
        return {t: sorted(values) for t, values in out.items()}
    return by_time(theirs) == by_time(ours)


def results(query, instant, theirs, ours):
    differing = apart(theirs, ours)
    # Only the odd series have NaNs: nan, and inf by subtraction.
    if "mad_over_time" in query and "odd" in query and \
            all(b == "NaN" for _, _, b in differing):
        return "mad_over_time() of NaN is NaN since 3.7"
    if "histogram_fraction" in query and "_bucket" in query and \
            all(a in ("NaN", None) or b is None for _, a, b in differing):
        return "histogram_fraction() of classic histograms was NaN in 3.5"
    if re.search(r"\b(ln|log10|log2)\(", query) and "odd" in query and \
            all(-1075 < as_number(b) < -307 for _, _, b in differing):
        return "Go's logarithms of subnormal numbers"
    if "count_values" in query and re.search(
            r"\b(ln|log\w*|exp|a?(sin|cos|tan)h?)\(|\^", query) and nearly(
                sorted_result(theirs), sorted_result(ours), 1e-12):
        return "the last digit of a number that becomes a label"
    if re.search(r"(topk|bottomk|limitk)\b.*\bsort", query):
        return "the order of NaNs that sort() leaves to topk() is chance"
    if re.search("topk|bottomk|limitk", query) and \
            (not instant or re.search(r"\[[^]]*:|count_values", query)) and \
            (not re.match("topk|bottomk", query) or same_values(theirs, ours)):
        return "which of equal elements in no order topk keeps is chance"
    if re.search(r"\b(rate|increase)\(", query) and NATIVE.search(query) and \
            ((re.search("young|queue", query) or ":" in query) and
             all(size(a) > size(b) for _, a, b in differing) or
             all(t < YOUNG_UNTIL for t, _, _ in differing)):
        return "rate() and increase() of histograms end at zero since 3.6"
    if re.search(r"\bresets\(custom", query):
        return "3.5 sees a reset wherever custom buckets change their bounds"
    if all(isinstance(a, dict) and adds_up(b) and not adds_up(a)
           for _, a, b in differing):
        return "3.5 writes into buckets that it shares: they miss its count"
    if re.search("stdvar|stddev|delta|deriv| - ", query) and \
            nearly(theirs["data"]["result"], ours["data"]["result"]):
        return "a difference of nearly equal numbers magnifies the last digit"
    if re.search(r"% \(?1e-9", query) and \
            all(max(as_number(a), as_number(b)) < 1e-9 for _, a, b in differing):
        return "a remainder of a division by next to nothing is chance"
    # NaN, infinities and huge numbers: its Go is not that of 3.14.
    least = [CALENDAR[name] for name in CALENDAR if name + "(" in query]
    if least and all(as_number(b) in least for _, _, b in differing):
        return "calendar functions of numbers beyond 64 bits of seconds"
    return None


# Texts of 3.5 and of 3.14 where custom buckets have different bounds: 3.5 drops
# the element, 3.14 adds over the bounds that both have.
REFUSED = "incompatible custom buckets"
ADDED = "custom buckets were reconciled"
ASKS_WHAT_IS_THERE = re.compile(
    r"\b(absent|absent_over_time|present_over_time|count|count_values|group|"
    r"count_over_time|scalar|or|and|unless|topk|bottomk|limitk|limit_ratio|"
    r"quantile|min|max|avg|sum|stddev|stdvar|changes|resets)\b")


def without_reconciling(answer):
    out = dict(answer)
    for kind in ("warnings", "infos"):
        out[kind] = [text for text in answer.get(kind, [])
                     if REFUSED not in text and ADDED not in text]
    return out


def at(element):
    """{time: value} of an element or a series."""
    points = element.get("values", []) + element.get("histograms", [])
    points += [element[key] for key in ("value", "histogram") if key in element]
    return {point[0]: point[1] for point in points}


def has_all_of(theirs, ours):
    """Whether each of their values is there and the same."""
    if theirs["data"]["resultType"] == "scalar":
        return False
    known = {json.dumps(e["metric"], sort_keys=True): at(e)
             for e in ours["data"]["result"]}
    for element in theirs["data"]["result"]:
        values = known.get(json.dumps(element["metric"], sort_keys=True), {})
        for t, value in at(element).items():
            if t not in values or not nearly(value, values[t], 1e-12):
                return False
    return True


def reason(query, instant, theirs, ours, what):
    """Why these two answers may differ; None: they may not."""
    a, b = without_reconciling(theirs), without_reconciling(ours)
    reconciles = any(len(bare.get(kind, [])) < len(answer.get(kind, []))
                     for bare, answer in ((a, theirs), (b, ours))
                     for kind in ("warnings", "infos"))
    if what in ("warnings", "infos"):
        # 3.5 stops at the first that doesn't fit, and says no more.
        if reconciles and set(a[what]) <= set(b[what]):
            return RECONCILED
        return annotations(query, instant, a, b, what)
    if what == "samples":
        # 3.14 counts a histogram whose buckets it doesn't read as an empty one;
        # in 3.5 its spans and bounds count.
        if re.search(r"\bhistogram_(count|sum|avg)\(", query):
            return "3.14 reads less for histogram_count() and its like"
        return None
    if what == "status" and theirs["status"] == "success" and \
            any(REFUSED in t for t in theirs.get("warnings", [])) and \
            re.match("found duplicate series|multiple matches", ours["error"]):
        return RECONCILED
    if what in ("status", "error"):
        return errors(query, instant, theirs, ours)
    if reconciles and (has_all_of(theirs, ours) or
                       ASKS_WHAT_IS_THERE.search(query)):
        return RECONCILED
    return results(query, instant, theirs, ours)
