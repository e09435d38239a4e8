// Prometheus's command line: which flags there are, what they mean here, what
// their values say.
//
// Values; one thread.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/logger.h"
#include "narthex/http_server.h"
#include "narthex/narthex.h"

namespace CLI {
class App;
}

namespace narthex::tools {

// What the user wrote, or the defaults.
struct ServeFlags {
  std::map<std::string, std::string> values = {};
  std::vector<std::string> listen = {};
  std::vector<std::string> features = {};
};

// Declares every flag of Prometheus's server on `app`.  CLI11 fills `flags`,
// which must outlive the parsing.
void DeclareServeFlags(CLI::App& app, const std::shared_ptr<ServeFlags>& flags);

struct ServeSettings {
  std::string config_file = {};
  Options options = {};
  HttpServerOptions http = {};
  api::Options api = {};
  bool lifecycle = false;  // /-/reload and /-/quit
  LogLevel log_level = LogLevel::kInfo;
  // What is to be logged of the flags that were given.
  struct Notice {
    LogLevel level = LogLevel::kWarn;
    std::string message = {};
    std::string option = {};  // of --enable-feature; "": of a flag
  };
  std::vector<Notice> notices = {};
};

// `given`: the names of the flags that stood on the command line.
absl::StatusOr<ServeSettings> ReadServeFlags(
    const ServeFlags& flags, const std::vector<std::string>& given);

}  // namespace narthex::tools
