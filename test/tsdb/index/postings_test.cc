#include <catch2/catch.hpp>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "libtsdb/index/postings.h"

namespace narthex::tsdb {
namespace {

using Ids = std::vector<SeriesId>;

std::string ToBigEndian(const Ids& ids) {
  std::string bytes;
  ByteWriter out(bytes);
  for (SeriesId id : ids) out.BE32(id);
  return bytes;
}

Ids RandomIds(std::mt19937& random, size_t n, SeriesId bound) {
  std::set<SeriesId> ids;
  for (size_t i = 0; i < n; ++i) ids.insert(random() % bound);
  return Ids(ids.begin(), ids.end());
}

}  // namespace

TEST_CASE("postings combine as sets do") {
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    constexpr size_t kSizes[] = {0, 1, 3, 50, 2000};
    const Ids a = RandomIds(random, kSizes[random() % 5], 3000);
    const Ids b = RandomIds(random, kSizes[random() % 5], 3000);
    const Ids c = RandomIds(random, kSizes[random() % 5],
                            random() % 2 ? 3000 : 4000000000);
    const std::string b_bytes = ToBigEndian(b);
    const PostingsList lists[] = {PostingsList::View(a),
                                  PostingsList::BigEndian(b_bytes),
                                  PostingsList::Own(c)};
    Ids ab, abc, without, all, together;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                          std::back_inserter(ab));
    std::set_intersection(ab.begin(), ab.end(), c.begin(), c.end(),
                          std::back_inserter(abc));
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(without));
    std::set_union(a.begin(), a.end(), b.begin(), b.end(),
                   std::back_inserter(together));
    std::set_union(together.begin(), together.end(), c.begin(), c.end(),
                   std::back_inserter(all));
    REQUIRE(Intersect({lists[0], lists[1], lists[2]}) == abc);
    REQUIRE(Intersect({lists[0], lists[1]}) == ab);
    Ids ids = a;
    Subtract(ids, lists[1]);
    REQUIRE(ids == without);
    REQUIRE(Union(lists) == all);
    REQUIRE(lists[1].ToVector() == b);
  }
}

TEST_CASE("a union of many lists goes through a bitmap and agrees") {
  std::mt19937 random(4);
  std::vector<Ids> all;
  std::vector<PostingsList> lists;
  std::set<SeriesId> want;
  for (int i = 0; i < 50; ++i) {
    all.push_back(RandomIds(random, 100, 100000));
    want.insert(all.back().begin(), all.back().end());
  }
  for (const Ids& ids : all) lists.push_back(PostingsList::View(ids));
  REQUIRE(Union(lists) == Ids(want.begin(), want.end()));
  REQUIRE(Union({}).empty());
}

}  // namespace narthex::tsdb
