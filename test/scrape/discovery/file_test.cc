#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {
namespace {

class DiscoveryLab {
 public:
  DiscoveryLab() : env_(NewMemEnv()), clock_(Timestamp(1'000'000)) {
    REQUIRE(env_->MakeDir("sd").ok());
  }

  void Write(const std::string& path, std::string_view bytes) {
    REQUIRE(env_->WriteFileAtomically(path, bytes).ok());
  }
  std::unique_ptr<Discoverer> Discover(std::vector<std::string> files) {
    DiscoveryContext context;
    context.clock = &clock_;
    context.executor = &here_;
    context.env = env_.get();
    context.yaml = [](std::string_view bytes, std::string_view) {
      return absl::StatusOr<std::vector<TargetGroup>>(
          {MakeTargetGroup({std::string(bytes)})});
    };
    auto discoverer = NewFileDiscoverer({.files = std::move(files)}, context);
    discoverer->Start([this](std::vector<TargetGroup> groups) {
      ++reports_;
      for (TargetGroup& group : groups) groups_[group.source] = group;
    });
    return discoverer;
  }
  // "source=address,address{labels} ..." of groups with targets.
  std::string Shown() const {
    std::string out;
    for (const auto& [source, group] : groups_) {
      if (group.targets.empty()) continue;
      if (!out.empty()) out += " ";
      out += source + "=";
      for (const Labels& target : group.targets) {
        StrAppend(&out, target.Get(kAddressLabel), ",");
      }
      out += group.labels.ToString();
    }
    return out;
  }

 protected:
  std::unique_ptr<Env> env_;
  FakeClock clock_;
  InlineExecutor here_;
  int reports_ = 0;
  std::map<std::string, TargetGroup> groups_;
};

TEST_CASE_METHOD(DiscoveryLab, "files give groups, again when they change",
                 "[scrape][discovery]") {
  Write("sd/a.json",
        R"([{"targets": ["h:1", "h:2"], "labels": {"x": "y"}},
            {"targets": ["h:3"]}])");
  Write("sd/b.yml", "h:9");
  Write("sd/c.txt", "no");
  const auto discoverer = Discover({"sd/*.json", "sd/b.yml"});
  REQUIRE(Shown() ==
          "sd/a.json:0=h:1,h:2,{__meta_filepath=\"sd/a.json\", x=\"y\"} "
          "sd/a.json:1=h:3,{__meta_filepath=\"sd/a.json\"} "
          "sd/b.yml:0=h:9,{__meta_filepath=\"sd/b.yml\"}");
  REQUIRE(reports_ == 1);

  clock_.Advance(Minutes(5));
  REQUIRE(reports_ == 1);  // nothing new

  // Fewer groups; a damaged file keeps its own; a deleted one loses them.
  Write("sd/a.json", R"([{"targets": ["h:1"]}])");
  Write("sd/b.yml", "h:10");
  clock_.Advance(Minutes(5));
  REQUIRE(Shown() ==
          "sd/a.json:0=h:1,{__meta_filepath=\"sd/a.json\"} "
          "sd/b.yml:0=h:10,{__meta_filepath=\"sd/b.yml\"}");
  Write("sd/a.json", R"([{"targets": ["h:7"])");
  REQUIRE(env_->Remove("sd/b.yml").ok());
  clock_.Advance(Minutes(5));
  REQUIRE(Shown() == "sd/a.json:0=h:1,{__meta_filepath=\"sd/a.json\"}");
  discoverer->Stop();
  Write("sd/a.json", "[]");
  clock_.Advance(Hours(1));
  REQUIRE(reports_ == 3);
}

TEST_CASE("a real file that is replaced is seen within a second",
          "[scrape][discovery]") {
  char name[] = "/tmp/narthex_sd_XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string dir = name;
  Env& env = *Env::Posix();
  REQUIRE(env.WriteFileAtomically(dir + "/t.json", R"([{"targets":["h:1"]}])")
              .ok());
  FakeClock clock(Timestamp(0));
  InlineExecutor here;
  DiscoveryContext context;
  context.clock = &clock;
  context.executor = &here;
  context.env = &env;
  std::string address;
  const auto discoverer =
      NewFileDiscoverer({.files = {dir + "/*.json"}}, context);
  discoverer->Start([&](std::vector<TargetGroup> groups) {
    address = std::string(groups.at(0).targets.at(0).Get(kAddressLabel));
  });
  REQUIRE(address == "h:1");
  REQUIRE(env.WriteFileAtomically(dir + "/t.json", R"([{"targets":["h:2"]}])")
              .ok());
  clock.Advance(Seconds(1));
  REQUIRE(address == "h:2");
  discoverer->Stop();
  std::filesystem::remove_all(dir);
}

TEST_CASE("what is no list of target groups is refused, with the place",
          "[scrape][discovery]") {
  const auto error = [](std::string_view bytes) {
    auto groups = DecodeTargetJson(bytes, "f.json");
    return groups.ok() ? std::string() : std::string(Message(groups.status()));
  };
  REQUIRE(error("[]").empty());
  REQUIRE(error("null").empty());
  REQUIRE(error(R"([{"targets": null, "labels": null}])").empty());
  REQUIRE(error("[\n{\"targets\": [\"a\"}]").find("f.json: line 2") == 0);
  REQUIRE(error("{}") ==
          "f.json: expected a list of target groups, got an object");
  REQUIRE(error("[null]") == "f.json: group 1: nil target group item found");
  REQUIRE(error(R"([{"targets": ["a"]}, {"tags": []}])") ==
          "f.json: group 2: unknown field \"tags\"");
  REQUIRE(error(R"([{"targets": [1]}])") ==
          "f.json: group 1: expected an address, got a number");
  REQUIRE(error(R"([{"targets": "a"}])") ==
          "f.json: group 1: expected a list of addresses, got a text");
  REQUIRE(error(R"([{"labels": {"a": ["b"]}}])") ==
          "f.json: group 1: expected a label value, got a list");
  REQUIRE_FALSE(error(std::string(1'000'000, '[')).empty());
  REQUIRE_FALSE(error("[1e999999]").empty());
  REQUIRE_FALSE(error("").empty());
}

TEST_CASE("paths of target files end in json, yml or yaml",
          "[scrape][discovery]") {
  for (const char* good : {"a.json", "x/*.yml", "x/a*b.YAML", "/a/b.json"}) {
    INFO(good);
    REQUIRE(ValidateDiscoveryPath(good).ok());
  }
  for (const char* bad : {"", "a", "a.txt", "a/*/b.json", "json"}) {
    INFO(bad);
    REQUIRE_FALSE(ValidateDiscoveryPath(bad).ok());
  }
}

}  // namespace
}  // namespace narthex::scrape
