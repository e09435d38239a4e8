// targets, scrape_pools, and what belongs to one of them.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "libnarthex/api/api.h"
#include "narthex/base/ascii.h"
#include "narthex/model/labels_builder.h"
#include "narthex/promql/parser.h"
#include "narthex/scrape/relabel.h"

namespace narthex::api {
namespace {

void WriteTarget(JsonWriter& json, const scrape::TargetStatus& target) {
  json.BeginObject();
  json.Key("discoveredLabels");
  json.Write(target.discovered_labels);
  json.Key("labels");
  json.Write(target.labels);
  json.Key("scrapePool");
  json.String(target.scrape_pool);
  json.Key("scrapeUrl");
  json.String(target.scrape_url);
  json.Key("globalUrl");
  json.String(target.global_url);
  json.Key("lastError");
  json.String(target.last_error);
  json.Key("lastScrape");
  // Go's zero time, if there was no scrape yet.
  json.String(target.last_scrape == Timestamp(0)
                  ? "0001-01-01T00:00:00Z"
                  : FormatRfc3339(target.last_scrape));
  json.Key("lastScrapeDuration");
  json.Number(target.last_scrape_duration);
  json.Key("health");
  json.String(scrape::TargetHealthName(target.health));
  json.Key("scrapeInterval");
  json.String(FormatDuration(target.scrape_interval));
  json.Key("scrapeTimeout");
  json.String(FormatDuration(target.scrape_timeout));
  json.EndObject();
}

// The job of the pool that `scrapePool` names.
ApiError ReadPool(Call& call, std::optional<scrape::Job>& out) {
  const std::string_view pool = call.form.Get("scrapePool");
  if (pool.empty()) return BadData("no scrapePool parameter provided");
  const scrape::Scraper* scraper = call.narthex().scraper();
  if (scraper != nullptr) out = scraper->PoolJob(pool);
  if (out.has_value()) return NoError();
  return BadData(StrCat("error retrieving scrape config: scrape pool ",
                        GoQuote(pool), " not found"));
}

bool Match(const Matchers& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const MatcherPtr& matcher) {
                       return matcher->Matches(labels.Get(matcher->name()));
                     });
}

void WriteRule(JsonWriter& json, const scrape::RelabelRule& rule) {
  json.BeginObject();
  if (!rule.source_labels.empty()) {
    json.Key("source_labels");
    json.BeginArray();
    for (const std::string& label : rule.source_labels) json.String(label);
    json.EndArray();
  }
  json.Key("separator");
  json.String(rule.separator);
  json.Key("regex");
  json.String(rule.regex);
  if (rule.modulus != 0) {
    json.Key("modulus");
    json.Uint(rule.modulus);
  }
  if (!rule.target_label.empty()) {
    json.Key("target_label");
    json.String(rule.target_label);
  }
  json.Key("replacement");
  json.String(rule.replacement);
  json.Key("action");
  json.String(scrape::RelabelActionName(rule.action));
  json.EndObject();
}

}  // namespace

ApiError TargetMetadata(Call& call) {
  int64_t limit = -1;
  if (const auto text = call.form.Get("limit"); !text.empty()) {
    const auto n = ParseInteger(text);
    if (!n.ok()) return BadData("limit must be a number");
    limit = *n;
  }
  Matchers matchers;
  if (const auto text = call.form.Get("match_target"); !text.empty()) {
    auto parsed = promql::ParseMetricSelector(text);
    if (!parsed.ok()) {
      return InvalidParameter("match_target", Message(parsed.status()));
    }
    matchers = *std::move(parsed);
  }
  const std::string_view metric = call.form.Get("metric");
  JsonWriter json(call.data);
  json.BeginArray();
  int64_t written = 0;
  const Labels* target = nullptr;
  std::vector<scrape::TargetMetadata> all;
  if (const scrape::Scraper* scraper = call.narthex().scraper()) {
    all = scraper->TargetsMetadata(metric);
  }
  for (const scrape::TargetMetadata& said : all) {
    // A target that is begun is told whole.
    const bool fresh = target == nullptr || *target != said.target;
    if (fresh && limit >= 0 && written >= limit) break;
    target = &said.target;
    if (!Match(matchers, said.target)) continue;
    ++written;
    json.BeginObject();
    json.Key("target");
    json.Write(said.target);
    if (metric.empty()) {
      json.Key("metric");
      json.String(said.metric);
    }
    json.Key("type");
    json.String(MetricTypeName(said.metadata.type));
    json.Key("help");
    json.String(said.metadata.help);
    json.Key("unit");
    json.String(said.metadata.unit);
    json.EndObject();
  }
  json.EndArray();
  return NoError();
}

ApiError ScrapePoolConfig(Call& call) {
  std::optional<scrape::Job> job;
  if (auto error = ReadPool(call, job)) return error;
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("yaml");
  json.String(FormatJob(*job));
  json.EndObject();
  return NoError();
}

// What each relabel rule of the pool makes of `labels`, one after the other.
ApiError TargetRelabelSteps(Call& call) {
  if (call.form.Get("scrapePool").empty()) {
    return BadData("no scrapePool parameter provided");
  }
  const std::string_view text = call.form.Get("labels");
  if (text.empty()) return BadData("no labels parameter provided");
  const auto given = nlohmann::json::parse(text, nullptr, false);
  bool texts = given.is_object();
  LabelsBuilder labels;
  for (const auto& [name, value] : given.items()) {
    texts = texts && value.is_string();
    if (texts) labels.Set(name, value.get_ref<const std::string&>());
  }
  if (!texts) {
    return BadData("error parsing labels: not a JSON object of texts");
  }
  std::optional<scrape::Job> job;
  if (auto error = ReadPool(call, job)) return error;

  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("steps");
  json.BeginArray();
  bool keep = true;
  for (const scrape::RelabelRule& rule : job->relabel) {
    const auto step = scrape::Relabeler::Make({&rule, 1}, job->name_validation);
    if (!step.ok()) return FromStatus(step.status());
    keep = keep && step->Process(labels);
    json.BeginObject();
    json.Key("rule");
    WriteRule(json, rule);
    json.Key("output");
    json.Write(keep ? labels.Build() : Labels());
    json.Key("keep");
    json.Bool(keep);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return NoError();
}

ApiError Targets(Call& call) {
  const std::string_view pool = call.form.GetFromUrl("scrapePool");
  const std::string state = AsciiLower(call.form.GetFromUrl("state"));
  const bool all = state.empty() || state == "any";
  const bool active = all || state == "active";
  const bool dropped = all || state == "dropped";
  const scrape::Scraper* scraper = call.narthex().scraper();

  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("activeTargets");
  json.BeginArray();
  if (active && scraper != nullptr) {
    for (const auto& target : scraper->Targets(pool)) WriteTarget(json, target);
  }
  json.EndArray();
  json.Key("droppedTargets");
  json.BeginArray();
  if (dropped && scraper != nullptr) {
    for (const auto& target : scraper->DroppedTargets(pool)) {
      json.BeginObject();
      json.Key("discoveredLabels");
      json.Write(target.discovered_labels);
      json.Key("scrapePool");
      json.String(target.scrape_pool);
      json.EndObject();
    }
  }
  json.EndArray();
  json.Key("droppedTargetCounts");
  if (dropped) {
    json.BeginObject();
    if (scraper != nullptr) {
      for (const auto& [name, n] : scraper->DroppedTargetCounts()) {
        json.Key(name);
        json.Uint(n);
      }
    }
    json.EndObject();
  } else {
    json.Null();
  }
  json.EndObject();
  return NoError();
}

ApiError ScrapePools(Call& call) {
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("scrapePools");
  json.BeginArray();
  if (const scrape::Scraper* scraper = call.narthex().scraper()) {
    for (const std::string& pool : scraper->Pools()) json.String(pool);
  }
  json.EndArray();
  json.EndObject();
  return NoError();
}

}  // namespace narthex::api
