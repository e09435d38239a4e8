// The handlers of the HTTP API, one file per family, and what they share: how
// an answer or an error is made, how parameters are read.
//
// Any thread.  A handler gets a Call and fills its `data`, or returns an
// ApiError; the spine in api.cc does the rest.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "libnarthex/api/form.h"
#include "libnarthex/api/json.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/http_server.h"
#include "narthex/model/annotations.h"
#include "narthex/model/matcher.h"
#include "narthex/narthex.h"
#include "narthex/promql/parser.h"

namespace narthex::api {

enum class ErrorType : uint8_t {
  kNone,
  kTimeout,
  kCanceled,
  kExecution,
  kBadData,
  kInternal,
  kUnavailable,
  kNotFound
};

struct ApiError {
  ErrorType type = ErrorType::kNone;
  std::string text = {};

  explicit operator bool() const { return type != ErrorType::kNone; }
};

inline ApiError NoError() { return {}; }
inline ApiError BadData(std::string_view text) {
  return {ErrorType::kBadData, std::string(text)};
}
// `invalid parameter "time": ...`
ApiError InvalidParameter(std::string_view name, std::string_view text);
// What went wrong while a query ran, or while the store was read.
ApiError FromStatus(const absl::Status& status);

struct Context {
  Context(const Narthex& n, const Options& o) : narthex(n), options(o) {}

  const Narthex& narthex;
  const Options& options;
  std::shared_ptr<const Regex> cors_origin = {};
  Timestamp started = 0;
  // Queries at work, at most options.max_concurrent_queries.
  mutable absl::Mutex mu;
  mutable int running ABSL_GUARDED_BY(mu) = 0;
};

// One request on its way through a handler.
struct Call {
  const Context& context;
  const Request& request;
  const Form& form;
  std::string path_value = {};  // <name> of /label/<name>/values

  std::string data = {};  // JSON of "data"
  Annotations annotations = {};
  std::string query = {};  // the text that the annotations count in

  const Narthex& narthex() const { return context.narthex; }
};

// --- Parameters: an error has the API's own text.

// Empty: `otherwise`.
ApiError ReadTime(const Form& form, std::string_view name, Timestamp otherwise,
                  Timestamp& out);
ApiError ReadRange(const Form& form, TimeRange& out);  // start, end
// Empty: 0, which means no limit.
ApiError ReadLimit(const Form& form, size_t& out);
// A number as Go's strconv.Atoi reads it.
absl::StatusOr<int64_t> ParseInteger(std::string_view text);
ApiError ReadSelectors(const Form& form, std::vector<Matchers>& out);
// Cuts and says so, if there are more than `limit` (0: no limit).
template <typename T>
void Truncate(std::vector<T>& values, size_t limit, Call& call) {
  if (limit == 0 || values.size() <= limit) return;
  values.resize(limit);
  call.annotations.Add({.text = "results truncated due to limit"});
}

using promql::ParserOptionsOf;

// What reading the store may use; ends when the client goes away.
struct ReadScope {
  explicit ReadScope(const Call& call)
      : budget(call.narthex().engine().options().max_bytes,
               call.narthex().engine().options().budget),
        ctx{budget,
            call.request.cancel != nullptr ? *call.request.cancel : none} {}

  MemoryBudget budget;
  CancelToken none;
  ReadContext ctx;
};

// --- Handlers.

// api_query.cc
ApiError Query(Call& call);
ApiError QueryRange(Call& call);
ApiError FormatQuery(Call& call);
// api_exemplars.cc
ApiError QueryExemplars(Call& call);
// api_write.cc
Response RemoteWrite(const Context& context, const Request& request);
// api_query.cc
ApiError ParseQuery(Call& call);
// api_series.cc
ApiError Series(Call& call);
ApiError LabelNames(Call& call);
ApiError LabelValues(Call& call);
ApiError MetricMetadata(Call& call);
// api_targets.cc
ApiError Targets(Call& call);
ApiError ScrapePools(Call& call);
ApiError ScrapePoolConfig(Call& call);
ApiError TargetMetadata(Call& call);
ApiError TargetRelabelSteps(Call& call);
// api_admin.cc
ApiError DeleteSeries(Call& call);
ApiError CleanTombstones(Call& call);
ApiError Snapshot(Call& call);
// api_status.cc
ApiError StatusConfig(Call& call);
ApiError StatusFlags(Call& call);
ApiError StatusBuildInfo(Call& call);
ApiError StatusRuntimeInfo(Call& call);
ApiError StatusTsdb(Call& call);
ApiError StatusTsdbBlocks(Call& call);
// JSON of the build's version, as /version shows it too.
std::string BuildInfoJson();

// ast_json.cc
void WriteAst(JsonWriter& json, const promql::Expr& expr);

}  // namespace narthex::api
