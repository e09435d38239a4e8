// info(): labels of info series (target_info), added to the series of the same
// instance and job.  Which info series is the one may change from step to step;
// labels are put together anew only when it does.

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "libpromql/exec/window.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

constexpr uint32_t kNobody = ~uint32_t{0};
constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
constexpr std::string_view kIdentifying[] = {"instance", "job"};

// A text as a regular expression that matches just it.
std::string Quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

class Info final : public Operator {
 public:
  Info(const CallNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope),
        node_(node),
        input_(std::move(input)),
        ends_(node.grid, node.info_shift),
        columns_(scope.budget()) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    prepared_ = true;
    if (node_.grid.steps == 0) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(base_, input_->Series());
    NARTHEX_ASSIGN_OR_RETURN(all_, Drain(scope(), *input_, node_.grid.steps));
    NARTHEX_RETURN_IF_ERROR(SplitMatchers());
    NARTHEX_RETURN_IF_ERROR(ReadInfos());
    FindPartners();
    NARTHEX_RETURN_IF_ERROR(Combine());
    input_->Finish();
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_ || rows_.empty()) return false;
    done_ = true;
    out = std::move(combined_);
    return true;
  }

 private:
  // Info series of one name, instance and job: at a step the newest one counts.
  struct Candidates {
    std::vector<uint32_t> infos = {};
    uint32_t active = kNobody;  // at the step at hand
  };
  struct Base {
    bool enriched = false;              // else it passes as it is
    std::vector<uint32_t> groups = {};  // of candidates
    std::vector<uint32_t> active = {};  // of every group when `target` was made
    uint32_t target = kNobody;          // result row; nobody: dropped
    bool known = false;                 // is `target`?
  };

  // --- What to look for.

  absl::Status SplitMatchers() {
    if (node_.call.args.size() > 1) {
      const auto& filter =
          static_cast<const VectorSelector&>(Unwrap(*node_.call.args[1]));
      for (const MatcherPtr& matcher : filter.matchers) {
        (matcher->name() == kMetricName ? name_matchers_ : data_matchers_)
            .push_back(matcher);
      }
    }
    const bool positive =
        std::any_of(name_matchers_.begin(), name_matchers_.end(),
                    [](const MatcherPtr& m) { return !m->negative(); });
    if (positive) return absl::OkStatus();
    return name_matchers_.empty()
               ? AddMatcher(Matcher::Type::kEqual, kMetricName, "target_info",
                            name_matchers_)
               : AddMatcher(Matcher::Type::kRegex, kMetricName, ".+_info",
                            name_matchers_);
  }

  static absl::Status AddMatcher(Matcher::Type type, std::string_view name,
                                 std::string_view value, Matchers& out) {
    NARTHEX_ASSIGN_OR_RETURN(MatcherPtr matcher,
                             Matcher::Make(type, name, value));
    out.push_back(std::move(matcher));
    return absl::OkStatus();
  }

  // Is the series an info series itself?
  bool IsInfo(LabelRow row) {
    const std::string_view name = scope().MetricName(row);
    return std::all_of(
        name_matchers_.begin(), name_matchers_.end(),
        [name](const MatcherPtr& m) { return m->Matches(name); });
  }

  // --- The info series.

  absl::Status ReadInfos() {
    bases_.resize(base_.size());
    std::set<std::string_view> values[2];
    for (size_t i = 0; i < base_.size(); ++i) {
      if (all_.Empty(i) || IsInfo(base_[i].labels)) continue;
      bases_[i].enriched = true;
      for (size_t l = 0; l < 2; ++l) {
        const SymbolId value = ValueOf(base_[i].labels, Identifying(l));
        if (value != 0) values[l].insert(scope().symbols().Text(value));
      }
    }
    if (values[0].empty() && values[1].empty()) return absl::OkStatus();
    Matchers matchers = data_matchers_;
    matchers.insert(matchers.end(), name_matchers_.begin(),
                    name_matchers_.end());
    for (size_t l = 0; l < 2; ++l) {
      if (values[l].empty()) continue;
      std::string any;
      for (std::string_view value : values[l]) {
        if (!any.empty()) any += '|';
        any += Quoted(value);
      }
      NARTHEX_RETURN_IF_ERROR(
          AddMatcher(Matcher::Type::kRegex, kIdentifying[l], any, matchers));
    }
    std::vector<const Matcher*> request_matchers;
    for (const MatcherPtr& matcher : matchers) {
      request_matchers.push_back(matcher.get());
    }
    SelectRequest request;
    request.matchers = request_matchers;
    request.range = {
        SaturatingAdd(SaturatingSub(ends_.first, scope().lookback()), 1),
        ends_.At(node_.grid.steps - 1)};
    request.purpose = "info";
    auto set = scope().querier().Select(request, scope().read_context());
    if (!set.ok()) return Annotate(set.status(), "expanding series");
    set_ = *std::move(set);
    for (size_t i = 0; i < set_->size(); ++i) {
      NARTHEX_RETURN_IF_ERROR(scope().Check());
      NARTHEX_RETURN_IF_ERROR(
          set_->Read(i, request.range, scope().read_context(), columns_));
      NARTHEX_RETURN_IF_ERROR(AddInfo(set_->labels(i)));
    }
    return absl::OkStatus();
  }

  SymbolId Identifying(size_t l) {
    return scope().symbols().Find(kIdentifying[l]);
  }

  // The times of the samples that every step sees.
  absl::Status AddInfo(LabelRow labels) {
    const size_t steps = node_.grid.steps;
    std::vector<int64_t> times(steps, kNever);
    const auto t = columns_.t();
    const auto v = columns_.v();
    const auto& points = columns_.histograms().points;
    size_t next = 0, next_h = 0;
    int64_t seen = 0;
    for (size_t k = 0; k < steps; ++k) {
      const int64_t at = ends_.At(k);
      while (next < t.size() && t[next].ms <= at) ++next;
      while (next_h < points.size() && points[next_h].t.ms <= at) ++next_h;
      const int64_t before = SaturatingSub(at, scope().lookback());
      const int64_t float_t = next > 0 ? t[next - 1].ms : kNever;
      const int64_t histogram_t = next_h > 0 ? points[next_h - 1].t.ms : kNever;
      if (std::max(float_t, histogram_t) <= before) continue;
      if (histogram_t > float_t) {
        if (IsStale(points[next_h - 1].sum)) continue;
        return InvalidArgument(
            StrCat("this should be an info metric, with float samples: ",
                   ToLabels(scope().symbols(), labels).ToMetricString()));
      }
      if (IsStale(v[next - 1])) continue;
      times[k] = float_t;
      ++seen;
      if (scope().counts_steps()) scope().CountAtStep(node_, k, 1);
    }
    scope().CountQueryable(node_, seen);
    if (seen == 0) return absl::OkStatus();
    infos_.push_back(scope().Keep(labels));
    times_.push_back(std::move(times));
    return absl::OkStatus();
  }

  // --- Who belongs to whom.

  RowKey KeyOf(SymbolId name, LabelRow row) {
    std::vector<LabelPair> pairs = {{0, name}};
    for (size_t l = 0; l < 2; ++l) {
      pairs.push_back(
          {static_cast<SymbolId>(l + 1), ValueOf(row, Identifying(l))});
    }
    return RowKey{scope().Keep(pairs)};
  }

  void FindPartners() {
    std::vector<SymbolId> names;
    absl::flat_hash_map<RowKey, uint32_t> groups;
    for (uint32_t i = 0; i < infos_.size(); ++i) {
      const SymbolId name = ValueOf(infos_[i], scope().name_id());
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
      const auto [it, added] = groups.try_emplace(
          KeyOf(name, infos_[i]), static_cast<uint32_t>(groups_.size()));
      if (added) groups_.emplace_back();
      groups_[it->second].infos.push_back(i);
    }
    for (size_t i = 0; i < bases_.size(); ++i) {
      if (!bases_[i].enriched) continue;
      for (SymbolId name : names) {
        const auto it = groups.find(KeyOf(name, base_[i].labels));
        if (it != groups.end()) bases_[i].groups.push_back(it->second);
      }
    }
  }

  // --- The result.

  absl::Status Combine() {
    struct Place {
      uint32_t row = 0, target = 0;
      size_t step = 0;
    };
    std::vector<Place> places;
    std::vector<size_t> used;  // steps + 1 in which a target was last used
    for (size_t k = 0; k < node_.grid.steps; ++k) {
      if (k % 64 == 0) NARTHEX_RETURN_IF_ERROR(scope().Check());
      bool any = false;
      for (size_t i = 0; i < bases_.size() && !any; ++i) {
        any = TestBit(all_.present(i), k);
      }
      if (!any) continue;
      for (Candidates& group : groups_) {
        NARTHEX_RETURN_IF_ERROR(Choose(group, k));
      }
      for (uint32_t i = 0; i < bases_.size(); ++i) {
        if (!TestBit(all_.present(i), k)) continue;
        NARTHEX_RETURN_IF_ERROR(FindTarget(i));
        const uint32_t target = bases_[i].target;
        if (target == kNobody) continue;
        used.resize(table_.size(), 0);
        if (used[target] == k + 1) return DuplicateLabelset();
        used[target] = k + 1;
        places.push_back({i, target, k});
      }
    }
    const std::span<SeriesRow> rows = scope().NewRows(table_.size());
    for (uint32_t r = 0; r < rows.size(); ++r) {
      rows[r] = {table_.row(r), drop_name_[r]};
    }
    rows_ = rows;
    combined_.Reset(0, rows.size(), node_.grid.steps);
    for (const Place& place : places) {
      if (all_.IsHistogram(place.row, place.step)) {
        combined_.SetHistogram(place.target, place.step,
                               all_.Histogram(place.row, place.step));
        continue;
      }
      combined_.values(place.target)[place.step] =
          all_.values(place.row)[place.step];
      SetBit(combined_.present(place.target), place.step);
    }
    all_ = ColumnBlock();
    return absl::OkStatus();
  }

  absl::Status Choose(Candidates& group, size_t k) {
    group.active = kNobody;
    for (uint32_t info : group.infos) {
      const int64_t t = times_[info][k];
      if (t == kNever) continue;
      if (group.active != kNobody && times_[group.active][k] == t) {
        const Symbols& symbols = scope().symbols();
        return InvalidArgument(
            StrCat("found duplicate series for info metric: existing ",
                   ToLabels(symbols, infos_[group.active]).ToMetricString(),
                   " @ ", t, ", new ",
                   ToLabels(symbols, infos_[info]).ToMetricString(), " @ ", t));
      }
      if (group.active == kNobody || times_[group.active][k] < t) {
        group.active = info;
      }
    }
    return absl::OkStatus();
  }

  // Under which labels row i goes with the info series that are active.
  absl::Status FindTarget(uint32_t i) {
    Base& base = bases_[i];
    bool same = base.known;
    for (size_t g = 0; same && g < base.groups.size(); ++g) {
      same = base.active[g] == groups_[base.groups[g]].active;
    }
    if (same) return absl::OkStatus();
    base.known = true;
    base.active.clear();
    for (uint32_t g : base.groups) base.active.push_back(groups_[g].active);
    bool matched = false;
    LabelRow labels = base_[i].labels;
    std::map<SymbolId, SymbolId> added;
    for (uint32_t info : base.active) {
      if (info == kNobody) continue;
      matched = true;
      for (LabelPair pair : infos_[info]) {
        if (pair.name == scope().name_id() || !IsAsked(pair.name)) continue;
        const auto it = added.find(pair.name);
        if (it != added.end() && it->second != pair.value) {
          return InvalidArgument(
              StrCat("conflicting label: ", scope().symbols().Text(pair.name)));
        }
        if (ValueOf(base_[i].labels, pair.name) != 0) continue;
        added.emplace(pair.name, pair.value);
      }
    }
    for (const auto& [name, value] : added) {
      labels = scope().WithLabel(labels, name, value);
    }
    base.target = kNobody;
    if (base.enriched && !matched && !MatchersMatchNothing()) {
      return absl::OkStatus();
    }
    base.target = table_.Add(labels);
    if (base.target == drop_name_.size()) {
      drop_name_.push_back(base_[i].drop_name);
    }
    return absl::OkStatus();
  }

  bool IsAsked(SymbolId name) {
    const std::string_view text = scope().symbols().Text(name);
    return data_matchers_.empty() ||
           std::any_of(
               data_matchers_.begin(), data_matchers_.end(),
               [text](const MatcherPtr& m) { return m->name() == text; });
  }

  // Would no info series at all do?
  bool MatchersMatchNothing() const {
    return std::all_of(data_matchers_.begin(), data_matchers_.end(),
                       [](const MatcherPtr& m) { return m->MatchesEmpty(); });
  }

  const CallNode& node_;
  OperatorPtr input_;
  const WindowEnds ends_;  // when info series are looked at
  Matchers name_matchers_, data_matchers_;
  SeriesRows base_, rows_;
  ColumnBlock all_, combined_;
  std::vector<Base> bases_;
  std::unique_ptr<SeriesSet> set_;
  SampleColumns columns_;
  std::vector<LabelRow> infos_;
  std::vector<std::vector<int64_t>> times_;  // of every info, by step
  std::vector<Candidates> groups_;
  RowTable table_;
  std::vector<bool> drop_name_;  // of the result's rows
  bool prepared_ = false, done_ = false;
};

}  // namespace

OperatorPtr NewInfo(const CallNode& node, QueryScope& scope,
                    OperatorPtr input) {
  return std::make_unique<Info>(node, scope, std::move(input));
}

}  // namespace narthex::promql
