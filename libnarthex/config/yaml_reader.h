// One strict way to read YAML: a document as a tree of our own, and a reader of
// maps that refuses what it was not asked for.  Errors say file:line:column.
//
// Anchors, aliases and merge keys (`<<`) are resolved while reading; a key that
// is there twice is an error; aliases can't blow up the tree (kMaxNodes) and
// nesting can't the stack (kMaxDepth).  Values; one thread.  yaml-cpp is named
// in yaml_reader.cc alone, and so is `catch`.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/status.h"
#include "narthex/base/time.h"

namespace narthex::config {

inline constexpr size_t kMaxNodes = 1'000'000;
inline constexpr size_t kMaxDepth = 100;

struct YamlEntry;

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  // Of a scalar: its text, unquoted.  `plain`: it was written without quotes,
  // so that `yes` is a boolean and `~` is null.
  std::string text = {};
  bool plain = true;
  int line = 1;  // both from 1
  int column = 1;
  std::vector<YamlNode> items = {};  // of a sequence
  std::vector<YamlEntry> entries;    // of a map, in the order of the text
};

struct YamlEntry {
  std::string key = {};
  int line = 1;
  int column = 1;
  YamlNode value = {};
};

// The first document in `text`; an empty one is null.  `file` is for messages.
absl::StatusOr<YamlNode> ParseYaml(std::string_view text,
                                   std::string_view file);

// Whether it is one of YAML 1.1's booleans, unquoted; if so, which.
bool AsBool(const YamlNode& node, bool& out);

// For documents of others, of which only a part counts: the value under a key,
// null if there is none; its text, "" if it is none.
const YamlNode* FindMember(const YamlNode& map, std::string_view key);
std::string TextOf(const YamlNode* node);
std::string TextAt(const YamlNode& map, std::string_view key);

// kInvalidArgument "<file>:<line>:<column>: <what>".
absl::Status ErrorAt(std::string_view file, const YamlNode& node,
                     std::string_view what);

// How a document writes its keys; the reader is asked for "source_labels" in
// either case, or for exactly what stands there.
enum class KeyCase : uint8_t { kSnake, kCamel };

// Reads the fields of a map, each once, then refuses what is left over:
//
//   MapReader map(node, file, "global");
//   map.Read("scrape_interval", global.scrape_interval);
//   map.Read("external_labels", [&](const YamlNode& labels) { ... });
//   map.Refuse({"otlp"});
//   return map.Finish();
//
// A field that is absent or null leaves its target as it is.  The first error
// is kept; after it, reading does nothing.  Borrows node, file and what.
class MapReader {
 public:
  // `what` names the map in messages: "global", "scrape_configs entry".
  MapReader(const YamlNode& node, std::string_view file, std::string_view what,
            KeyCase keys = KeyCase::kSnake);

  void Read(std::string_view key, std::string& out);
  void Read(std::string_view key, bool& out);
  void Read(std::string_view key, Duration& out);  // "1m30s"
  void Read(std::string_view key, size_t& out);    // a number, not negative
  void Read(std::string_view key, double& out);
  void Read(std::string_view key, std::vector<std::string>& out);
  // "10MB", "1KiB", "512": bytes; units as Prometheus has them, powers of 1024.
  void ReadBytes(std::string_view key, uint64_t& out);
  // Whatever it is, once, if it is there and not null.
  void Read(std::string_view key,
            const std::function<absl::Status(const YamlNode&)>& read);
  // A sequence, item by item.
  void ReadEach(std::string_view key,
                const std::function<absl::Status(const YamlNode&)>& read);
  // Text, checked or translated by `read`; its error gets the position.
  void ReadText(std::string_view key,
                const std::function<absl::Status(const std::string&)>& read);

  // Known to Prometheus, without meaning here: an error if they are there and
  // neither null nor empty.
  void Refuse(std::span<const std::string_view> keys);
  void Refuse(std::initializer_list<std::string_view> keys) {
    Refuse(std::span<const std::string_view>(keys.begin(), keys.size()));
  }
  // An error of the map as a whole.
  void Fail(std::string_view what);

  bool Has(std::string_view key) const;  // there, and not null
  const absl::Status& status() const { return status_; }
  KeyCase keys() const { return keys_; }
  // The first error; or a key that nobody has asked for.
  absl::Status Finish();

 private:
  // `key` as this document writes it.
  std::string Spelled(std::string_view key) const;
  // The value, marked as known; null if absent, null or after an error.
  const YamlNode* Take(std::string_view key);
  void Keep(const YamlNode& at, std::string_view key,
            const absl::Status& status);

  const YamlNode& node_;
  const std::string_view file_;
  const std::string_view what_;
  const KeyCase keys_;
  absl::Status status_;
  std::vector<bool> known_;              // as long as node_.entries
  std::vector<std::string_view> asked_;  // for "did you mean"
};

}  // namespace narthex::config
