"""The real Prometheus and narthex take turns at one directory, three each, and
end now by SIGTERM and now by SIGKILL.  Every sample that was ever appended, of
every kind, in time and late, is there for both, bit for bit, and none that was
deleted.

Usage: run.py --narthex BIN --prometheus BIN --promtool BIN --print BIN
              --work DIR [--old] [--snapshots]

--old: the peer is 2.42 and is given what it knows.
--snapshots: with --enable-feature=memory-snapshot-on-shutdown.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "support")]

import samples  # noqa: E402
import tools  # noqa: E402
import views  # noqa: E402

TURN = samples.ROUND * samples.STEP
CONFIG = """
global: {scrape_interval: 1h}
storage: {tsdb: {out_of_order_time_window: 30m}}
"""
TURNS = [("prometheus", "TERM"), ("narthex", "KILL"), ("prometheus", "KILL"),
         ("narthex", "TERM"), ("prometheus", "TERM"), ("narthex", "KILL"),
         ("prometheus", "TERM")]  # the last one only looks
# Lines of a log that are no word on the directory.
HARMLESS = re.compile(r"Received (an )?(OS signal|SIGTERM)|lock.*file|"
                      r"out.of.order|Out of order")


class Server:
    def __init__(self, args, name, data, log_path):
        self.name, self.data = name, data
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = log_path
        features = ["exemplar-storage", "native-histograms"]
        if args.snapshots:
            features.append("memory-snapshot-on-shutdown")
        command = [args.prometheus]
        # Prometheus merges late blocks with those before them, even if they go
        # beyond these, and then takes what the log has of that time for stored:
        # after a restart it is gone.  So it may merge overlapping ones alone.
        longest = "10m"
        if name == "narthex":
            longest = "30m"
            command = [args.narthex, "serve",
                       "--storage.tsdb.block-reload-interval=1s"]
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, f"--config.file={args.work}/prometheus.yml",
                 f"--storage.tsdb.path={data}",
                 "--storage.tsdb.retention.time=100y",
                 "--storage.tsdb.min-block-duration=10m",
                 f"--storage.tsdb.max-block-duration={longest}",
                 "--web.enable-remote-write-receiver",
                 "--web.enable-admin-api",
                 f"--enable-feature={','.join(features)}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=log, cwd=args.work)
        try:
            views.wait_for("being ready", self.is_ready, self)
        except BaseException:
            self.stop("KILL")
            raise

    def is_ready(self):
        try:
            views.call(self.url + "/-/ready", timeout=5)
            return True
        except (OSError, RuntimeError):
            return False

    def said(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def check_alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} exits {self.process.returncode}\n"
                               f"{self.said()[-2000:]}")

    def stop(self, how):
        self.process.send_signal(getattr(signal, f"SIG{how}"))
        try:
            status = self.process.wait(views.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.name} does not end") from None
        if how == "TERM" and status != 0:
            raise RuntimeError(f"{self.name} exits {status}\n"
                               f"{self.said()[-2000:]}")


class Test:
    def __init__(self, args):
        self.args = args
        self.data = f"{args.work}/data"
        self.begin = int(time.time() * 1000) - len(TURNS) * TURN
        self.begin -= self.begin % samples.STEP
        self.end = self.begin  # of what is appended
        self.model = {}  # {labels: {t: text}}
        self.exemplars = set()
        self.compared = 0
        self.left = {"prometheus": set(), "narthex": set()}
        self.problems = []
        self.tools = tools.Tools(args.promtool, args.narthex, args.old)

    # --- What is there.

    def compare(self, who, got, want=None):
        want = self.model if want is None else want
        self.compared += sum(map(len, want.values()))
        found = views.differences(want, got)
        if found:
            self.problems.append(f"{who}:")
            self.problems += found
            raise RuntimeError("\n".join(self.problems))

    def look(self, who, server):
        """The server's own view, and narthex's from outside, meanwhile."""
        narrow = lambda view: view  # noqa: E731
        if server.name == "prometheus":
            if self.args.old:
                narrow = views.floats_alone
            self.compare(f"{who}, remote read",
                         narrow(views.remote_read(server.url)),
                         narrow(views.as_on_the_wire(self.model)))
        self.compare(f"{who}, queried",
                     narrow(views.queried(server.url, self.end + TURN)),
                     narrow(views.shortened(self.model)))
        self.compare(f"{who}, from outside",
                     views.printed(self.args.print, self.data))

    def look_at_exemplars(self, who, server, since):
        """Those in blocks are gone from the log, sooner or later."""
        got = views.exemplars(server.url, self.begin, self.end + TURN)
        strange = got - self.exemplars
        missing = {one for one in self.exemplars - got if one[3] >= since}
        if strange or missing:
            raise RuntimeError(f"{who}: exemplars: strange: "
                               f"{sorted(strange)[:3]}, "
                               f"missing: {sorted(missing)[:3]}")
        return len(got)

    def look_at_rest(self, who, last):
        """promtool and narthex print the same of the blocks.  (Of a log, promtool
        up to 3.5 leaves out what is older than the newest late block.)"""
        self.compare(f"{who}, at rest",
                     views.printed(self.args.print, self.data))
        blocks = f"{self.args.work}/blocks"
        shutil.rmtree(blocks, ignore_errors=True)
        os.makedirs(f"{blocks}/wal")  # promtool insists
        for meta in self.metas():
            shutil.copytree(f"{self.data}/{meta['ulid']}",
                            f"{blocks}/{meta['ulid']}")
        self.tools.dumps(blocks, blocks)
        if last:
            self.tools.rest(blocks)

    def metas(self):
        out = []
        if not os.path.isdir(self.data):
            return out
        for name in os.listdir(self.data):
            path = f"{self.data}/{name}/meta.json"
            if len(name) == 26 and os.path.exists(path):
                try:
                    with open(path) as f:
                        out.append(json.load(f))
                except FileNotFoundError:
                    pass  # a server at work
        return out

    def blocks_end(self):
        return max((meta["maxTime"] for meta in self.metas() if
                    "from-out-of-order" not in
                    meta["compaction"].get("hints", ())), default=0)

    def note_files(self, name):
        seen = self.left[name]
        for root, _, files in os.walk(self.data):
            base = os.path.basename(root)
            if base.startswith("checkpoint."):
                seen.add("checkpoint")
            if base.startswith("chunk_snapshot."):
                seen.add("snapshot")
            for file in files:
                try:
                    size = os.path.getsize(f"{root}/{file}")
                except FileNotFoundError:
                    continue  # a server at work
                if base in ("wal", "wbl", "chunks_head") and size > 8:
                    seen.add(base)
                if file == "tombstones" and size > 9:
                    seen.add("tombstones")
                if "corrupt" in file:
                    raise RuntimeError(f"{name}: {root}/{file} set aside")
        for meta in self.metas():
            seen.add("block")
            if meta["compaction"]["level"] > 1:
                seen.add("merged block")
            if "from-out-of-order" in meta["compaction"].get("hints", ()):
                seen.add("late block")

    # --- What is done.

    def append(self, server, k):
        begin = self.begin + k * TURN
        late = samples.late_of_turn(k, begin, self.args.old)
        exemplars = samples.exemplars_of_turn(k, begin)
        series = samples.series_of_turn(k, begin, self.args.old)
        for labels, of_series in [*series, *late]:
            row = self.model.setdefault(labels, {})
            for t, v in of_series.items():
                row[t] = samples.text_of(v)
        for labels, some in exemplars.items():
            self.exemplars |= {(labels, of, samples.bits_of(v), t)
                               for of, v, t in some}
        for body in samples.requests(series, exemplars, 60):
            views.write(server.url, body)
        for body in samples.requests(late, {}, 60):
            views.write(server.url, body)
        self.note_files(server.name)
        self.end = begin + TURN

    def delete(self, server, k):
        """A span of this turn and the one before, or all there is."""
        low = self.begin + k * TURN - TURN // 3
        high = self.begin + k * TURN + TURN // 2
        for match, span in (('t_doomed{part="some"}', (low, high)),
                            ('t_doomed{part="all"}', (0, self.end)),
                            ("h_doomed", (low, high))):
            views.call(f"{server.url}/api/v1/admin/tsdb/delete_series?" +
                       views.urllib.parse.urlencode({
                           "match[]": match, "start": f"{span[0] / 1000:.3f}",
                           "end": f"{span[1] / 1000:.3f}"}), b"", wanted=204)
            name, _, part = match.partition("{")
            for labels in list(self.model):
                of = dict(labels)
                if of["__name__"] != name or part and f'"{of["part"]}"' not in \
                        part:
                    continue
                self.model[labels] = {
                    t: v for t, v in self.model[labels].items()
                    if not span[0] <= t <= span[1]}
                if not self.model[labels]:
                    del self.model[labels]
        if k == 3:
            views.call(f"{server.url}/api/v1/admin/tsdb/clean_tombstones", b"",
                       wanted=204)

    def turn(self, k, name, how):
        who = f"{k + 1}. {name}"
        began = time.monotonic()
        since = self.blocks_end()
        before = {meta["ulid"] for meta in self.metas()}
        server = Server(self.args, name, self.data,
                        f"{self.args.work}/{k + 1}.{name}.log")
        try:
            if self.model:
                self.look(f"{who}, before", server)
                self.look_at_exemplars(f"{who}, before", server, since)
            if k + 1 < len(TURNS):
                self.append(server, k)
                views.wait_for("a new block", lambda: any(
                    meta["ulid"] not in before for meta in self.metas()),
                    server)
                self.delete(server, k)
                self.note_files(name)
                self.look(f"{who}, after", server)
                self.look_at_exemplars(f"{who}, after", server,
                                       self.begin + k * TURN)
        except BaseException:
            server.stop("KILL")
            raise
        server.stop(how)
        self.note_files(name)
        self.look_at_rest(who, k + 1 == len(TURNS))
        for line in server.said().split("\n"):
            if re.search(r'corrupt|level="?error|damaged', line, re.I) \
                    and not HARMLESS.search(line):
                self.problems.append(f"{who} says: {line}")
        print(f"{who}, SIG{how}: {sum(map(len, self.model.values()))} samples "
              f"of {len(self.model)} series in {len(self.metas())} blocks and "
              f"the head, {time.monotonic() - began:.1f} s", flush=True)

    def run(self):
        for k, (name, how) in enumerate(TURNS):
            self.turn(k, name, how)
        wanted = {"block", "merged block", "late block", "tombstones", "wal",
                  "wbl", "chunks_head", "checkpoint"}
        if self.args.snapshots:
            wanted.add("snapshot")
        for name, seen in self.left.items():
            if wanted - seen:
                self.problems.append(f"{name} never left a "
                                     f"{', a '.join(sorted(wanted - seen))}")
        print(f"{self.compared} samples compared")


def main():
    parser = argparse.ArgumentParser()
    for flag in ("narthex", "prometheus", "promtool", "print", "work"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--snapshots", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    with open(f"{args.work}/prometheus.yml", "w") as f:
        f.write(CONFIG)
    test = Test(args)
    try:
        test.run()
    except RuntimeError as error:
        sys.exit(f"FAILED: {error}")
    if test.problems:
        sys.exit("FAILED: " + "\n".join(test.problems))


if __name__ == "__main__":
    main()
