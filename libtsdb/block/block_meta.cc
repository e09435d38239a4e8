// meta.json, both ways; drawn in docs/format/meta.md.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/ulid.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMetaVersion = 1;
constexpr int kMaxDepth = 64;
constexpr size_t kMaxFileSize = 64 << 20;

// Reads members of an object; remembers the first one of a wrong type.
class Members {
 public:
  Members(const Json& object, std::string where, std::string& problem)
      : object_(object), where_(std::move(where)), problem_(problem) {
    if (!object_.is_object()) Complain("", "an object");
  }

  void Read(const char* key, std::string& out) {
    const Json* member = Find(key);
    if (member == nullptr) return;
    if (!member->is_string()) return Complain(key, "a string");
    out = member->get_ref<const std::string&>();
  }
  void Read(const char* key, bool& out) {
    const Json* member = Find(key);
    if (member == nullptr) return;
    if (!member->is_boolean()) return Complain(key, "true or false");
    out = member->get<bool>();
  }
  void Read(const char* key, int64_t& out) {
    const Json* member = Find(key);
    if (member == nullptr) return;
    if (!member->is_number_integer()) return Complain(key, "an integer");
    out = member->get<int64_t>();
  }
  void Read(const char* key, uint64_t& out) {
    const Json* member = Find(key);
    if (member == nullptr) return;
    if (!member->is_number_unsigned()) {
      return Complain(key, "a number that is not negative");
    }
    out = member->get<uint64_t>();
  }
  void Read(const char* key, Timestamp& out) { Read(key, out.ms); }
  void Read(const char* key, std::vector<std::string>& out) {
    const Json* member = Array(key);
    if (member == nullptr) return;
    for (const Json& element : *member) {
      if (!element.is_string()) return Complain(key, "an array of strings");
      out.push_back(element.get_ref<const std::string&>());
    }
  }
  // Null if absent; complains if it is no array.
  const Json* Array(const char* key) {
    const Json* member = Find(key);
    if (member == nullptr || member->is_array()) return member;
    Complain(key, "an array");
    return nullptr;
  }
  // Null if absent.
  const Json* Find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

 private:
  void Complain(std::string_view key, std::string_view wanted) {
    if (!problem_.empty()) return;
    problem_ = StrCat(where_, where_.empty() || key.empty() ? "" : ".", key,
                      " is not ", wanted);
  }

  const Json& object_;
  const std::string where_;
  std::string& problem_;
};

void SetUnlessZero(Json& object, const char* key, uint64_t value) {
  if (value != 0) {
    object[key] = value;
  } else {
    object.erase(key);
  }
}
void SetUnlessEmpty(Json& object, const char* key,
                    const std::vector<std::string>& value) {
  if (!value.empty()) {
    object[key] = value;
  } else {
    object.erase(key);
  }
}
void SetIfTrue(Json& object, const char* key, bool value) {
  if (value) {
    object[key] = true;
  } else {
    object.erase(key);
  }
}
Json& Object(Json& parent, const char* key) {
  Json& member = parent[key];
  if (!member.is_object()) member = Json::object();
  return member;
}

// Refuses what is nested deeper than anybody's meta.json, so that printing it
// again can't exhaust the stack.
Json ParseJson(std::string_view text) {
  bool deep = false;
  const Json::parser_callback_t guard = [&deep](int depth, Json::parse_event_t,
                                                Json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  Json json = Json::parse(text.begin(), text.end(), guard,
                          /*allow_exceptions=*/false);
  return deep ? Json(Json::value_t::discarded) : json;
}

}  // namespace

bool BlockMeta::HasHint(std::string_view hint) const {
  return std::find(hints.begin(), hints.end(), hint) != hints.end();
}

void BlockMeta::AddHint(std::string_view hint) {
  if (HasHint(hint)) return;
  hints.emplace_back(hint);
  std::sort(hints.begin(), hints.end());
}

absl::StatusOr<BlockMeta> ParseBlockMeta(std::string_view json) {
  const Json root = ParseJson(json);
  if (root.is_discarded()) return DataLoss("not JSON");
  BlockMeta meta;
  meta.json = std::string(json);
  std::string problem;
  Members top(root, "", problem);
  int64_t version = 0;
  top.Read("version", version);
  top.Read("ulid", meta.ulid);
  top.Read("minTime", meta.min_time);
  top.Read("maxTime", meta.max_time);
  if (const Json* json_stats = top.Find("stats"); json_stats != nullptr) {
    Members stats(*json_stats, "stats", problem);
    stats.Read("numSamples", meta.stats.samples);
    stats.Read("numFloatSamples", meta.stats.float_samples);
    stats.Read("numHistogramSamples", meta.stats.histogram_samples);
    stats.Read("numSeries", meta.stats.series);
    stats.Read("numChunks", meta.stats.chunks);
    stats.Read("numTombstones", meta.stats.tombstones);
  }
  if (const Json* json_compaction = top.Find("compaction");
      json_compaction != nullptr) {
    Members compaction(*json_compaction, "compaction", problem);
    int64_t level = 0;
    compaction.Read("level", level);
    meta.level = static_cast<int>(std::clamp<int64_t>(level, 0, 1 << 20));
    compaction.Read("sources", meta.sources);
    compaction.Read("deletable", meta.deletable);
    compaction.Read("failed", meta.failed);
    compaction.Read("hints", meta.hints);
    if (const Json* parents = compaction.Array("parents"); parents != nullptr) {
      for (const Json& element : *parents) {
        BlockParent parent;
        Members members(element, "compaction.parents", problem);
        members.Read("ulid", parent.ulid);
        members.Read("minTime", parent.min_time);
        members.Read("maxTime", parent.max_time);
        meta.parents.push_back(std::move(parent));
      }
    }
  }
  if (!problem.empty()) return DataLoss(problem);
  if (version != kMetaVersion) {
    return DataLoss(StrCat("unexpected meta file version ", version));
  }
  if (!IsUlid(meta.ulid)) {
    return DataLoss(StrCat("\"", meta.ulid, "\" is not a ULID"));
  }
  return meta;
}

std::string FormatBlockMeta(const BlockMeta& meta) {
  Json root = meta.json.empty() ? Json::object() : ParseJson(meta.json);
  if (!root.is_object()) root = Json::object();
  root["ulid"] = meta.ulid;
  root["minTime"] = meta.min_time.ms;
  root["maxTime"] = meta.max_time.ms;
  Json& stats = Object(root, "stats");
  SetUnlessZero(stats, "numSamples", meta.stats.samples);
  SetUnlessZero(stats, "numFloatSamples", meta.stats.float_samples);
  SetUnlessZero(stats, "numHistogramSamples", meta.stats.histogram_samples);
  SetUnlessZero(stats, "numSeries", meta.stats.series);
  SetUnlessZero(stats, "numChunks", meta.stats.chunks);
  SetUnlessZero(stats, "numTombstones", meta.stats.tombstones);
  Json& compaction = Object(root, "compaction");
  compaction["level"] = meta.level;
  SetUnlessEmpty(compaction, "sources", meta.sources);
  SetIfTrue(compaction, "deletable", meta.deletable);
  if (!meta.parents.empty()) {
    Json parents = Json::array();
    for (const BlockParent& parent : meta.parents) {
      parents.push_back(Json{{"ulid", parent.ulid},
                             {"minTime", parent.min_time.ms},
                             {"maxTime", parent.max_time.ms}});
    }
    compaction["parents"] = std::move(parents);
  } else {
    compaction.erase("parents");
  }
  SetIfTrue(compaction, "failed", meta.failed);
  SetUnlessEmpty(compaction, "hints", meta.hints);
  root["version"] = kMetaVersion;
  return root.dump(1, '\t', false, Json::error_handler_t::replace);
}

absl::StatusOr<BlockMeta> ReadBlockMeta(Env& env, const std::string& dir) {
  const std::string path = JoinPath(dir, "meta.json");
  NARTHEX_ASSIGN_OR_RETURN(const std::string json, env.ReadFile(path));
  if (json.size() > kMaxFileSize) {
    return CorruptAt(path, kMaxFileSize, "meta.json is too large");
  }
  absl::StatusOr<BlockMeta> meta = ParseBlockMeta(json);
  if (!meta.ok()) return Annotate(meta.status(), path);
  return meta;
}

absl::Status WriteBlockMeta(Env& env, const std::string& dir,
                            const BlockMeta& meta) {
  return env.WriteFileAtomically(JoinPath(dir, "meta.json"),
                                 FormatBlockMeta(meta));
}

}  // namespace narthex::tsdb
