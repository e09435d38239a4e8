// Targets that the configuration names.

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {
namespace {

class StaticDiscoverer final : public Discoverer {
 public:
  StaticDiscoverer(std::vector<TargetGroup> groups,
                   const DiscoveryContext& context)
      : executor_(*context.executor), state_(std::make_shared<State>()) {
    for (size_t i = 0; i < groups.size(); ++i) {
      groups[i].source = std::to_string(i);
    }
    state_->groups = std::move(groups);
  }
  ~StaticDiscoverer() override { Stop(); }

  void Start(Sink sink) override {
    executor_.Run([state = state_, sink = std::move(sink)] {
      absl::MutexLock lock(&state->mu);
      if (!state->stopped) sink(state->groups);
    });
  }
  void Stop() override {
    absl::MutexLock lock(&state_->mu);
    state_->stopped = true;
  }

 private:
  // Outlives the Discoverer as long as a job is queued.
  struct State {
    absl::Mutex mu;
    bool stopped ABSL_GUARDED_BY(mu) = false;
    std::vector<TargetGroup> groups;  // constant after construction
  };

  Executor& executor_;
  const std::shared_ptr<State> state_;
};

}  // namespace

TargetGroup MakeTargetGroup(const std::vector<std::string>& addresses,
                            const Labels& labels) {
  TargetGroup group;
  group.labels = labels;
  group.targets.reserve(addresses.size());
  for (const std::string& address : addresses) {
    group.targets.push_back(Labels{{kAddressLabel, address}});
  }
  return group;
}

std::unique_ptr<Discoverer> NewStaticDiscoverer(
    std::vector<TargetGroup> groups, const DiscoveryContext& context) {
  return std::make_unique<StaticDiscoverer>(std::move(groups), context);
}

}  // namespace narthex::scrape
