// The spine of the API: a request finds its handler, the handler's data or
// error becomes an answer.

#include "libnarthex/api/api.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "libnarthex/lookup.h"
#include "narthex/base/compress.h"

namespace narthex::api {
namespace {

constexpr std::string_view kRoot = "/api/v1";
constexpr std::string_view kLabelPrefix = "/label/";
constexpr std::string_view kLabelSuffix = "/values";
constexpr size_t kWorthCompressing = 1024;
constexpr size_t kMaxAnnotations = 10;  // of each kind

struct Route {
  std::string_view path;
  bool post;  // POST is welcome too, or alone
  ApiError (*handle)(Call& call);
  bool changes = false;  // POST and PUT, nothing else
};
constexpr Route kRoutes[] = {
    {"/query", true, Query},
    {"/query_range", true, QueryRange},
    {"/query_exemplars", true, QueryExemplars},
    {"/format_query", true, FormatQuery},
    {"/parse_query", true, ParseQuery},
    {"/series", true, Series},
    {"/labels", true, LabelNames},
    {"/metadata", false, MetricMetadata},
    {"/targets", false, Targets},
    {"/targets/metadata", false, TargetMetadata},
    {"/targets/relabel_steps", false, TargetRelabelSteps},
    {"/scrape_pools", false, ScrapePools},
    {"/scrape_pools/config", false, ScrapePoolConfig},
    {"/status/config", false, StatusConfig},
    {"/status/flags", false, StatusFlags},
    {"/status/buildinfo", false, StatusBuildInfo},
    {"/status/runtimeinfo", false, StatusRuntimeInfo},
    {"/status/tsdb", false, StatusTsdb},
    {"/status/tsdb/blocks", false, StatusTsdbBlocks},
    {"/admin/tsdb/delete_series", true, DeleteSeries, true},
    {"/admin/tsdb/clean_tombstones", true, CleanTombstones, true},
    {"/admin/tsdb/snapshot", true, Snapshot, true},
};
constexpr Route kLabelValuesRoute = {"/label/:name/values", false, LabelValues};

std::string_view ErrorName(ErrorType type) {
  switch (type) {
    case ErrorType::kNone:
      return "";
    case ErrorType::kTimeout:
      return "timeout";
    case ErrorType::kCanceled:
      return "canceled";
    case ErrorType::kExecution:
      return "execution";
    case ErrorType::kBadData:
      return "bad_data";
    case ErrorType::kInternal:
      return "internal";
    case ErrorType::kUnavailable:
      return "unavailable";
    case ErrorType::kNotFound:
      return "not_found";
  }
  return "internal";
}

int HttpCode(ErrorType type) {
  switch (type) {
    case ErrorType::kNone:
      return 200;
    case ErrorType::kBadData:
      return 400;
    case ErrorType::kExecution:
      return 422;
    case ErrorType::kCanceled:
      return 499;
    case ErrorType::kTimeout:
      return 503;
    case ErrorType::kNotFound:
      return 404;
    case ErrorType::kInternal:
    case ErrorType::kUnavailable:
      return 500;
  }
  return 500;
}

void WriteTexts(JsonWriter& json, std::string_view key,
                const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.Key(key);
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

Response Answer(const Call& call, const ApiError& error) {
  if (!error && call.data.empty()) return Response{.status = 204};
  Response response;
  JsonWriter json(response.body);
  json.BeginObject();
  json.Key("status");
  json.String(error ? "error" : "success");
  if (error) {
    response.status = HttpCode(error.type);
    json.Key("errorType");
    json.String(ErrorName(error.type));
    json.Key("error");
    json.String(error.text);
  } else {
    json.Key("data");
    json.Raw(call.data);
    using Kind = Annotation::Kind;
    const Annotations& notes = call.annotations;
    WriteTexts(json, "warnings",
               notes.Render(Kind::kWarning, call.query, kMaxAnnotations));
    WriteTexts(json, "infos",
               notes.Render(Kind::kInfo, call.query, kMaxAnnotations));
  }
  json.EndObject();
  return response;
}

Response Text(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::string(text);
  return response;
}

Response WrongMethod(std::string_view allowed) {
  Response response = Text(405, "Method Not Allowed\n");
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

// What a bare visitor of the root sees.
constexpr std::string_view kIndexPage =
    "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>narthex</title>"
    "</head><body style=\"font-family:sans-serif;margin:2em\"><h1>narthex</h1>"
    "<p>Prometheus's HTTP API is at <code>/api/v1/</code>.</p><ul>"
    "<li><a href=\"/api/v1/query?query=up\">/api/v1/query?query=up</a></li>"
    "<li><a href=\"/api/v1/targets\">/api/v1/targets</a></li>"
    "<li><a href=\"/api/v1/status/tsdb\">/api/v1/status/tsdb</a></li>"
    "<li><a href=\"/metrics\">/metrics</a></li></ul></body></html>\n";

bool IsRead(const Request& request) {
  return request.method == "GET" || request.method == "HEAD";
}

// gzip among the encodings that the client takes, and not refused with q=0.
bool TakesGzip(std::string_view accept) {
  while (!accept.empty()) {
    const size_t end = accept.find(',');
    std::string item;
    for (const char c : accept.substr(0, end)) {
      if (c != ' ' && c != '\t') item.push_back(c);
    }
    accept.remove_prefix(end == std::string_view::npos ? accept.size()
                                                       : end + 1);
    if (item == "gzip" ||
        (item.starts_with("gzip;q=") &&
         item.find_first_of("123456789") != std::string::npos)) {
      return true;
    }
  }
  return false;
}

}  // namespace

ApiError InvalidParameter(std::string_view name, std::string_view text) {
  return BadData(StrCat("invalid parameter \"", name, "\": ", text));
}

ApiError FromStatus(const absl::Status& status) {
  const std::string text(Message(status));
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return NoError();
    case absl::StatusCode::kCancelled:
      return {ErrorType::kCanceled, text};
    case absl::StatusCode::kDeadlineExceeded:
      return {ErrorType::kTimeout, text};
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      return {ErrorType::kExecution, text};
    case absl::StatusCode::kFailedPrecondition:
      return {ErrorType::kUnavailable, text};
    default:
      return {ErrorType::kInternal, text};
  }
}

ApiError ReadTime(const Form& form, std::string_view name, Timestamp otherwise,
                  Timestamp& out) {
  const std::string_view text = form.Get(name);
  if (text.empty()) {
    out = otherwise;
    return NoError();
  }
  const auto time = ParseTime(text);
  if (!time.ok()) {
    return InvalidParameter(name, StrCat("invalid time value for '", name,
                                         "': ", Message(time.status())));
  }
  out = *time;
  return NoError();
}

ApiError ReadRange(const Form& form, TimeRange& out) {
  if (auto error = ReadTime(form, "start", kMinTime, out.min)) return error;
  return ReadTime(form, "end", kMaxTime, out.max);
}

absl::StatusOr<int64_t> ParseInteger(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int64_t n = 0;
  const char* end = digits.data() + digits.size();
  const auto [p, error] = std::from_chars(digits.data(), end, n);
  const bool doubled = text.starts_with('+') && digits.starts_with('-');
  if (error == std::errc::result_out_of_range && p == end) {
    return InvalidArgument(StrCat("strconv.Atoi: parsing ", GoQuote(text),
                                  ": value out of range"));
  }
  if (error != std::errc() || p != end || doubled) {
    return InvalidArgument(
        StrCat("strconv.Atoi: parsing ", GoQuote(text), ": invalid syntax"));
  }
  return n;
}

ApiError ReadLimit(const Form& form, size_t& out) {
  out = 0;
  const std::string_view text = form.Get("limit");
  if (text.empty()) return NoError();
  const auto n = ParseInteger(text);
  if (!n.ok()) return InvalidParameter("limit", Message(n.status()));
  if (*n < 0) return InvalidParameter("limit", "limit must be non-negative");
  out = static_cast<size_t>(*n);
  return NoError();
}

ApiError ReadSelectors(const Form& form, std::vector<Matchers>& out) {
  auto parsed = ParseSelectors(form.All("match[]"));
  if (!parsed.ok()) return BadData(Message(parsed.status()));
  out = *std::move(parsed);
  return NoError();
}

// --- Routing.

struct Handler::Impl {
  Impl(const Narthex& narthex, Options given)
      : options(std::move(given)), context(narthex, options) {}

  Response Route(const Request& request) const;
  Response RouteApi(const Request& request, const Form& form,
                    std::string_view path) const;
  void SetCors(const Request& request, Response& response) const;
  Response Reload(const Request& request) const;
  Response Quit(const Request& request) const;

  const Options options;
  Context context;
};

absl::StatusOr<std::unique_ptr<Handler>> Handler::Make(const Narthex& narthex,
                                                       Options options) {
  NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<const Regex> origin,
                           Regex::Make(options.cors_origin));
  auto impl = std::make_unique<Impl>(narthex, std::move(options));
  impl->context.cors_origin = std::move(origin);
  impl->context.started = narthex.clock().Now();
  return std::unique_ptr<Handler>(new Handler(std::move(impl)));
}

Handler::Handler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Handler::~Handler() = default;

Response Handler::Handle(const Request& request) const {
  Response response = impl_->Route(request);
  if (response.body.size() >= kWorthCompressing &&
      TakesGzip(request.accept_encoding)) {
    std::string packed;
    Compress(Compression::kGzip, response.body, packed);
    response.body = std::move(packed);
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.headers.emplace_back("Vary", "Accept-Encoding");
  }
  return response;
}

Response Handler::Impl::Route(const Request& request) const {
  const Form form(request);
  std::string_view path = form.path();
  if (path.starts_with(kRoot) &&
      (path.size() == kRoot.size() || path[kRoot.size()] == '/')) {
    Response response = RouteApi(request, form, path.substr(kRoot.size()));
    SetCors(request, response);
    return response;
  }
  if (path == "/-/reload") return Reload(request);
  if (path == "/-/quit") return Quit(request);
  const bool known = path == "/" || path == "/metrics" || path == "/version" ||
                     path == "/-/healthy" || path == "/-/ready";
  if (!known) return Text(404, "404 page not found\n");
  if (!IsRead(request)) return WrongMethod("GET, HEAD");
  if (path == "/-/healthy") return Text(200, "Prometheus Server is Healthy.\n");
  if (path == "/-/ready") return Text(200, "Prometheus Server is Ready.\n");
  Response response;
  if (path == "/metrics") {
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = context.narthex.Metrics();
  } else if (path == "/version") {
    response.body = BuildInfoJson();
  } else {
    response.content_type = "text/html; charset=utf-8";
    response.body = std::string(kIndexPage);
  }
  return response;
}

Response Handler::Impl::RouteApi(const Request& request, const Form& form,
                                 std::string_view path) const {
  if (request.method == "OPTIONS") return Response{.status = 204};
  if (path == "/write") return RemoteWrite(context, request);

  Call call{context, request, form};
  const api::Route* route = nullptr;
  for (const api::Route& candidate : kRoutes) {
    if (candidate.path == path) route = &candidate;
  }
  if (route == nullptr && path.starts_with(kLabelPrefix) &&
      path.ends_with(kLabelSuffix) &&
      path.size() > kLabelPrefix.size() + kLabelSuffix.size()) {
    std::string_view name = path.substr(kLabelPrefix.size());
    name.remove_suffix(kLabelSuffix.size());
    if (name.find('/') == std::string_view::npos &&
        Unescape(name, /*plus_is_blank=*/false, call.path_value)) {
      route = &kLabelValuesRoute;
    }
  }
  if (route == nullptr) return Text(404, "404 page not found\n");
  if (route->changes) {
    if (request.method != "POST" && request.method != "PUT") {
      return WrongMethod("OPTIONS, POST, PUT");
    }
  } else if (!IsRead(request) && !(route->post && request.method == "POST")) {
    return WrongMethod(route->post ? "GET, HEAD, OPTIONS, POST"
                                   : "GET, HEAD, OPTIONS");
  }

  const int64_t began = context.narthex.clock().MonotonicNanos();
  const ApiError error = route->handle(call);
  Response response = Answer(call, error);
  MetricRegistry& metrics = context.narthex.metrics();
  const std::string handler = StrCat(kRoot, route->path);
  metrics
      .NewCounter("prometheus_http_requests_total", "Counter of HTTP requests.",
                  {{"handler", handler}, {"code", StrCat(response.status)}})
      .Inc();
  metrics
      .NewHistogram("prometheus_http_request_duration_seconds",
                    "Histogram of latencies for HTTP requests.",
                    {.1, .2, .4, 1, 3, 8, 20, 60, 120}, {{"handler", handler}})
      .Observe(static_cast<double>(context.narthex.clock().MonotonicNanos() -
                                   began) /
               1e9);
  return response;
}

void Handler::Impl::SetCors(const Request& request, Response& response) const {
  auto set = [&](const char* name, std::string_view value) {
    response.headers.emplace_back(name, std::string(value));
  };
  set("Vary", "Origin");
  if (request.origin.empty()) return;
  set("Access-Control-Allow-Headers",
      "Accept, Authorization, Content-Type, Origin");
  set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  set("Access-Control-Expose-Headers", "Date");
  if (options.cors_origin == ".*") {
    set("Access-Control-Allow-Origin", "*");
  } else if (context.cors_origin->Matches(request.origin)) {
    set("Access-Control-Allow-Origin", request.origin);
  }
}

Response Handler::Impl::Reload(const Request& request) const {
  if (!options.reload) return Text(403, "Lifecycle API is not enabled.");
  if (request.method != "POST" && request.method != "PUT") {
    return WrongMethod("POST, PUT");
  }
  const absl::Status status = options.reload();
  if (status.ok()) return Text(200, "");
  return Text(500, StrCat("failed to reload config: ", Message(status), "\n"));
}

Response Handler::Impl::Quit(const Request& request) const {
  if (!options.quit) return Text(403, "Lifecycle API is not enabled.");
  if (request.method != "POST" && request.method != "PUT") {
    return WrongMethod("POST, PUT");
  }
  options.quit();
  return Text(200, "Requesting termination... Goodbye!");
}

}  // namespace narthex::api
