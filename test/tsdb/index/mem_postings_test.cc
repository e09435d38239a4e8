#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "libtsdb/index/mem_postings.h"

namespace narthex::tsdb {
namespace {

class Texts final : public SymbolSource {
 public:
  explicit Texts(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  uint32_t symbol_bound() const override {
    return static_cast<uint32_t>(texts_.size());
  }
  std::string_view SymbolText(uint32_t own) const override {
    return own < texts_.size() ? std::string_view(texts_[own]) : "";
  }
  uint32_t FindSymbol(std::string_view text) const override {
    for (uint32_t i = 0; i < texts_.size(); ++i) {
      if (texts_[i] == text) return i;
    }
    return 0;
  }

 private:
  const std::vector<std::string> texts_;
};

using Ids = std::vector<SeriesId>;

void Add(MemPostings& postings, SeriesId id, std::vector<LabelPair> row) {
  postings.Add(id, row);
}

}  // namespace

TEST_CASE("the head's index finds series by their labels") {
  // 1 job, 2 instance, 3 z, 4 a, 5 unused
  const Texts texts({"", "job", "instance", "z", "a", "unused"});
  MemPostings postings(texts);
  Add(postings, 0, {{2, 3}, {1, 4}});
  Add(postings, 7, {{1, 4}});
  Add(postings, 300000, {{2, 4}, {1, 3}});
  auto reader = postings.NewReader();
  REQUIRE(reader->All()->ToVector() == Ids{0, 7, 300000});
  REQUIRE(reader->Find("job", "a")->ToVector() == Ids{0, 7});
  REQUIRE(reader->Find("instance", "a")->ToVector() == Ids{300000});
  REQUIRE(reader->Find("instance", "unused")->empty());
  const auto values = *reader->Values("job");
  REQUIRE(values->texts == std::vector<std::string_view>{"a", "z"});
  REQUIRE(reader->List(values->lists[1])->ToVector() == Ids{300000});
  REQUIRE(*reader->Values("nope") == nullptr);
  REQUIRE(*reader->Names() == std::vector<std::string_view>{"instance", "job"});
  // By text: "" a instance job z.
  REQUIRE(postings.SortedSymbols() == std::vector<SymbolId>{0, 4, 2, 1, 3});
  REQUIRE(postings.pairs() == 4);

  SECTION("values that come later are in the order of their texts too") {
    Add(postings, 300001, {{1, 5}});
    REQUIRE((*postings.NewReader()->Values("job"))->texts ==
            std::vector<std::string_view>{"a", "unused", "z"});
  }
  SECTION("what is removed is gone, but not for who reads already") {
    postings.Remove([](SeriesId id) { return id == 300000; });
    REQUIRE(reader->List(values->lists[1])->ToVector() == Ids{300000});
    auto later = postings.NewReader();
    REQUIRE(later->All()->ToVector() == Ids{0, 7});
    REQUIRE((*later->Values("job"))->texts ==
            std::vector<std::string_view>{"a"});
    REQUIRE(postings.pairs() == 2);
    REQUIRE(postings.SortedSymbols() == std::vector<SymbolId>{0, 4, 2, 1, 3});
    Add(postings, 300002, {{1, 3}});
    REQUIRE(later->Find("job", "z")->ToVector() == Ids{300002});
  }
}

TEST_CASE("long lists come back whole") {
  const Texts texts({"", "a", "b"});
  MemPostings postings(texts);
  Ids want;
  SeriesId id = 0;
  for (uint32_t i = 0; i < 50000; ++i) {
    id += 1 + i % 300 + (i % 1000 == 0 ? 40000 : 0);
    Add(postings, id, {{1, 2}});
    want.push_back(id);
  }
  REQUIRE(postings.NewReader()->Find("a", "b")->ToVector() == want);
  // Two lists of one to two bytes an id.
  REQUIRE(postings.bytes() < 50000 * 2 * 2.5);
}

TEST_CASE("readers need no lock while series are added") {
  const Texts texts({"", "a", "b", "c"});
  MemPostings postings(texts);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::thread reader([&] {
    while (!done.load()) {
      auto view = postings.NewReader();
      const Ids ids = view->Find("a", "b")->ToVector();
      for (size_t i = 0; i < ids.size(); ++i) wrong += ids[i] != 2 * i;
      auto values = view->Values("a");
      if (!values.ok()) ++wrong;
    }
  });
  for (SeriesId i = 0; i < 40000; ++i) {
    Add(postings, i, {{1, i % 2 == 0 ? 2u : 3u}});
  }
  done = true;
  reader.join();
  REQUIRE(wrong == 0);
}

}  // namespace narthex::tsdb
