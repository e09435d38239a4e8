# Sourced by the interop tests: the real programs, processes that end with the
# test, questions and how answers are compared.  Not a program.
#
# A test is called as: TEST NARTHEX VERSION WORK_DIR, where VERSION is "debian"
# (the package of this Debian, unpacked by scripts/install-deps --interop) or
# "newest" (3.x, unpacked by the shared get script, where that is there).
# Exit code 77: skipped, and says so.

set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
narthex=$1
version=$2
work=$3

skip() { echo "SKIPPED: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

case $version in
  debian)
    bin=${NARTHEX_INTEROP_BIN:-$("$repo/scripts/install-deps" --interop)} ||
      skip "Debian's prometheus package could not be fetched"
    ;;
  newest)
    get=${NARTHEX_PEERS_GET:-$repo/../shared/peers/get}
    [[ -x $get ]] || skip "no $get, so no Prometheus 3.x"
    bin=$("$get") || skip "$get failed, so no Prometheus 3.x"
    ;;
  *) fail "unknown version $version" ;;
esac
prometheus=$bin/prometheus
promtool=$bin/promtool
exporter=$bin/prometheus-node-exporter
for program in "$prometheus" "$promtool" "$exporter"; do
  [[ -x $program ]] || fail "$program is not there"
done
"$prometheus" --version 2>&1 | head -n 1

rm -rf "$work"
mkdir -p "$work"

pids=()
started=0  # the process id that start() left
# start LOG COMMAND...: in the background, ended with the test.
start() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  started=$!
  pids+=("$started")
}
# stop PID [SIGNAL]: ends and waits; the exit code of the process.
stop() {
  kill "-${2:-TERM}" "$1" 2>/dev/null || true
  local status=0
  wait "$1" 2>/dev/null || status=$?
  return "$status"
}
end_all() {
  local pid
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap end_all EXIT

free_port() {
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  fail "no free port"
}

# start_exporter PORT: with what the questions ask for, so that five scrapes a
# second are little work.
start_exporter() {
  start "$work/exporter.log" "$exporter" --web.listen-address="127.0.0.1:$1" \
    --collector.disable-defaults --collector.cpu --collector.filesystem \
    --collector.loadavg --collector.meminfo --collector.netdev \
    --collector.netdev.device-exclude='^$' \
    --collector.filesystem.fs-types-exclude='^(proc|sysfs|cgroup2?|mqueue|devpts)$'
}

# wait_for_samples NUMBER URL SINCE: that the exporter has given since then.
wait_for_samples() {
  local until=$((SECONDS + 90)) now
  while ((SECONDS < until)); do
    now=$(date +%s)
    ask "$2" "sum_over_time(up{job='node'}[$((now - $3 + 1))s]) >= $1" "$now" \
      >"$work/seen"
    not_empty "$work/seen" && return
    sleep 0.5
  done
  fail "not $1 samples in 90 s: $(cat "$work/seen")"
}

# wait_ready URL LOG
wait_ready() {
  for _ in {1..300}; do
    curl -sf "$1/-/ready" >/dev/null 2>&1 && return
    sleep 0.1
  done
  tail -n 20 "$2"
  fail "$1 is not ready after 30 s"
}

# The demo's five questions, and more that reach into other corners.
questions=(
  'up'
  'sort_desc(avg by (mode) (rate(node_cpu_seconds_total[15s])) * 100)'
  '100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)'
  'topk(3, 100 * (1 - node_filesystem_avail_bytes / (node_filesystem_size_bytes > 0)))'
  'sort_desc(sum by (device) (rate(node_network_receive_bytes_total[15s]) + rate(node_network_transmit_bytes_total[15s])))'
)
# 2.x takes a window's left end in, 3.x does not: no step of the subquery lies
# just there.
more_questions=(
  '{__name__!=""}'
  'count by (__name__) ({__name__=~"node_.*"})'
  'last_over_time({__name__!=""}[20s])'
  'count_over_time(node_cpu_seconds_total[1m])'
  'sum_over_time(go_memstats_alloc_bytes[20s])'
  'rate(node_cpu_seconds_total[10s])'
  'max_over_time(rate(node_cpu_seconds_total[5s])[20500ms:1s])'
  'histogram_quantile(0.9, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket[20s])))'
  'scrape_duration_seconds offset 5s'
)

# A JSON answer with an element a line, sorted: which element comes first is
# left open by PromQL.
# 2.x has no warnings beside a result, and 3.5 does not yet have the one on sorts.
elements() {
  if [[ $version == debian ]]; then
    sed 's/,"\(warnings\|infos\)":\[[^]]*\]}$/}/'
  else
    sed 's/,"warnings":\["PromQL warning: sort is ineffective[^]]*\]}$/}/'
  fi | sed 's/{"metric"/\n&/g; s/\(\]}*\)$/\n\1/' | sed 's/,$//' | sort
}

# ask URL QUESTION AT: the answer's bytes, whatever the HTTP status.
ask() {
  curl -sS --max-time 30 "$1/api/v1/query" --data-urlencode "query=$2" \
    --data-urlencode "time=$3"
}

# between_scrapes URL TIME INTERVAL: the moment within INTERVAL ms from TIME on
# that is furthest from any scrape.  A sample on the very edge of a window is in
# it for 2.42, and not for 3.0 and later.
between_scrapes() {
  ask "$1" 'timestamp(up)' "$2" | grep -o '"[0-9.]*"\]' | tr -d '"]' |
    awk -v from="$2" -v interval="$3" '
      { scraped[NR] = int($1 * 1000 + 0.5) % interval }
      END {
        for (at = 0; at < interval; at++) {
          least = interval
          for (i in scraped) {
            apart = (at - scraped[i] + interval) % interval
            if (interval - apart < apart) apart = interval - apart
            if (apart < least) least = apart
          }
          if (least > most) { most = least; best = at }
        }
        printf "%.3f", from + best / 1000
      }'
}

# same_answer WHAT WANT GOT: files; the same bytes.  Only where the peer is 2.x,
# which sums without compensation and averages otherwise than 3.x does, may the
# last digits of a number differ; how often is counted in `rounded`.
rounded=0
same_answer() {
  cmp -s "$2" "$3" && return
  elements <"$2" >"$work/want.elements"
  elements <"$3" >"$work/got.elements"
  diff "$work/want.elements" "$work/got.elements" >"$work/difference" && return
  if [[ $version == debian ]] &&
    same_but_rounding "$work/want.elements" "$work/got.elements"; then
    rounded=$((rounded + 1))
    return
  fi
  head -c 2000 "$work/difference"
  fail "$1 is answered otherwise"
}

# same_but_rounding WANT GOT: as text, but for numbers 1e-13 apart.
same_but_rounding() {
  awk -v other="$2" '
    function far(a, b,    d) {
      if (a !~ /^[-+]?[0-9][0-9.]*(e[-+]?[0-9]+)?$/) return 1
      if (b !~ /^[-+]?[0-9][0-9.]*(e[-+]?[0-9]+)?$/) return 1
      d = a - b
      if (d < 0) d = -d
      return d > 1e-13 * (a < 0 ? -a : a)
    }
    {
      if ((getline line < other) <= 0) exit 1
      n = split($0, mine, /[", ]/)
      if (n != split(line, theirs, /[", ]/)) exit 1
      for (i = 1; i <= n; ++i)
        if (mine[i] != theirs[i] && far(mine[i], theirs[i])) exit 1
    }
    END { if ((getline line < other) > 0) exit 1 }' "$1"
}

# not_empty FILE: an answer with elements in it; equal nothings prove nothing.
not_empty() { grep -q '"metric"' "$1"; }

# fingerprint DIR: of every byte in it, names and times included.
fingerprint() {
  (cd "$1" && find . -type f -printf '%p %s %T@\n' | sort &&
    find . -type f -print0 | sort -z | xargs -0 cksum)
}
