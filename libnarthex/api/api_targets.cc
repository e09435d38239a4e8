// targets, scrape_pools.

#include "libnarthex/api/api.h"
#include "narthex/base/ascii.h"

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

}  // namespace

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
