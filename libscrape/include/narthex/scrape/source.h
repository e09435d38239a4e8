// Metrics of this very process, scraped without a socket: a job with a source
// asks it instead of the network, and treats what it says as any page.
//
// Read is called from the Executor, never twice at once for one job.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace narthex::scrape {

struct SourcePage {
  std::string content_type = {};
  std::string body = {};
};

class Source {
 public:
  virtual ~Source() = default;
  // A page in one of the formats that `accept` (an Accept header) allows.  An
  // error is a failed scrape.
  virtual absl::StatusOr<SourcePage> Read(std::string_view accept) = 0;
};

// A source whose pages a function makes.
inline std::shared_ptr<Source> MakeSource(
    std::function<absl::StatusOr<SourcePage>(std::string_view accept)> read) {
  class FunctionSource final : public Source {
   public:
    explicit FunctionSource(
        std::function<absl::StatusOr<SourcePage>(std::string_view)> read)
        : read_(std::move(read)) {}
    absl::StatusOr<SourcePage> Read(std::string_view accept) override {
      return read_(accept);
    }

   private:
    const std::function<absl::StatusOr<SourcePage>(std::string_view)> read_;
  };
  return std::make_shared<FunctionSource>(std::move(read));
}

}  // namespace narthex::scrape
