// The same selector twice is selected, and where it fits into memory decoded,
// once: rate(a[5m]) / rate(a[1h]) reads a single hour.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libpromql/plan/plan.h"

namespace narthex::promql {
namespace {

// Equal for equal sets of matchers, in whatever order they were written.
std::string Key(const Matchers& matchers) {
  std::vector<std::string> texts;
  for (const MatcherPtr& matcher : matchers) {
    texts.push_back(matcher->ToString());
  }
  std::sort(texts.begin(), texts.end());
  std::string key;
  for (const std::string& text : texts) {
    key += text;
    key += '\n';
  }
  return key;
}

class Sharer {
 public:
  explicit Sharer(Plan& plan) : plan_(plan) {}

  void Walk(PlanNode& node) {
    if (node.kind == NodeKind::kScan) {
      auto& scan = static_cast<ScanNode&>(node);
      scan.selection = Find(scan.selector.matchers);
    } else if (node.kind == NodeKind::kRead) {
      auto& read = static_cast<ReadNode&>(node);
      read.selection = Find(read.selector.selector->matchers);
    }
    for (PlanPtr& input : node.inputs) Walk(*input);
  }

 private:
  size_t Find(const Matchers& matchers) {
    const auto [it, added] =
        by_key_.try_emplace(Key(matchers), plan_.selections.size());
    if (added) {
      plan_.selections.emplace_back();
      plan_.selections.back().matchers = &matchers;
    }
    ++plan_.selections[it->second].users;
    return it->second;
  }

  Plan& plan_;
  absl::flat_hash_map<std::string, size_t> by_key_;
};

}  // namespace

void ShareSelections(PlanNode& root, Plan& plan) { Sharer(plan).Walk(root); }

}  // namespace narthex::promql
