// series, labels, label values, metadata.

#include <map>
#include <set>
#include <tuple>

#include "libnarthex/api/api.h"
#include "libnarthex/lookup.h"

namespace narthex::api {
namespace {

// One more than asked for tells whether there are more.
size_t WithOneMore(size_t limit) { return limit == 0 ? 0 : limit + 1; }

void WriteStrings(Call& call, const std::vector<std::string>& texts) {
  JsonWriter json(call.data);
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

// limit, start, end, match[]: what all three look-ups take.
struct LookupParameters {
  size_t limit = 0;
  TimeRange range = {};
  std::vector<Matchers> selectors = {};

  ApiError Read(const Form& form) {
    if (auto error = ReadLimit(form, limit)) return error;
    if (auto error = ReadRange(form, range)) return error;
    return ReadSelectors(form, selectors);
  }
};

// A whole number, `otherwise` if it is absent.
ApiError ReadCount(const Form& form, std::string_view name, int64_t otherwise,
                   int64_t& out) {
  out = otherwise;
  const std::string_view text = form.Get(name);
  if (text.empty()) return NoError();
  const auto n = ParseInteger(text);
  if (!n.ok()) return BadData(StrCat(name, " must be a number"));
  out = *n;
  return NoError();
}

}  // namespace

ApiError Series(Call& call) {
  if (call.form.All("match[]").empty()) {
    return BadData("no match[] parameter provided");
  }
  LookupParameters parameters;
  if (auto error = ReadLimit(call.form, parameters.limit)) return error;
  if (auto error = ReadRange(call.form, parameters.range)) return error;
  if (auto error = ReadSelectors(call.form, parameters.selectors)) {
    return InvalidParameter("match[]", error.text);
  }
  auto querier = call.narthex().NewQuerier(parameters.range);
  if (!querier.ok()) return FromStatus(querier.status());
  ReadScope scope(call);
  auto series = LookUpSeries(**querier, parameters.selectors, parameters.range,
                             WithOneMore(parameters.limit), scope.ctx);
  if (!series.ok()) return FromStatus(series.status());
  call.annotations = (*querier)->warnings();
  Truncate(*series, parameters.limit, call);
  JsonWriter json(call.data);
  json.BeginArray();
  for (const Labels& labels : *series) json.Write(labels);
  json.EndArray();
  return NoError();
}

ApiError LabelNames(Call& call) {
  LookupParameters parameters;
  if (auto error = parameters.Read(call.form)) return error;
  auto querier = call.narthex().NewQuerier(parameters.range);
  if (!querier.ok()) return FromStatus(querier.status());
  ReadScope scope(call);
  auto names = LookUpLabelNames(**querier, parameters.selectors,
                                WithOneMore(parameters.limit), scope.ctx);
  if (!names.ok()) return FromStatus(names.status());
  call.annotations = (*querier)->warnings();
  Truncate(*names, parameters.limit, call);
  WriteStrings(call, *names);
  return NoError();
}

ApiError LabelValues(Call& call) {
  const std::string name = UnescapeLabelName(call.path_value);
  if (name.empty() || !IsValidUtf8(name)) {
    return BadData(StrCat("invalid label name: ", GoQuote(name)));
  }
  LookupParameters parameters;
  if (auto error = parameters.Read(call.form)) return error;
  auto querier = call.narthex().NewQuerier(parameters.range);
  if (!querier.ok()) return FromStatus(querier.status());
  ReadScope scope(call);
  auto values = LookUpLabelValues(**querier, name, parameters.selectors,
                                  WithOneMore(parameters.limit), scope.ctx);
  if (!values.ok()) return FromStatus(values.status());
  call.annotations = (*querier)->warnings();
  Truncate(*values, parameters.limit, call);
  WriteStrings(call, *values);
  return NoError();
}

ApiError MetricMetadata(Call& call) {
  int64_t limit = 0, per_metric = 0;
  if (auto error = ReadCount(call.form, "limit", -1, limit)) return error;
  if (auto error = ReadCount(call.form, "limit_per_metric", -1, per_metric)) {
    return error;
  }
  using Entry = std::tuple<MetricType, std::string, std::string>;
  std::map<std::string, std::set<Entry>> metrics;
  if (const scrape::Scraper* scraper = call.narthex().scraper()) {
    for (scrape::TargetMetadata& said :
         scraper->TargetsMetadata(call.form.Get("metric"))) {
      std::set<Entry>& entries = metrics[said.metric];
      if (per_metric > 0 && std::ssize(entries) >= per_metric) continue;
      entries.emplace(said.metadata.type, std::move(said.metadata.unit),
                      std::move(said.metadata.help));
    }
  }
  JsonWriter json(call.data);
  json.BeginObject();
  for (const auto& [metric, entries] : metrics) {
    if (limit >= 0 && limit-- == 0) break;
    json.Key(metric);
    json.BeginArray();
    for (const auto& [type, unit, help] : entries) {
      json.BeginObject();
      json.Key("type");
      json.String(MetricTypeName(type));
      json.Key("unit");
      json.String(unit);
      json.Key("help");
      json.String(help);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return NoError();
}

}  // namespace narthex::api
