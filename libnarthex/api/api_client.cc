#include "narthex/api_client.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/synchronization/notification.h"
#include "libnarthex/api/histogram_json.h"
#include "narthex/base/status.h"

namespace narthex::api {
namespace {

using Json = nlohmann::json;
using scrape::QueryEscape;

constexpr uint64_t kMaxAnswerBytes = uint64_t{4} << 30;

absl::Status Unreadable(std::string_view what) {
  return DataLoss(StrCat("can't make sense of the answer: ", what));
}

// Members by name; null if absent or not an object.
const Json& Member(const Json& object, const char* name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

std::string Text(const Json& json) {
  const auto* text = json.get_ptr<const std::string*>();
  return text == nullptr ? "" : *text;
}

bool ReadLabels(const Json& json, Labels& out) {
  if (!json.is_object()) return false;
  std::vector<Label> pairs;
  for (const auto& item : json.items()) {
    const auto* value = item.value().get_ptr<const std::string*>();
    if (value == nullptr) return false;
    pairs.push_back({item.key(), *value});
  }
  out = Labels::FromPairs(pairs);
  return true;
}

bool ReadTime(const Json& json, Timestamp& out) {
  if (!json.is_number()) return false;
  out = std::llround(json.get<double>() * 1000);
  return true;
}

// [time, "value"]
bool ReadPoint(const Json& json, Sample& out) {
  return json.is_array() && json.size() == 2 && ReadTime(json[0], out.t) &&
         json[1].is_string() && ParseGoFloat(Text(json[1]), out.v);
}

// [time, {"count": ..., "sum": ..., "buckets": [...]}]
bool ReadPoint(const Json& json, promql::HistogramSample& out) {
  if (!json.is_array() || json.size() != 2 || !ReadTime(json[0], out.t)) {
    return false;
  }
  FloatHistogram histogram;
  if (!ReadHistogram(json[1], histogram)) return false;
  out.histogram = std::make_shared<const FloatHistogram>(std::move(histogram));
  return true;
}

absl::StatusOr<promql::Value> ReadVector(const Json& result) {
  promql::Vector vector;
  for (const Json& item : result) {
    promql::VectorElement& element = vector.emplace_back();
    if (!ReadLabels(Member(item, "metric"), element.labels)) {
      return Unreadable("a metric is no map of texts");
    }
    if (item.contains("histogram")) {
      promql::HistogramSample sample;
      if (!ReadPoint(item["histogram"], sample)) {
        return Unreadable("a histogram is no pair of time and histogram");
      }
      element.t = sample.t;
      element.histogram = std::move(sample.histogram);
      continue;
    }
    Sample sample;
    if (!ReadPoint(Member(item, "value"), sample)) {
      return Unreadable("a value is no pair of time and number");
    }
    element.t = sample.t;
    element.v = sample.v;
  }
  return promql::Value(std::move(vector));
}

absl::StatusOr<promql::Value> ReadMatrix(const Json& result) {
  promql::Matrix matrix;
  for (const Json& item : result) {
    promql::MatrixSeries& series = matrix.emplace_back();
    if (!ReadLabels(Member(item, "metric"), series.labels)) {
      return Unreadable("a metric is no map of texts");
    }
    const Json& histograms = Member(item, "histograms");
    series.histograms.reserve(histograms.size());
    for (const Json& histogram : histograms) {
      if (!ReadPoint(histogram, series.histograms.emplace_back())) {
        return Unreadable("a histogram is no pair of time and histogram");
      }
    }
    const Json& values = Member(item, "values");
    series.floats.reserve(values.size());
    for (const Json& value : values) {
      if (!ReadPoint(value, series.floats.emplace_back())) {
        return Unreadable("a value is no pair of time and number");
      }
    }
  }
  return promql::Value(std::move(matrix));
}

absl::StatusOr<promql::Value> ReadValue(const Json& data) {
  const std::string type = Text(Member(data, "resultType"));
  const Json& result = Member(data, "result");
  if (!result.is_array()) return Unreadable("no result");
  if (type == "vector") return ReadVector(result);
  if (type == "matrix") return ReadMatrix(result);
  if (type == "scalar") {
    Sample sample;
    if (!ReadPoint(result, sample)) return Unreadable("no scalar");
    return promql::Value(promql::ScalarValue{sample.t, sample.v});
  }
  promql::StringValue text;
  if (type != "string" || result.size() != 2 || !ReadTime(result[0], text.t)) {
    return Unreadable("an unknown type of result");
  }
  text.v = Text(result[1]);
  return promql::Value(std::move(text));
}

std::string TimeParameters(TimeRange range) {
  return StrCat("&start=", FormatSeconds(range.min),
                "&end=", FormatSeconds(range.max));
}

std::string SelectorParameters(std::span<const std::string> selectors) {
  std::string out;
  for (const std::string& selector : selectors) {
    StrAppend(&out, "&match%5B%5D=", QueryEscape(selector));
  }
  return out;
}

}  // namespace

struct Client::Impl {
  std::string url;  // without a slash at the end
  ClientOptions options;
  std::unique_ptr<scrape::HttpClient> http;

  absl::StatusOr<scrape::HttpResponse> Send(scrape::HttpRequest request) {
    absl::Notification ready;
    absl::StatusOr<scrape::HttpResponse> answer;
    http->Send(std::move(request),
               [&](absl::StatusOr<scrape::HttpResponse> response) {
                 answer = std::move(response);
                 ready.Notify();
               });
    ready.WaitForNotification();
    return answer;
  }

  // `form` empty: GET.
  absl::StatusOr<Json> Ask(const std::string& path, const std::string& form) {
    scrape::HttpRequest request;
    request.url = url + "/api/v1" + path;
    request.headers = options.headers;
    request.timeout = options.timeout;
    request.body_limit = kMaxAnswerBytes;
    if (!form.empty()) {
      request.method = "POST";
      request.body = form;
      request.headers.emplace_back("Content-Type",
                                   "application/x-www-form-urlencoded");
    }
    NARTHEX_ASSIGN_OR_RETURN(const scrape::HttpResponse response,
                             Send(std::move(request)));
    Json json = Json::parse(response.body, nullptr, /*allow_exceptions=*/false);
    if (Text(Member(json, "status")) == "success") {
      return std::move(json["data"]);
    }
    if (Text(Member(json, "status")) == "error") {
      return InvalidArgument(StrCat(Text(Member(json, "errorType")), ": ",
                                    Text(Member(json, "error"))));
    }
    if (response.status / 100 == 2) return Unreadable("it is no JSON");
    return Unavailable(StrCat("server_error: server error: ", response.status));
  }
};

absl::StatusOr<std::unique_ptr<Client>> Client::Make(std::string url,
                                                     ClientOptions options) {
  auto impl = std::make_unique<Impl>();
  if (url.find("://") == std::string::npos) url = "http://" + url;
  while (!url.empty() && url.back() == '/') url.pop_back();
  impl->url = std::move(url);
  impl->options = std::move(options);
  NARTHEX_ASSIGN_OR_RETURN(impl->http, scrape::NewCurlHttpClient());
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

absl::StatusOr<promql::Value> Client::Query(std::string_view promql,
                                            Timestamp at) {
  NARTHEX_ASSIGN_OR_RETURN(
      const Json data,
      impl_->Ask("/query", StrCat("query=", QueryEscape(promql),
                                  "&time=", FormatSeconds(at))));
  return ReadValue(data);
}

absl::StatusOr<promql::Value> Client::QueryRange(std::string_view promql,
                                                 TimeRange range,
                                                 Duration step) {
  NARTHEX_ASSIGN_OR_RETURN(
      const Json data,
      impl_->Ask("/query_range",
                 StrCat("query=", QueryEscape(promql), TimeParameters(range),
                        "&step=", FormatSeconds(step.ms))));
  return ReadValue(data);
}

absl::StatusOr<std::vector<Labels>> Client::Series(
    std::span<const std::string> selectors, TimeRange range) {
  std::string form = TimeParameters(range) + SelectorParameters(selectors);
  NARTHEX_ASSIGN_OR_RETURN(const Json data,
                           impl_->Ask("/series", form.substr(1)));
  std::vector<Labels> out;
  for (const Json& item : data) {
    if (!ReadLabels(item, out.emplace_back())) {
      return Unreadable("a series is no map of texts");
    }
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> Client::LabelValues(
    std::string_view name, std::span<const std::string> selectors,
    TimeRange range) {
  const std::string parameters =
      TimeParameters(range) + SelectorParameters(selectors);
  NARTHEX_ASSIGN_OR_RETURN(
      const Json data,
      impl_->Ask(StrCat("/label/", QueryEscape(name), "/values?",
                        std::string_view(parameters).substr(1)),
                 ""));
  std::vector<std::string> out;
  for (const Json& item : data) out.push_back(Text(item));
  return out;
}

}  // namespace narthex::api
