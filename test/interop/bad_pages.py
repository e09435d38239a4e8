"""Serves pages that are wrong in every way to Prometheus and to narthex, and
compares what both say of them.

Usage: bad_pages.py --prometheus BIN [--narthex BIN] --work DIR

Without --narthex prints what Prometheus says, a JSON object a line.
"""

import argparse
import http.server
import json
import os
import re
import sys
import threading
import time

from served import Served

PATIENCE = 300  # seconds

# In each of them the last line, or the end, is what is wrong.  Not among them: a
# label's bare name before a comma or a brace (`a{b} 1`, `# {a} 1`), where 3.14,
# and so narthex, expects an equal sign; 3.5 takes it for the metric's name.
TEXT = [
    "1a 1\n", "a\n", "a \n", "a", "a{", "a{}\n", "a{b=} 1\n",
    "a{b=c} 1\n", "a{b='c'} 1\n", 'a{b="c" 1\n', 'a{b="c} 1\nd 1\n',
    'a{b="c"', 'a{b="c\\', 'a{b="c\\\n"} 1\n', 'a{1="c"} 1\n', 'a{b:c="d"} 1\n',
    'a{b="c",,d="e"} 1\n', 'a{,} 1\n', 'a{b="c"}\n', 'a{b="c"}{ 1\n',
    'a{b="\xff"} 1\n', '{a="b"} 1\n', '{"a","b"} 1\n', 'a{"b"} 1\n',
    '{"a"="b"} 1\n', "{} 1\n", "{", '{"a', '{"a" 1\n',
    "a b\n", "a 1x\n", "a 1_000\n", "a 0x1p3\n", "a 0x10\n", "a 1e400\n",
    "a -\n", "a --1\n", "a 1 b\n", "a 1 -5\n", "a 1 1.5\n", "a 1 5 6\n",
    "a 1 5 x\n", "a 1 99999999999999999999\n", "a 1{\n", "a 1\r\n", "a{ 1\n",
    "ok 1\n\n  \n   bad{=} 2\nmore 3\n", "a\x01b 1\n", "a{b\x01} 1\n",
    "# TYPE a foo\n", "# TYPE a\n", "# TYPE\ta counter \n", "# TYPE 1 gauge\n",
    "# TYPE \n", "# HELP \n", "# HELP 1 x\n", "# HELP a \xff\n",
    '# HELP "a x\n', '# TYPE "a" foo\n', "# TYPE a counter x\n",
    "#TYPE a\nb c\n", "# x\n\ty z\n", "\xff 1\n", "\u00e4 1\n", "a\u00e4 1\n",
    "a=1\n", "a,b 1\n", "}\n", '"a" 1\n', 'a{b="c"}1x\n', "a{b!=\"c\"} 1\n",
    'a{b=~"c"} 1\n', 'a{b ="c", d= "e" , } 1 2 3\n', "a.b 1\n", "a-b 1\n",
]
OPENMETRICS = [
    "a 1\n", "", "\n", "a 1\n\n# EOF\n", "# EOF\na 1\n", "# EOF\n\n",
    "# EOF x\n", "#EOF\n", "# EO\n", "#  EOF\n", "a 1", "a 1 2", " a 1\n# EOF\n",
    "a  1\n# EOF\n", "a\t1\n# EOF\n", "a 1 \n# EOF\n", "a 1  2\n# EOF\n",
    "a 1 2 3\n# EOF\n", "a 1 x\n# EOF\n", "a 1 NaN\n# EOF\n",
    "a 1 +Inf\n# EOF\n", "a 1 -Inf\n# EOF\n", "a x\n# EOF\n",
    "a 1e999\n# EOF\n", "a\n# EOF\n", "a{\n# EOF\n", "a{}\n# EOF\n",
    'a{b="c"\n# EOF\n', 'a{b="c" } 1\n# EOF\n', 'a{b="c",,} 1\n# EOF\n',
    'a{b ="c"} 1\n# EOF\n', 'a{b= "c"} 1\n# EOF\n', 'a{b="c\n"} 1\n# EOF\n',
    'a{b="c"d="e"} 1\n# EOF\n', 'a{b="\xff"} 1\n# EOF\n', "{} 1\n# EOF\n",
    '{"a","b"} 1\n# EOF\n', 'a{"b"} 1\n# EOF\n', "1 1\n# EOF\n",
    "# HELP a\n# EOF\n", "# HELP a", "# HELP a x", "# HELP  a x\n# EOF\n",
    "# HELP 1 x\n# EOF\n", "# HELP a \xff\n# EOF\n", "# TYPE a foo\n# EOF\n",
    "# TYPE a untyped\n# EOF\n", "# TYPE a counter \n# EOF\n",
    "# UNIT a seconds\n# EOF\n", "# UNIT a_seconds seconds\nx\n# EOF\n",
    "# UNIT seconds seconds\n# EOF\n", "# FOO a b\n# EOF\n", "# x\n# EOF\n",
    "#\n# EOF\n", "# HELP\n# EOF\n", "# HEL\n# EOF\n",
    "a_total 1 #\n# EOF\n", "a_total 1 # x\n# EOF\n", "a_total 1 # {\n# EOF\n",
    "a_total 1 # {}\n# EOF\n", "a_total 1 # {} x\n# EOF\n",
    "a_total 1 # {} 1 x\n# EOF\n", "a_total 1 # {} 1 NaN\n# EOF\n",
    "a_total 1 # {} 1 2 3\n# EOF\n", "a_total 1 # {} 1 \n# EOF\n",
    'a_total 1 # {a="b} 1\n# EOF\n',
    'a_total 1 # {"a"} 1\n# EOF\n', 'a_total 1 # {"a",} 1\n# EOF\n',
    'a_total 1 # {a="b" 1\n# EOF\n', 'a_total 1 # {a="b",,} 1\n# EOF\n',
    "a_total 1 2 # {} 1 2", "a_total 1 2 # {} 1", "a_total 1 2 # {}",
    "a_total 1 # {a=b} 1\n# EOF\n", "a 1\r\n# EOF\n", "a 1\n# EOF\r\n",
    "\x00a 1\n# EOF\n", "a 1\x00\n# EOF\n", "a 0x1p-2\n# EOF\n",
]
KINDS = {
    "text": (TEXT, "text/plain; version=0.0.4"),
    "openmetrics": (OPENMETRICS,
                    "application/openmetrics-text; version=1.0.0"),
}


def as_bytes(page):
    """\\xff is the byte, whatever else is not ASCII is UTF-8."""
    return page.replace("\xff", "\udcff").encode("utf-8", "surrogateescape")


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kind, number = self.path.strip("/").split("/")
        pages, content_type = KINDS[kind]
        body = as_bytes(pages[int(number)])
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Stub(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, *_):
        pass  # servers that are ended hang up


class Server(Served):
    def errors(self):
        """(kind, number) -> what is said of it; None: not all are scraped."""
        data = self.data("targets?state=active")
        if data is None:
            return None
        found = {}
        for target in data["activeTargets"]:
            # On a busy machine a scrape may come too late; the next one is due.
            if (target["health"] == "unknown" or
                    "deadline exceeded" in target["lastError"]):
                return None
            kind, number = target["scrapeUrl"].split("/")[-2:]
            found[kind, int(number)] = target["lastError"]
        wanted = sum(len(pages) for pages, _ in KINDS.values())
        return found if len(found) == wanted else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--narthex")
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--work", required=True)
    args = parser.parse_args()

    stub = Stub(("127.0.0.1", 0), Pages)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    config = os.path.join(args.work, "bad_pages.yml")
    with open(config, "w", encoding="utf-8") as f:
        json.dump({"global": {"scrape_interval": "5s"}, "scrape_configs": [
            {"job_name": f"{kind}-{n}", "metrics_path": f"/{kind}/{n}",
             "static_configs": [
                 {"targets": [f"127.0.0.1:{stub.server_address[1]}"]}]}
            for kind, (pages, _) in KINDS.items()
            for n in range(len(pages))]}, f)
    servers = [Server("prometheus", [args.prometheus], config, args.work)]
    if args.narthex:
        servers.append(
            Server("narthex", [args.narthex, "serve"], config, args.work))
    try:
        until = time.monotonic() + PATIENCE
        while None in (seen := [server.errors() for server in servers]):
            if time.monotonic() > until:
                sys.exit(f"FAILED: not all scraped after {PATIENCE} s")
            time.sleep(0.5)
    finally:
        for server in servers:
            server.stop()

    wrong = 0
    for (kind, number), theirs in sorted(seen[0].items()):
        page = KINDS[kind][0][number]
        if not args.narthex:
            print(json.dumps({"kind": kind, "page": page, "error": theirs}))
            continue
        ours = seen[1][kind, number]
        if re.sub(r"^line \d+, column \d+: ", "", ours) == theirs:
            continue
        wrong += 1
        print(f"{kind} {page!r}\n  Prometheus {theirs}\n  narthex    {ours}")
    if args.narthex:
        failed = sum(1 for error in seen[0].values() if error)
        print(f"{len(seen[0])} pages, {failed} of them wrong; of {wrong} both "
              "say different things")
        if wrong or failed * 10 < len(seen[0]) * 9:
            sys.exit("FAILED")


if __name__ == "__main__":
    main()
