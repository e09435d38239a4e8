// Asks a Prometheus (or a narthex) over its HTTP API.
//
// One thread at a time; every call waits for its answer.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/promql/value.h"
#include "narthex/scrape/http.h"

namespace narthex::api {

struct ClientOptions {
  std::vector<std::pair<std::string, std::string>> headers = {};
  Duration timeout = Minutes(2);
};

// An error's text is the server's, after its kind: "bad_data: invalid
// parameter \"query\": 1:1: parse error: ...".
class Client {
 public:
  // "http://host:9090", "https://user:password@host/prefix"; without a scheme:
  // http.
  static absl::StatusOr<std::unique_ptr<Client>> Make(
      std::string url, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  absl::StatusOr<promql::Value> Query(std::string_view promql, Timestamp at);
  absl::StatusOr<promql::Value> QueryRange(std::string_view promql,
                                           TimeRange range, Duration step);
  absl::StatusOr<std::vector<Labels>> Series(
      std::span<const std::string> selectors, TimeRange range);
  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const std::string> selectors,
      TimeRange range);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::api
