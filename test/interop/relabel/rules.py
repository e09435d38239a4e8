"""Random scrape jobs whose relabel rules both servers must take: what a rule
may not have (a template where none is allowed, fields of other actions) is not
made."""

import random

NAMES = ["job", "instance", "__address__", "__scheme__", "__metrics_path__",
         "__param_module", "__meta_kind", "__meta_pod_label_app",
         "__meta_pod_label_app_k8s_io_name", "__tmp_x", "a", "b", "c", "zone",
         "app_name", "App", "_x", "__meta_empty"]
WORDS = ["web", "db", "Web-1", "db.example.com:9090", "10.0.0.7:8080", "", "x",
         "eu-west-1", "prod;eu", "a=b", "\u00dcml\u00e4ut", "\u01c5o\u00df\u0130i",
         "line\nend", "\u2603 \U0001f600", "$1", "${1}", "/metrics", "true",
         "0042", "key:value", "\u03a3\u03c2\u03c3", "tab\t", "a;b;c", "(.*)"]
PIECES = ["web", "db", "[a-z]+", "[^;]*", ".", ".*", ".+", "\\d+", "\\w+",
          "\\.", "(?:x|y)", "(web|db)?", "([a-z]+)", "(.)", "(.*)", "(\\d+)",
          "(?P<name>[a-z]*)", ";", "[[:alpha:]]", "\\pL*", "\\s*", "x{0,3}",
          "a*?", "(a|b|)", "\\Qa=b\\E", "[\\w.-]+", ":", "\u00dc?", "^", "$",
          "(?i:WEB)", "(?i)db", "\\b", "(?s:.)", "(?U:a+)"]
REPLACEMENTS = ["$1", "${1}", "$2", "${name}", "$name", "$0", "$$", "$1x",
                "${1}x", "fixed", "", "a$1b${2}c", "$", "${", "${1", "$-",
                "$1$1", "\u2603$1", "${name}_$1", "$10", "x$"]
TARGETS = ["a", "b", "new", "zone", "__address__", "__param_module", "job",
           "instance", "__metrics_path__", "__scheme__", "__tmp_x", "App",
           "with.dot", "__scrape_interval__", "__scrape_timeout__", "x_y"]
TARGET_TEMPLATES = ["${1}", "t_$1", "${name}_x", "t_${1}_$2"]
MAP_TEMPLATES = ["$1", "m_$1", "${1}_x"]
# Those that give no two labels one name: which of them wins is left to chance
# by Prometheus.
MAP_PATTERNS = ["__meta_(.+)", "__meta_pod_label_(.+)", "(a|b|c)", "__(.*)",
                "app_(name)", "(?:__tmp_)(.*)", "(.*)", "(.+)_x", "([aA].*)"]
NAME_PATTERNS = ["__meta_(.+)", "__meta_pod_label_(.+)", "(a|b|c)", "__(.*)",
                 "[a-c]", "a.*", "(.).*", "__tmp_.*", "zone|App", "nothing",
                 "(?:app_)(name)", "__meta_(kind|pod)_?(.*)", "__p.*_(.*)"]
# Labels that 3.14 gives every target and 3.5 does not.
WITHOUT_NEW = {"action": "labeldrop", "regex":
               "__(scrape_native|always_scrape_classic|convert_classic)_.*"}
# What makes a target: a drop of it ends every rule set alike.
KEPT = ("(__address__|__scheme__|__metrics_path__|__scrape_interval__|"
        "__scrape_timeout__|job|%s)")


def pattern(r):
    if r.random() < 0.25:
        return r.choice(["(.*)", ".*", ".+", "", "web", "web|db|x",
                         "(?:web|db).*", ".*example.*", "(.+):(\\d+)"])
    found = "".join(r.choice(PIECES) for _ in range(r.randint(1, 4)))
    if r.random() < 0.2:
        found = f"{found}|{r.choice(PIECES)}"
    return found


def rule(r):
    action = r.choice(["replace"] * 6 + ["keep", "drop", "hashmod", "labelmap",
                                         "labelmap", "labeldrop", "labelkeep",
                                         "lowercase", "uppercase", "keepequal",
                                         "dropequal"])
    made = {}
    # Those that may drop the target do so seldom enough to let rules follow.
    if action in ("keep", "drop") and r.random() < 0.7:
        action, made = "drop", {"regex": "never" + pattern(r)}
    if action in ("keepequal", "dropequal") and r.random() < 0.7:
        action = "dropequal"
    sources = r.sample(NAMES, r.randint(0, 3))
    if action not in ("labelmap", "labeldrop", "labelkeep") and sources:
        made["source_labels"] = sources
    if action in ("replace", "keep", "drop", "hashmod", "lowercase",
                  "uppercase"):
        if r.random() < 0.4:
            made["separator"] = r.choice([";", "", "-", "$1", "\u2603", ";;"])
    if action in ("replace", "keep", "drop") and r.random() < 0.8:
        made.setdefault("regex", pattern(r))
    if action == "replace":
        if r.random() < 0.85:
            made["replacement"] = r.choice(REPLACEMENTS)
        made["target_label"] = r.choice(
            TARGETS if r.random() < 0.8 else TARGET_TEMPLATES)
    elif action in ("hashmod", "lowercase", "uppercase", "keepequal",
                    "dropequal"):
        made["target_label"] = r.choice(TARGETS[:9])
    if action == "hashmod":
        made["modulus"] = r.choice([1, 2, 7, 8, 1000, 2**31, 2**63, 2**64 - 1])
    if action == "labelmap":
        made["regex"] = r.choice(MAP_PATTERNS)
        if r.random() < 0.7:
            made["replacement"] = r.choice(MAP_TEMPLATES)
    if action == "labeldrop":
        made["regex"] = r.choice(NAME_PATTERNS)
    if action == "labelkeep":
        made["regex"] = KEPT % r.choice(NAME_PATTERNS)
    if action != "replace" or r.random() < 0.3:
        made["action"] = r.choice([str, str.upper, str.title])(action)
    return made


def job(seed, number):
    """A scrape_config of one target; the same for the same numbers."""
    r = random.Random(f"{seed}.{number}")
    labels = {name: r.choice(WORDS) for name in r.sample(NAMES, r.randint(2, 9))
              if name not in ("__address__", "job", "__scheme__",
                              "__metrics_path__")}
    if r.random() < 0.1:
        labels["job"] = "own"
    made = {
        "job_name": f"job{number:05}",
        "scrape_interval": "1h",
        "static_configs": [{
            "targets": [r.choice(["127.0.0.1:1", "[::1]:1", "host",
                                  "db.example.com:9090"])],
            # What the answers are told apart by.
            "labels": {**labels, "__meta_number": str(number)},
        }],
        "relabel_configs": [WITHOUT_NEW] + [
            rule(r) for _ in range(r.randint(1, 7))],
    }
    if r.random() < 0.1:
        made["params"] = {"module": ["m1", "m2"], "q": ["a b&"]}
    return made
