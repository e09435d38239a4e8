#include "libtsdb/model/symbols.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <thread>
#include <vector>

namespace narthex {
namespace {

class FakeLender final : public SymbolLender {
 public:
  FakeLender(std::initializer_list<std::string> texts) : texts_(texts) {}
  SymbolId size() const override {
    return static_cast<SymbolId>(texts_.size());
  }
  std::string_view Text(SymbolId id) const override { return texts_[id]; }
  SymbolId Find(std::string_view text) const override {
    for (SymbolId i = 1; i < texts_.size(); ++i) {
      if (texts_[i] == text) return i;
    }
    return 0;
  }
  void Add(std::string text) { texts_.push_back(std::move(text)); }

 private:
  std::deque<std::string> texts_;
};

TEST_CASE("the lender's ids are taken as they are, new text gets others") {
  FakeLender lender = {"", "job", "api"};
  QuerierSymbols symbols(&lender);
  CHECK(symbols.lent() == 3);
  CHECK(symbols.Find("api") == 2);
  CHECK(symbols.Text(1) == "job");
  CHECK(symbols.Find("web") == 0);
  const SymbolId web = symbols.Intern("web");
  CHECK(web == 3);
  CHECK(symbols.Intern("web") == web);
  CHECK(symbols.Intern("job") == 1);
  CHECK(symbols.Text(web) == "web");
  CHECK(symbols.Intern("") == 0);
  CHECK(symbols.Text(0).empty());
}

TEST_CASE("what the lender learns later is not mistaken for an old id") {
  FakeLender lender = {"", "job"};
  QuerierSymbols symbols(&lender);
  const SymbolId mine = symbols.Intern("mine");
  lender.Add("theirs");
  lender.Add("mine");
  CHECK(mine == 2);
  CHECK(symbols.Find("theirs") == 0);
  CHECK(symbols.Find("mine") == mine);
  CHECK(symbols.Intern("theirs") == 3);
}

TEST_CASE("a source's ordinals are translated once each") {
  FakeLender lender = {"", "job", "b1"};
  QuerierSymbols symbols(&lender);
  std::vector<std::string> own;
  for (int i = 0; i < 10000; ++i) own.push_back("b" + std::to_string(i));
  SymbolTranslation translation(symbols, 10000);
  int asked = 0;
  const auto text = [&](uint32_t ordinal) {
    ++asked;
    return std::string_view(own[ordinal]);
  };
  for (int round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < 10000; ++i) {
      const SymbolId id = translation.Id(i, text);
      REQUIRE(symbols.Text(id) == own[i]);
    }
  }
  CHECK(asked == 10000);
  CHECK(translation.Id(1, text) == 2);
  CHECK(symbols.memory() > 0);
}

TEST_CASE("many threads intern the same text to the same id") {
  QuerierSymbols symbols;
  std::vector<std::vector<SymbolId>> ids(4);
  std::vector<std::thread> threads;
  for (auto& mine : ids) {
    threads.emplace_back([&symbols, &mine] {
      for (int i = 0; i < 5000; ++i) {
        const std::string text = "t" + std::to_string(i);
        mine.push_back(symbols.Intern(text));
        if (symbols.Text(mine.back()) != text) mine.back() = 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : ids) CHECK(mine == ids[0]);
  CHECK(std::find(ids[0].begin(), ids[0].end(), 0) == ids[0].end());
}

TEST_CASE("rows compare as their labels do and become labels") {
  QuerierSymbols symbols;
  const auto row = [&](std::initializer_list<std::string_view> texts) {
    std::vector<LabelPair> pairs;
    for (auto it = texts.begin(); it != texts.end(); it += 2) {
      pairs.push_back({symbols.Intern(it[0]), symbols.Intern(it[1])});
    }
    return pairs;
  };
  const auto z = row({"a", "z"});
  const auto ab = row({"a", "b"});
  const auto abc = row({"a", "b", "c", "d"});
  CHECK((CompareRows(symbols, ab, z) < 0));
  CHECK((CompareRows(symbols, ab, abc) < 0));
  CHECK((CompareRows(symbols, abc, abc) == 0));
  CHECK(ToLabels(symbols, abc) == Labels{{"a", "b"}, {"c", "d"}});
  CHECK(ValueOf(abc, symbols.Find("c")) == symbols.Find("d"));
  CHECK(ValueOf(ab, symbols.Find("c")) == 0);
}

}  // namespace
}  // namespace narthex
