"""Where Prometheus 3.5, which same_answers asks, is not 3.14, which narthex
follows, and where Prometheus's own answer is left to chance; each with its
reason.  docs/guide/differences.md tells the same.

A rule gets (query, instant, theirs, ours, what): the two answers as JSON, and
which part of them differs.  It excuses nothing but what it names: warnings and
infos are compared again once the old texts are put into new words.
"""

import json
import re

LE = re.compile(r'(has a malformed value of "[^"]*") for metric name "[^"]*"')
MONOTONIC = re.compile(r"(needed to be fixed for monotonicity \([^)]*\)).*$")
SORT = "PromQL warning: sort is ineffective for range queries"
DIGITS = re.compile(r"(got -?\d\.\d{10})\d*")
RECONCILED = "3.14 reconciles custom buckets of different bounds"
NATIVE = re.compile("size|custom|queue|mixed")
PLACE = re.compile(r" \(\d+:\d+\)$")
LIMIT = 10  # of warnings, and of infos, in one answer


def in_new_words(texts):
    """What 3.14 would have said."""
    out = set()
    for text in texts:
        text = LE.sub(r"\1", text)
        text = MONOTONIC.sub(r"\1", text)
        out.add(text)
    return out


def annotations(query, instant, theirs, ours, what):
    """Why the warnings or infos differ."""
    a, b = theirs.get(what, []), ours.get(what, [])
    if len(a) >= LIMIT and len(b) >= LIMIT:
        return "which ten of many warnings are shown is left to chance"
    x, y = in_new_words(a), in_new_words(b)
    if x < y and all("quantile value should be" in t for t in y - x) and \
            re.search(r"\bquantile( by| without|\()", query):
        return "3.14 warns of quantile's parameter even if nothing is aggregated"
    if x == y:
        if any(LE.search(t) for t in a):
            return "3.5 names the metric where `le` is wrong, even if as \"\""
        return "3.14 tells where monotonicity was repaired"
    if not instant or "[" in query:
        y = {t for t in y if not t.startswith(SORT)}
        if x == y:
            return "3.14 warns of sort() in range queries"
    if x < y and all("conflicting counter resets" in t for t in y - x):
        return "3.14 warns when a sum meets conflicting counter resets"
    x, y = ({DIGITS.sub(r"\1", t) for t in s} for s in (x, y))
    if x == y:
        return "the last digits of a number within a warning"
    if {PLACE.sub("", t) for t in x} == {PLACE.sub("", t) for t in y}:
        return "what 3.5 says in two texts, or elsewhere first, is one text"
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
    if b.startswith("multiple matches for labels") and re.search("[<>=]", query):
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


def adds_up(answer):
    """Whether the buckets of every histogram add up to its count."""
    for element in answer["data"]["result"]:
        points = list(element.get("histograms", []))
        if "histogram" in element:
            points.append(element["histogram"])
        for _, h in points:
            total = sum(float(bucket[3]) for bucket in h.get("buckets", []))
            if abs(total - float(h["count"])) > 1e-6 * abs(total):
                return False
    return True


def says_nan(answer):
    return '"NaN"' in json.dumps(answer["data"])


def results(query, instant, theirs, ours):
    # Only the odd series have NaNs: nan, and inf by subtraction.
    if "mad_over_time" in query and "odd" in query:
        return "mad_over_time() of NaN is NaN since 3.7"
    if "histogram_fraction" in query and says_nan(theirs) and \
            not says_nan(ours):
        return "histogram_fraction() of classic histograms was NaN in 3.5"
    if re.search(r"\b(ln|log10|log2)\(", query) and "odd" in query:
        return "Go's logarithms of subnormal numbers"
    if re.search(r"(topk|bottomk|limitk)\b.*\bsort", query):
        return "the order of NaNs that sort() leaves to topk() is chance"
    if re.search("topk|bottomk|limitk", query) and \
            (not instant or re.search(r"\[[^]]*:", query)):
        return "which of equal elements topk keeps in a range query is chance"
    if re.search("young|queue", query) and re.search(r"\b(rate|increase)\(", query):
        return "rate() and increase() of histograms end at zero since 3.6"
    if theirs["data"]["resultType"] != "scalar" and \
            NATIVE.search(query) and adds_up(ours) and not adds_up(theirs):
        return "3.5 writes into buckets that it shares: they miss its count"
    if re.search("stdvar|stddev|delta|deriv| - ", query) and \
            nearly(theirs["data"]["result"], ours["data"]["result"]):
        return "a difference of nearly equal numbers magnifies the last digit"
    # NaN, infinities and huge numbers; none of the other series has such.
    if re.search(r"\b(minute|hour|day\w*|month|year|days_in_month)\(", query) \
            and re.search(r"odd|Inf|NaN|1e300|quantile|/|\^|exp|ln|log|sqrt|a\w+h\(",
                          query):
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
    if what in ("status", "error"):
        return errors(query, instant, theirs, ours)
    if reconciles and (has_all_of(theirs, ours) or
                       ASKS_WHAT_IS_THERE.search(query)):
        return RECONCILED
    return results(query, instant, theirs, ours)
