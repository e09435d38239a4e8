// info() in the naive evaluator: promql.md 1.10.

#include <algorithm>
#include <map>
#include <set>

#include "narthex/model/labels_builder.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

bool MatchAll(const Matchers& matchers, std::string_view value) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const MatcherPtr& m) { return m->Matches(value); });
}

// Which metrics are infos, if nothing positive is said about their name.
Matchers NameMatchers(const Matchers& given) {
  for (const MatcherPtr& m : given) {
    if (m->type() == Matcher::Type::kEqual ||
        m->type() == Matcher::Type::kRegex) {
      return given;
    }
  }
  if (given.empty()) {
    return {*Matcher::Make(Matcher::Type::kEqual, "__name__", "target_info")};
  }
  Matchers out = given;
  out.push_back(*Matcher::Make(Matcher::Type::kRegex, "__name__", ".+_info"));
  return out;
}

// The first selector's own time: what its @ pins it to, and its offset, with
// those of the subqueries around it.
struct Moment {
  const AtModifier* at = nullptr;
  int64_t offset = 0;
};
Moment MomentOf(const Expr& expr, const QueryTimes& times) {
  Moment out;
  bool found = false;
  Walk(expr, [&](const Expr& node, auto path) {
    const auto* selector = As<VectorSelector>(node);
    if (found || selector == nullptr) return !found;
    found = true;
    out.offset = selector->offset.Resolve(times, false)->ms;
    if (selector->at.present()) out.at = &selector->at;
    for (size_t i = path.size(); out.at == nullptr && i > 0; --i) {
      const auto* sub = As<Subquery>(*path[i - 1]);
      if (sub == nullptr) continue;
      out.offset += sub->offset.Resolve(times, false)->ms;
      if (sub->at.present()) out.at = &sub->at;
    }
    return false;
  });
  return out;
}

}  // namespace

Elements Evaluator::Info(const Call& call, int64_t t) {
  const Expr& base = *call.args[0];
  Matchers names, data;
  std::set<std::string> asked;
  if (call.args.size() > 1) {
    for (const MatcherPtr& m :
         As<VectorSelector>(Unwrap(*call.args[1]))->matchers) {
      (m->name() == kMetricName ? names : data).push_back(m);
      if (m->name() != kMetricName) asked.insert(m->name());
    }
  }
  names = NameMatchers(names);
  auto is_info = [&](const Element& e) {
    return MatchAll(names, e.labels.Get(kMetricName));
  };
  // Whom infos are looked for: the bases of all steps.
  auto& bases = inner_[{&base, grid_}];
  if (bases.empty()) {
    for (int64_t at = grid_.start; at <= grid_.end; at += grid_.step) {
      bases.push_back({at, Vector(base, at)});
    }
  }
  Elements in;
  std::map<std::string, std::set<std::string>> wanted;
  for (const auto& [at, elements] : bases) {
    if (at == t) in = elements;
    for (const Element& e : elements) {
      if (is_info(e)) continue;
      for (const char* name : {"instance", "job"}) {
        const std::string value(e.labels.Get(name));
        if (!value.empty()) wanted[name].insert(value);
      }
    }
  }
  if (in.empty()) return in;
  const Moment moment = MomentOf(base, times_);
  int64_t when = t;
  if (moment.at != nullptr) when = moment.at->Resolve(times_).ms;
  when -= moment.offset;
  // By name, then by instance and job: the newest sample's labels.
  std::map<std::string, std::map<std::string, std::pair<int64_t, Labels>>>
      infos;
  Matchers matchers = names;
  matchers.insert(matchers.end(), data.begin(), data.end());
  for (const Series* series : Selected(matchers)) {
    if (wanted.empty()) break;
    bool about = true;
    for (const auto& [name, values] : wanted) {
      about = about && values.contains(std::string(series->labels.Get(name)));
    }
    if (!about) continue;
    const std::vector<Point> points = Between(*series, when - 300'000, when);
    if (points.empty() || IsStale(points.back().v)) continue;
    if (points.back().h != nullptr) Fail("info sample should be float");
    const std::string key(Only(series->labels, {"instance", "job"}).packed());
    auto& of_name = infos[std::string(series->labels.Get(kMetricName))];
    const auto [known, fresh] =
        of_name.try_emplace(key, points.back().t, series->labels);
    if (fresh) continue;
    auto& [newest, labels] = known->second;
    if (newest == points.back().t) {
      // Either of them may be the one that was there first.
      const std::string a = labels.ToString(), b = series->labels.ToString();
      for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
        Fail(StrCat("found duplicate series for info metric: existing ", x,
                    " @ ", newest, ", new ", y, " @ ", newest));
      }
    }
    if (newest < points.back().t) {
      newest = points.back().t;
      labels = series->labels;
    }
  }
  Elements out;
  for (Element e : in) {
    if (is_info(e)) {
      out.push_back(e);
      continue;
    }
    const std::string key(Only(e.labels, {"instance", "job"}).packed());
    std::map<std::string, std::string> added;
    bool any = false;
    for (const auto& [name, of_name] : infos) {
      const auto found = of_name.find(key);
      if (found == of_name.end()) continue;
      any = true;
      for (const Label& label : found->second.second) {
        const std::string label_name(label.name);
        if (label_name == kMetricName ||
            (!asked.empty() && !asked.contains(label_name))) {
          continue;
        }
        // Labels of the base win, and differ from infos' as they like.
        if (!e.labels.Get(label_name).empty()) continue;
        const auto [known, fresh] =
            added.try_emplace(label_name, std::string(label.value));
        if (!fresh && known->second != label.value) {
          Fail(StrCat("conflicting label: ", label_name));
        }
      }
    }
    if (!any && !MatchAll(data, "")) continue;
    LabelsBuilder builder(e.labels);
    for (const auto& [name, value] : added) builder.Set(name, value);
    e.labels = builder.Build();
    out.push_back(std::move(e));
  }
  CheckUnique(out);
  return out;
}

}  // namespace narthex::promql::naive
