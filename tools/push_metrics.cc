// `narthex push metrics`: pages of metrics to a server that takes remote write.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "narthex/remote/page_request.h"
#include "narthex/base/clock.h"
#include "narthex/base/compress.h"
#include "narthex/base/status.h"
#include "narthex/version.h"
#include "tools/http_call.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

constexpr size_t kMaxErrorBytes = 1024;

struct Options {
  std::string url;
  std::vector<std::string> files;
  std::vector<std::string> labels = {"job=promtool"};
  std::vector<std::string> headers;
  std::string timeout = "30s";
};

class Pusher {
 public:
  Pusher(const Options& options, Labels labels, Duration timeout,
         std::vector<std::pair<std::string, std::string>> headers)
      : url_(options.url),
        labels_(std::move(labels)),
        timeout_(timeout),
        headers_(std::move(headers)) {}

  absl::Status Push(const std::string& path) {
    NARTHEX_ASSIGN_OR_RETURN(const std::string page, ReadInput(path));
    Print(path == "-" ? std::string("Parsing standard input\n")
                      : StrCat("Parsing metrics file ", path, "\n"));
    NARTHEX_ASSIGN_OR_RETURN(
        const std::string message,
        remote::MakePageRequest(page, labels_, Clock::System()->Now()));
    scrape::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.timeout = timeout_;
    request.headers = {
        {"Content-Encoding", "snappy"},
        {"Content-Type", "application/x-protobuf"},
        {"User-Agent", StrCat("narthex/", GetBuildInfo().version)},
        {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
    request.headers.insert(request.headers.end(), headers_.begin(),
                           headers_.end());
    Compress(Compression::kSnappy, message, request.body);
    NARTHEX_ASSIGN_OR_RETURN(const scrape::HttpResponse answer,
                             CallHttp(std::move(request)));
    if (answer.status < 200 || answer.status > 299) {
      return Unavailable(StrCat("server returned HTTP status ",
                                answer.StatusLine(), ": ",
                                answer.body.substr(0, kMaxErrorBytes)));
    }
    return absl::OkStatus();
  }

 private:
  const std::string& url_;
  const Labels labels_;
  const Duration timeout_;
  const std::vector<std::pair<std::string, std::string>> headers_;
};

absl::StatusOr<Labels> ParseLabels(const std::vector<std::string>& flags) {
  std::vector<Label> labels;
  for (const std::string& flag : flags) {
    const size_t equals = flag.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument(StrCat("expected KEY=VALUE got '", flag, "'"));
    }
    labels.push_back({std::string_view(flag).substr(0, equals),
                      std::string_view(flag).substr(equals + 1)});
  }
  return Labels::FromPairs(labels);
}

int Push(const Options& options) {
  const auto labels = ParseLabels(options.labels);
  if (!labels.ok()) return Fail(labels.status());
  const auto headers = ParseHeaders(options.headers);
  if (!headers.ok()) return Fail(headers.status());
  const auto timeout = ParseDurationFlag(options.timeout);
  if (!timeout.ok()) return Fail(timeout.status());
  Pusher pusher(options, *labels, *timeout, *headers);
  std::vector<std::string> files = options.files;
  if (files.empty()) files.emplace_back("-");
  int exit_code = kSuccess;
  for (const std::string& file : files) {
    const absl::Status status = pusher.Push(file);
    if (!status.ok()) {
      Flush();
      exit_code = Fail(StrCat("  FAILED: ", Message(status)));
      continue;
    }
    Print(file == "-"
              ? std::string("  SUCCESS: metrics pushed to remote write.\n")
              : StrCat("  SUCCESS: metrics file ", file,
                       " pushed to remote write.\n"));
  }
  return exit_code;
}

}  // namespace

void AddPushMetrics(CLI::App& parent, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = parent.add_subcommand(
      "metrics",
      "Push metrics to a prometheus remote write (for testing purpose only)");
  verb->add_option("remote-write-url", options->url,
                   "Prometheus remote write url to push metrics")
      ->required();
  verb->add_option("metric-files", options->files,
                   "The metric files to push, default is read from standard "
                   "input");
  verb->add_option("--label", options->labels,
                   "Label to attach to metrics, KEY=VALUE. Can be specified "
                   "multiple times")
      ->allow_extra_args(false)
      ->capture_default_str();
  verb->add_option("--header", options->headers,
                   "Prometheus remote write header, NAME=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--timeout", options->timeout,
                   "The time to wait for pushing metrics")
      ->capture_default_str();
  verb->callback([options, &exit_code] { exit_code = Push(*options); });
}

}  // namespace narthex::tools
