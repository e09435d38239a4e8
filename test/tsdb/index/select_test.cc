#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libtsdb/index/select.h"

namespace narthex::tsdb {
namespace {

using Row = std::map<std::string, std::string>;
using Ids = std::vector<SeriesId>;
using Texts = std::vector<std::string_view>;

// An index over rows as they stand; series ids are 10, 20, ...
class PlainIndex final : public PostingsIndex {
 public:
  explicit PlainIndex(std::vector<Row> rows) : rows_(std::move(rows)) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      for (const auto& [name, value] : rows_[i]) {
        pairs_[name][value].push_back(static_cast<SeriesId>(10 * (i + 1)));
      }
    }
  }
  absl::StatusOr<PostingsList> All() const override {
    Ids ids;
    for (size_t i = 0; i < rows_.size(); ++i) {
      ids.push_back(static_cast<SeriesId>(10 * (i + 1)));
    }
    return PostingsList::Own(ids);
  }
  absl::StatusOr<PostingsList> Find(std::string_view name,
                                    std::string_view value) const override {
    const auto it = pairs_.find(std::string(name));
    if (it == pairs_.end()) return PostingsList();
    const auto list = it->second.find(std::string(value));
    if (list == it->second.end()) return PostingsList();
    return PostingsList::View(list->second);
  }
  absl::StatusOr<std::shared_ptr<const LabelValueList>> Values(
      std::string_view name) const override {
    const auto it = pairs_.find(std::string(name));
    if (it == pairs_.end()) return nullptr;
    auto list = std::make_shared<LabelValueList>();
    for (const auto& [value, ids] : it->second) {
      list->texts.push_back(value);
      list->lists.push_back(reinterpret_cast<uintptr_t>(&ids));
    }
    return list;
  }
  absl::StatusOr<PostingsList> List(uint64_t list) const override {
    return PostingsList::View(
        *reinterpret_cast<const Ids*>(static_cast<uintptr_t>(list)));
  }
  absl::StatusOr<std::vector<std::string_view>> Names() const override {
    std::vector<std::string_view> names;
    for (const auto& [name, values] : pairs_) names.push_back(name);
    return names;
  }

 private:
  std::vector<Row> rows_;
  std::map<std::string, std::map<std::string, Ids>> pairs_;
};

constexpr auto kEqual = Matcher::Type::kEqual;
constexpr auto kNotEqual = Matcher::Type::kNotEqual;
constexpr auto kRegex = Matcher::Type::kRegex;
constexpr auto kNotRegex = Matcher::Type::kNotRegex;

struct SelectLab {
  PlainIndex index{{{{"n", "1"}},               // 10
                    {{"n", "1"}, {"i", "a"}},   // 20
                    {{"n", "1"}, {"i", "b"}},   // 30
                    {{"n", "1"}, {"i", "\n"}},  // 40
                    {{"n", "2"}},               // 50
                    {{"n", "2.5"}}}};           // 60
  CancelToken cancel;
  Matchers kept;

  struct M {
    Matcher::Type type;
    std::string name;
    std::string value;
  };
  std::vector<const Matcher*> Make(const std::vector<M>& specs) {
    std::vector<const Matcher*> matchers;
    for (const M& spec : specs) {
      auto matcher = Matcher::Make(spec.type, spec.name, spec.value);
      REQUIRE(matcher.ok());
      kept.push_back(*matcher);
      matchers.push_back(matcher->get());
    }
    return matchers;
  }
  Ids Select(const std::vector<M>& specs) {
    auto ids = SelectSeries(index, Make(specs), cancel);
    REQUIRE(ids.ok());
    return *ids;
  }
};

}  // namespace

TEST_CASE_METHOD(SelectLab, "matchers select the series that they match") {
  SECTION("equal") {
    REQUIRE(Select({{kEqual, "n", "1"}}) == Ids{10, 20, 30, 40});
    REQUIRE(Select({{kEqual, "n", "1"}, {kEqual, "i", "a"}}) == Ids{20});
    REQUIRE(Select({{kEqual, "n", "1"}, {kEqual, "i", "missing"}}).empty());
    REQUIRE(Select({{kEqual, "missing", "x"}}).empty());
  }
  SECTION("equal to the empty text: the label is absent") {
    REQUIRE(Select({{kEqual, "missing", ""}}) == Ids{10, 20, 30, 40, 50, 60});
    REQUIRE(Select({{kEqual, "n", "1"}, {kEqual, "i", ""}}) == Ids{10});
    REQUIRE(Select({{kEqual, "i", ""}}) == Ids{10, 50, 60});
  }
  SECTION("not equal") {
    REQUIRE(Select({{kNotEqual, "n", "1"}}) == Ids{50, 60});
    REQUIRE(Select({{kNotEqual, "i", ""}}) == Ids{20, 30, 40});
    REQUIRE(Select({{kNotEqual, "missing", ""}}).empty());
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotEqual, "i", "a"}}) ==
            Ids{10, 30, 40});
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotEqual, "i", ""}}) ==
            Ids{20, 30, 40});
  }
  SECTION("regular expressions") {
    REQUIRE(Select({{kRegex, "n", "^1$"}}) == Ids{10, 20, 30, 40});
    REQUIRE(Select({{kRegex, "n", "1|2"}}) == Ids{10, 20, 30, 40, 50});
    REQUIRE(Select({{kRegex, "n", "2.*"}}) == Ids{50, 60});
    REQUIRE(Select({{kRegex, "n", "2\\..*"}}) == Ids{60});
    REQUIRE(Select({{kRegex, "i", ".*"}, {kEqual, "n", "1"}}) ==
            Ids{10, 20, 30, 40});
    REQUIRE(Select({{kRegex, "i", ".+"}, {kEqual, "n", "1"}}) ==
            Ids{20, 30, 40});
    REQUIRE(Select({{kRegex, "i", "a?"}, {kEqual, "n", "1"}}) == Ids{10, 20});
    REQUIRE(Select({{kRegex, "i", "|a"}}) == Ids{10, 20, 50, 60});
    REQUIRE(Select({{kRegex, "i", ""}, {kEqual, "n", "1"}}) == Ids{10});
    REQUIRE(Select({{kRegex, "missing", ".*"}}) == Ids{10, 20, 30, 40, 50, 60});
    REQUIRE(Select({{kRegex, "missing", ".+"}}).empty());
  }
  SECTION("regular expressions that must not match") {
    REQUIRE(Select({{kNotRegex, "n", "1"}}) == Ids{50, 60});
    REQUIRE(Select({{kNotRegex, "n", "1|2.*"}}).empty());
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotRegex, "i", "a|b"}}) ==
            Ids{10, 40});
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotRegex, "i", "a?"}}) ==
            Ids{30, 40});
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotRegex, "i", ".+"}}) == Ids{10});
    REQUIRE(Select({{kEqual, "n", "1"}, {kNotRegex, "i", ".*"}}).empty());
    REQUIRE(Select({{kNotRegex, "i", ""}}) == Ids{20, 30, 40});
    REQUIRE(Select({{kNotRegex, "i", "a.?"}}) == Ids{10, 30, 40, 50, 60});
  }
  SECTION("several of one label") {
    REQUIRE(Select({{kNotEqual, "i", ""}, {kNotEqual, "i", "a"}}) ==
            Ids{30, 40});
    REQUIRE(Select({{kRegex, "i", ".+"},
                    {kNotRegex, "i", "a.*"},
                    {kNotEqual, "i", "b"}}) == Ids{40});
    REQUIRE(Select({{kEqual, "i", "a"}, {kEqual, "i", "b"}}).empty());
  }
  SECTION("none at all: every series") {
    REQUIRE(Select({}) == Ids{10, 20, 30, 40, 50, 60});
  }
}

TEST_CASE_METHOD(SelectLab, "every pair of matchers agrees with trying rows") {
  const std::vector<Row> rows = {{{"n", "1"}},
                                 {{"n", "1"}, {"i", "a"}},
                                 {{"n", "1"}, {"i", "b"}},
                                 {{"n", "1"}, {"i", "\n"}},
                                 {{"n", "2"}},
                                 {{"n", "2.5"}}};
  std::vector<M> all;
  for (const char* name : {"n", "i", "x"}) {
    for (const char* value : {"", "1", "a", "2|b", ".*", ".+", "a?", "2.*",
                              "(a|b|)", "[^1]*", "."}) {
      for (auto type : {kEqual, kNotEqual, kRegex, kNotRegex}) {
        all.push_back({type, name, value});
      }
    }
  }
  for (const M& a : all) {
    for (const M& b : all) {
      const auto matchers = Make({a, b});
      Ids want;
      for (size_t i = 0; i < rows.size(); ++i) {
        const bool matches = std::all_of(
            matchers.begin(), matchers.end(), [&](const Matcher* matcher) {
              const auto it = rows[i].find(matcher->name());
              return matcher->Matches(it == rows[i].end() ? "" : it->second);
            });
        if (matches) want.push_back(static_cast<SeriesId>(10 * (i + 1)));
      }
      auto got = SelectSeries(index, matchers, cancel);
      if (!got.ok() || *got != want) {
        INFO(matchers[0]->ToString() << " " << matchers[1]->ToString());
        REQUIRE(got.ok());
        REQUIRE(*got == want);
      }
      kept.clear();
    }
  }
  SUCCEED();
}

TEST_CASE_METHOD(SelectLab, "label values and names follow the matchers") {
  const auto values = [&](std::string_view name, const std::vector<M>& specs) {
    auto got = SelectLabelValues(index, name, Make(specs), cancel);
    REQUIRE(got.ok());
    return *got;
  };
  const auto names = [&](const std::vector<M>& specs) {
    auto got = SelectLabelNames(index, Make(specs), cancel);
    REQUIRE(got.ok());
    return *got;
  };
  REQUIRE(values("n", {}) == Texts{"1", "2", "2.5"});
  REQUIRE(values("x", {}).empty());
  REQUIRE(values("i", {{kEqual, "n", "1"}}) == Texts{"\n", "a", "b"});
  REQUIRE(values("i", {{kEqual, "n", "2"}}).empty());
  REQUIRE(values("n", {{kEqual, "i", ""}}) == Texts{"1", "2", "2.5"});
  REQUIRE(values("n", {{kRegex, "n", "2.*"}}) == Texts{"2", "2.5"});
  REQUIRE(names({}) == Texts{"i", "n"});
  REQUIRE(names({{kEqual, "n", "2"}}) == Texts{"n"});
  REQUIRE(names({{kEqual, "i", "a"}}) == Texts{"i", "n"});
  REQUIRE(names({{kEqual, "i", "q"}}).empty());
}

TEST_CASE_METHOD(SelectLab, "selecting stops when it is cancelled") {
  cancel.Cancel();
  REQUIRE(absl::IsCancelled(
      SelectSeries(index, Make({{kEqual, "n", "1"}}), cancel).status()));
}

}  // namespace narthex::tsdb
