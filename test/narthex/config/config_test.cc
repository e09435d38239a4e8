#include "narthex/config.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "narthex/base/env.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

Config Parse(std::string_view yaml) {
  auto config = ParseConfig(yaml, "/etc/p.yml");
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  return *std::move(config);
}

std::string ErrorOf(std::string_view yaml) {
  const auto config = ParseConfig(yaml, "p.yml");
  REQUIRE_FALSE(config.ok());
  return std::string(Message(config.status()));
}

TEST_CASE("an empty configuration has Prometheus's defaults",
          "[narthex][config]") {
  const Config config = Parse("");
  CHECK(config.global.scrape_interval == Minutes(1));
  CHECK(config.global.scrape_timeout == Seconds(10));
  CHECK(config.global.evaluation_interval == Minutes(1));
  CHECK(config.jobs.empty());
}

TEST_CASE("a job inherits from global what it does not say",
          "[narthex][config]") {
  const Config config = Parse(R"(
global:
  scrape_interval: 15s
  sample_limit: 100
  external_labels: {zone: eu, n: 017}
scrape_configs:
  - job_name: node
    static_configs:
      - targets: [a:9100, 'b:9100']
        labels: {rack: "7"}
  - job_name: slow
    scrape_interval: 1m
    scrape_timeout: 30s
    sample_limit: 5
    metrics_path: /probe
    scheme: https
    params: {module: [http_2xx]}
    honor_labels: true
    basic_auth: {username: me, password_file: secret}
    file_sd_configs:
      - files: [targets/*.json, /abs/x.yml]
)");
  CHECK(config.global.external_labels.ToString() == R"({n="017", zone="eu"})");
  REQUIRE(config.jobs.size() == 2);
  const scrape::Job& node = config.jobs[0];
  CHECK(node.interval == Seconds(15));
  CHECK(node.timeout == Seconds(10));
  CHECK(node.sample_limit == 100);
  REQUIRE(node.static_groups.size() == 1);
  CHECK(node.static_groups[0].targets ==
        std::vector<Labels>{Labels{{"__address__", "a:9100"}},
                            Labels{{"__address__", "b:9100"}}});
  CHECK(node.static_groups[0].labels == Labels{{"rack", "7"}});
  const scrape::Job& slow = config.jobs[1];
  CHECK(slow.interval == Minutes(1));
  CHECK(slow.timeout == Seconds(30));
  CHECK(slow.sample_limit == 5);
  CHECK(slow.metrics_path == "/probe");
  CHECK(slow.params.at("module") == std::vector<std::string>{"http_2xx"});
  CHECK(slow.honor_labels);
  CHECK(slow.http.basic_auth_user.value == "me");
  CHECK(slow.http.basic_auth_password.file == "/etc/secret");
  REQUIRE(slow.file_discovery.size() == 1);
  CHECK(slow.file_discovery[0].files ==
        std::vector<std::string>{"/etc/targets/*.json", "/abs/x.yml"});
  CHECK(slow.file_discovery[0].refresh_interval == Minutes(5));
}

TEST_CASE("a timeout is cut to a shorter interval", "[narthex][config]") {
  const Config config =
      Parse("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: x\n");
  CHECK(config.jobs[0].timeout == Seconds(1));
}

TEST_CASE("relabel rules have Prometheus's defaults", "[narthex][config]") {
  const Config config = Parse(R"(
scrape_configs:
  - job_name: x
    relabel_configs:
      - source_labels: [__address__]
        target_label: host
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'go_.*', action: Drop}
)");
  const scrape::RelabelRule& rule = config.jobs[0].relabel.at(0);
  CHECK(rule.separator == ";");
  CHECK(rule.regex == "(.*)");
  CHECK(rule.replacement == "$1");
  CHECK(rule.action == scrape::RelabelAction::kReplace);
  CHECK(config.jobs[0].metric_relabel.at(0).action ==
        scrape::RelabelAction::kDrop);
}

TEST_CASE("external labels take from the environment", "[narthex][config]") {
  setenv("NARTHEX_TEST_ZONE", "eu", 1);
  const Config config = Parse(
      "global: {external_labels: {a: 'x-$NARTHEX_TEST_ZONE', "
      "b: '${NARTHEX_TEST_ZONE}y', c: 'a$$b', d: '$NARTHEX_TEST_NONE'}}");
  CHECK(config.global.external_labels.ToString() ==
        R"({a="x-eu", b="euy", c="a$b"})");
}

TEST_CASE("mistakes are told with file, line and column", "[narthex][config]") {
  CHECK(ErrorOf("global:\n  scrape_intervall: 5s\n") ==
        "p.yml:2:3: unknown key \"scrape_intervall\" in global; did you mean "
        "\"scrape_interval\"?");
  CHECK(ErrorOf("scrape_configs:\n- job_name: a\n  job_name: b\n") ==
        "p.yml:3:3: \"job_name\" is already set in line 2");
  CHECK(ErrorOf("scrape_configs:\n- job_name: a\n- job_name: a\n") ==
        "p.yml:3:3: found multiple scrape configs with job name \"a\"");
  CHECK(ErrorOf("scrape_configs:\n- metrics_path: /x\n") ==
        "p.yml:2:3: job_name is empty");
  CHECK(ErrorOf("scrape_configs:\n- job_name: a\n  scrape_interval: soon\n") ==
        "p.yml:3:20: scrape_interval: not a valid duration string: \"soon\"");
  CHECK(ErrorOf("global: {scrape_interval: 5s, scrape_timeout: 6s}")
            .find("timeout greater than scrape interval") != std::string::npos);
  CHECK(ErrorOf("scrape_configs:\n- job_name: a\n  relabel_configs:\n"
                "  - regex: '('\n    target_label: x\n")
            .substr(0, 10) == "p.yml:4:5:");
  CHECK(ErrorOf("scrape_configs:\n- job_name: a\n  static_configs:\n"
                "  - target: [x]\n") ==
        "p.yml:4:5: unknown key \"target\" in target group; did you mean "
        "\"targets\"?");
}

TEST_CASE("what does not work yet is refused, not ignored",
          "[narthex][config]") {
  CHECK(ErrorOf("rule_files: [a.yml]") ==
        "p.yml:1:1: \"rule_files\" is not supported by narthex yet");
  CHECK(ErrorOf("scrape_configs:\n- job_name: k\n  consul_sd_configs:\n"
                "  - role: pod\n") ==
        "p.yml:3:3: \"consul_sd_configs\" is not supported by narthex yet");
  CHECK(ParseConfig("rule_files: []", "p.yml").ok());
}

TEST_CASE("histograms, names and failures are configured as in Prometheus",
          "[narthex][config]") {
  const auto config = ParseConfig(
      "global:\n"
      "  scrape_native_histograms: true\n"
      "  convert_classic_histograms_to_nhcb: true\n"
      "  sample_limit: 7\n"
      "  scrape_failure_log_file: fails.log\n"
      "scrape_configs:\n"
      "- job_name: a\n"
      "  sample_limit: 0\n"
      "  native_histogram_bucket_limit: 160\n"
      "  native_histogram_min_bucket_factor: 1.1\n"
      "- job_name: b\n"
      "  scrape_native_histograms: false\n"
      "  convert_classic_histograms_to_nhcb: false\n"
      "  always_scrape_classic_histograms: true\n"
      "  metric_name_validation_scheme: legacy\n"
      "  scrape_failure_log_file: /b.log\n"
      "- job_name: c\n"
      "  metric_name_escaping_scheme: dots\n",
      "/etc/p/p.yml");
  REQUIRE(config.ok());
  const scrape::Job& a = config->jobs[0];
  CHECK(a.scrape_native_histograms);
  CHECK(a.protocols == scrape::ProtobufFirstScrapeProtocols());
  CHECK(a.sample_limit == 7);
  CHECK(a.native_histogram_bucket_limit == 160);
  CHECK(a.native_histogram_min_bucket_factor == 1.1);
  CHECK(a.scrape_failure_log_file == "/etc/p/fails.log");
  const scrape::Job& b = config->jobs[1];
  CHECK_FALSE(b.scrape_native_histograms);
  CHECK(b.always_scrape_classic_histograms);
  CHECK(b.protocols == scrape::DefaultScrapeProtocols());
  CHECK(b.name_escaping == std::nullopt);
  CHECK(b.scrape_failure_log_file == "/b.log");
  CHECK(config->jobs[2].name_escaping == scrape::NameEscaping::kDots);

  CHECK(
      ErrorOf("scrape_configs:\n- job_name: j\n  metric_name_validation_scheme"
              ": legacy\n  metric_name_escaping_scheme: allow-utf-8\n")
          .find("utf8 metric names requested but validation scheme is not "
                "set to UTF8") != std::string::npos);
}

TEST_CASE("every way to authorize and every proxy can be configured",
          "[narthex][config]") {
  const std::string text =
      "scrape_configs:\n"
      "- job_name: o\n"
      "  oauth2:\n"
      "    client_id: me\n"
      "    client_secret_file: secret\n"
      "    scopes: [a, b]\n"
      "    token_url: https://t/token\n"
      "    endpoint_params: {x: y}\n"
      "    tls_config: {server_name: t}\n"
      "    proxy_url: http://u:p@proxy\n"
      "  http_headers:\n"
      "    X-A: {values: [v], files: [header]}\n"
      "- job_name: p\n"
      "  basic_auth: {username_file: user, password: p}\n"
      "  proxy_from_environment: true\n"
      "  proxy_connect_header: {X-P: [one, two]}\n";
  const auto config = ParseConfig(text, "/e/p.yml");
  INFO(Message(config.status()));
  REQUIRE(config.ok());
  const scrape::HttpOptions& o = config->jobs[0].http;
  REQUIRE(o.oauth2.has_value());
  CHECK(o.oauth2->client_secret.file == "/e/secret");
  CHECK(o.oauth2->scopes == std::vector<std::string>{"a", "b"});
  CHECK(o.oauth2->endpoint_params.at("x") == "y");
  CHECK(o.headers[1].second.file == "/e/header");
  const scrape::HttpOptions& p = config->jobs[1].http;
  CHECK(p.basic_auth_user.file == "/e/user");
  CHECK(p.proxy.connect_headers.size() == 2);

  const std::string printed = FormatConfig(*config);
  CHECK(printed.find("http://u:xxxxx@proxy") != std::string::npos);
  CHECK(printed.find("one") == std::string::npos);
  CHECK(ParseConfig(printed, "/e/p.yml").ok());

  const auto refused = [](const std::string& fields) {
    return ErrorOf("scrape_configs:\n- job_name: j\n" + fields);
  };
  CHECK(refused("  oauth2: {client_id: x}\n")
            .find("oauth2 token_url must be configured") != std::string::npos);
  CHECK(refused("  basic_auth: {username: u}\n  bearer_token: t\n")
            .find("at most one of basic_auth, oauth2, bearer_token & "
                  "bearer_token_file must be configured") != std::string::npos);
  CHECK(refused("  authorization: {type: Basic}\n")
            .find("authorization type cannot be set to \"basic\", use "
                  "\"basic_auth\" instead") != std::string::npos);
  CHECK(refused("  http_headers: {Host: {values: [h]}}\n")
            .find("setting header \"Host\" is not allowed") !=
        std::string::npos);
  CHECK(refused("  no_proxy: h\n")
            .find("if no_proxy is configured, proxy_url must also be "
                  "configured") != std::string::npos);
}

TEST_CASE("a client may sign its tokens, and secrets may have managers",
          "[narthex][config]") {
  const auto config = ParseConfig(
      "scrape_configs:\n"
      "- job_name: o\n"
      "  oauth2:\n"
      "    client_id: me\n"
      "    token_url: https://t/token\n"
      "    grant_type: urn:ietf:params:oauth:grant-type:jwt-bearer\n"
      "    client_certificate_key_file: key.pem\n"
      "    client_certificate_key_id: k1\n"
      "    signature_algorithm: RS384\n"
      "    iss: i\n"
      "    audience: a\n"
      "    claims: {n: 12, f: 1.50, s: \"1\", b: yes, d: 2020-01-01, e: ~,\n"
      "             l: [x, 'a\"b'], m: {k: -3}}\n"
      "- job_name: r\n"
      "  authorization: {credentials_ref: vault}\n"
      "  tls_config: {ca_ref: ca, cert_ref: c, key_ref: k}\n"
      "- job_name: b\n"
      "  basic_auth: {username_ref: u, password_ref: p}\n",
      "/e/p.yml");
  INFO(Message(config.status()));
  REQUIRE(config.ok());
  const scrape::OAuth2Options& oauth2 = *config->jobs[0].http.oauth2;
  CHECK(oauth2.grant_type == scrape::kJwtBearer);
  CHECK(oauth2.client_certificate_key.file == "key.pem");
  CHECK(oauth2.client_certificate_key_id == "k1");
  CHECK(oauth2.signature_algorithm == "RS384");
  CHECK(oauth2.iss == "i");
  CHECK(oauth2.audience == "a");
  CHECK(oauth2.claims ==
        std::map<std::string, std::string>{{"n", "12"},
                                           {"f", "1.5"},
                                           {"s", "\"1\""},
                                           {"b", "true"},
                                           {"d", "\"2020-01-01\""},
                                           {"e", "null"},
                                           {"l", "[\"x\",\"a\\\"b\"]"},
                                           {"m", "{\"k\":-3}"}});
  CHECK(config->jobs[1].http.credentials.ref == "vault");
  CHECK(config->jobs[2].http.basic_auth_password.ref == "p");
  const auto again = ParseConfig(FormatConfig(*config), "/e/p.yml");
  REQUIRE(again.ok());
  for (size_t i = 0; i < 3; ++i) {
    CHECK(again->jobs[i].http == config->jobs[i].http);
  }

  const auto refused = [](const std::string& fields) {
    return ErrorOf("scrape_configs:\n- job_name: j\n" + fields);
  };
  CHECK(refused("  oauth2: {client_id: x, token_url: u, grant_type: "
                "'urn:ietf:params:oauth:grant-type:jwt-bearer', "
                "signature_algorithm: ES256}\n")
            .find("valid signature algorithms are RS256, RS384 and RS512") !=
        std::string::npos);
  CHECK(refused("  basic_auth: {password: p, password_ref: r}\n")
            .find("at most one of basic_auth password, password_file & "
                  "password_ref must be configured") != std::string::npos);
  CHECK(refused("  basic_auth: {}\n  authorization: {}\n")
            .find("at most one of basic_auth, oauth2 & authorization must be "
                  "configured") != std::string::npos);
}

TEST_CASE("jobs may stand in files of their own", "[narthex][config]") {
  const auto env = NewMemEnv();
  const auto write = [&](const std::string& path, const std::string& text) {
    REQUIRE(env->WriteFileAtomically(path, text).ok());
  };
  REQUIRE(env->MakeDir("d").ok());
  write("p.yml",
        "global: {scrape_interval: 7s}\n"
        "scrape_config_files: ['d/*.yml', 'none/*.yml', absent.yml]\n"
        "scrape_configs: [{job_name: own}]\n");
  write("d/b.yml", "scrape_configs: [{job_name: b}]\n");
  write("d/a.yml",
        "scrape_configs:\n- job_name: a\n  authorization: "
        "{credentials_file: token}\n");
  write("d/c.json", "no YAML of ours");
  const auto config = LoadConfig(*env, "p.yml");
  INFO(Message(config.status()));
  REQUIRE(config.ok());
  REQUIRE(config->jobs.size() == 3);
  CHECK(config->jobs_of_files == 2);
  CHECK(config->jobs[1].name == "a");
  CHECK(config->jobs[1].interval == Seconds(7));
  CHECK(config->jobs[1].http.credentials.file == "d/token");
  CHECK(config->jobs[2].name == "b");
  // What is shown is the file itself.
  const std::string printed = FormatConfig(*config);
  CHECK(printed.find("d/*.yml") != printed.npos);
  CHECK(printed.find("job_name: own") != printed.npos);
  CHECK(printed.find("job_name: a") == printed.npos);

  write("d/b.yml", "scrape_configs: [{job_name: own}]\n");
  CHECK(Message(LoadConfig(*env, "p.yml").status()) ==
        "d/b.yml:1:18: found multiple scrape configs with job name \"own\", "
        "first found in p.yml");
  write("d/b.yml", "scrape_configs: [{job_name: x, job: y}]\n");
  CHECK(Message(LoadConfig(*env, "p.yml").status())
            .starts_with("d/b.yml:1:32: unknown key \"job\""));
  CHECK(ErrorOf("scrape_config_files: ['a*/b.yml']")
            .find("invalid scrape config file path \"a*/b.yml\"") !=
        std::string::npos);
}

TEST_CASE("a printed configuration reads back as the same",
          "[narthex][config]") {
  const Config config = Parse(R"(
global: {scrape_interval: 15s, external_labels: {zone: "on", odd: "a: b\n"}}
scrape_configs:
  - job_name: 'a job'
    static_configs: [{targets: ['[::1]:80', 'x:1'], labels: {v: '1.0'}}]
    relabel_configs: [{action: labeldrop, regex: 'tmp_(.*)'}]
    file_sd_configs: [{files: [/a/b.yml]}]
    params: {q: [a, '']}
    body_size_limit: 1MB
    fallback_scrape_protocol: PrometheusText0.0.4
)");
  const std::string text = FormatConfig(config);
  INFO(text);
  const Config again = Parse(text);
  CHECK(again.jobs == config.jobs);
  CHECK(again.global.external_labels == config.global.external_labels);
  CHECK(FormatConfig(again) == text);
}

TEST_CASE("the storage's settings are read, printed and checked",
          "[narthex][config]") {
  const Config config = Parse(R"(
storage:
  tsdb:
    stale_series_compaction_threshold: 0.25
    chunk_encoding: {floats: xor2}
    retention: {percentage: 62.5}
)");
  CHECK(config.storage.retention_percent == 62.5);
  CHECK_FALSE(config.storage.retention.has_value());
  CHECK(config.storage.stale_series_compaction_threshold == 0.25);
  CHECK(config.storage.float_chunks == tsdb::FloatChunks::kXor2);
  const Config again = Parse(FormatConfig(config));
  CHECK(again.storage.stale_series_compaction_threshold == 0.25);
  CHECK(again.storage.float_chunks == tsdb::FloatChunks::kXor2);
  CHECK(again.storage.retention_percent == 62.5);
  CHECK_THAT(ErrorOf("storage: {tsdb: {retention: {percentage: 101}}}"),
             Catch::Contains("'storage.tsdb.retention.percentage' must be in "
                             "the range [0, 100], got 101"));
  CHECK_FALSE(Parse("").storage.float_chunks.has_value());
  CHECK_THAT(ErrorOf("storage: {tsdb: {chunk_encoding: {floats: gorilla}}}"),
             Catch::Contains("must be 'xor' or 'xor2', or the field must be "
                             "omitted entirely, got \"gorilla\""));
}

TEST_CASE("secrets are not printed", "[narthex][config]") {
  const std::string text = FormatConfig(Parse(R"(
scrape_configs:
  - job_name: x
    authorization: {credentials: hunter2}
  - job_name: y
    basic_auth: {username: u, password: hunter3}
    http_headers: {X-Key: {secrets: [hunter4]}}
)"));
  CHECK(text.find("hunter") == std::string::npos);
  CHECK(text.find("credentials: <secret>") != std::string::npos);
}

TEST_CASE("target files are lists of groups", "[narthex][config]") {
  auto groups = DecodeTargetYaml(
      "- targets: [a:1, b:2]\n  labels: {job: x}\n- targets: []\n", "t.yml");
  REQUIRE(groups.ok());
  REQUIRE(groups->size() == 2);
  CHECK((*groups)[0].targets.size() == 2);
  CHECK(DecodeTargetYaml("", "t.yml")->empty());
  const auto bad = DecodeTargetYaml("- targets: [a]\n  lables: {}\n", "t.yml");
  CHECK(Message(bad.status()) ==
        "t.yml:2:3: unknown key \"lables\" in target group; did you mean "
        "\"labels\"?");
  CHECK_FALSE(DecodeTargetYaml("targets: [a]", "t.yml").ok());
}

TEST_CASE("a configuration is loaded through the Env", "[narthex][config]") {
  const auto env = NewMemEnv();
  REQUIRE(env->WriteFileAtomically("p.yml", "scrape_configs: []\n").ok());
  CHECK(LoadConfig(*env, "p.yml").ok());
  CHECK(LoadConfig(*env, "none.yml").status().code() ==
        absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace narthex
