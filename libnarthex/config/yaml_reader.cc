#include "libnarthex/config/yaml_reader.h"
#include "narthex/base/ascii.h"
#include "narthex/model/labels.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

namespace narthex::config {
namespace {

std::string Position(std::string_view file, int line, int column) {
  return StrCat(file, ":", line, ":", column, ": ");
}

// Builds the tree from the parser's events, without recursion.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node = At(mark, YamlNode::Kind::kNull);
    Leaf(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    YamlNode node = At(mark, YamlNode::Kind::kScalar);
    node.plain = tag.empty() || tag == "?";
    node.text = value;
    if (node.plain && (value == "~" || value == "null" || value == "Null" ||
                       value == "NULL" || value.empty())) {
      node.kind = YamlNode::Kind::kNull;
    }
    Leaf(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) {
      return Error(mark, "an alias to what encloses it, or to nothing");
    }
    YamlNode node = it->second;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    nodes_ += CountNodes(node);
    if (nodes_ > kMaxNodes) {
      return Error(mark, "aliases make this document too large");
    }
    Attach(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, YamlNode::Kind::kSequence, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Open(mark, YamlNode::Kind::kMap, anchor);
  }
  void OnMapEnd() override {
    if (!status_.ok()) return;
    MergeKeys(stack_.back());
    Close();
  }

  absl::StatusOr<YamlNode> Take() {
    if (!status_.ok()) return status_;
    return std::move(root_);
  }

 private:
  struct Frame {
    YamlNode node = {};
    YAML::anchor_t anchor = 0;
    std::optional<YamlEntry> key = {};  // waits for its value
    std::vector<YamlEntry> merges = {};
  };

  static YamlNode At(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  static size_t CountNodes(const YamlNode& node) {
    size_t n = 1;
    for (const YamlNode& item : node.items) n += CountNodes(item);
    for (const YamlEntry& entry : node.entries) n += CountNodes(entry.value);
    return n;
  }

  void Error(const YAML::Mark& mark, std::string_view what) {
    Error(mark.line + 1, mark.column + 1, what);
  }
  void Error(int line, int column, std::string_view what) {
    if (status_.ok()) {
      status_ = InvalidArgument(StrCat(Position(file_, line, column), what));
    }
  }

  void Leaf(YamlNode node, YAML::anchor_t anchor) {
    if (!status_.ok()) return;
    if (++nodes_ > kMaxNodes) {
      return Error(node.line, node.column, "this document is too large");
    }
    if (anchor != 0) anchors_[anchor] = node;
    Attach(std::move(node));
  }
  void Open(const YAML::Mark& mark, YamlNode::Kind kind,
            YAML::anchor_t anchor) {
    if (!status_.ok()) return;
    if (stack_.size() >= kMaxDepth) return Error(mark, "nested too deeply");
    ++nodes_;
    // A key is a scalar: refuse it now, where the position is known.
    if (!stack_.empty() && stack_.back().node.kind == YamlNode::Kind::kMap &&
        !stack_.back().key) {
      return Error(mark, "a key must be a text");
    }
    Frame frame;
    frame.node = At(mark, kind);
    frame.anchor = anchor;
    anchors_.erase(anchor);  // not to be referred to before it is complete
    stack_.push_back(std::move(frame));
  }
  void Close() {
    if (!status_.ok()) return;
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (frame.anchor != 0) anchors_[frame.anchor] = frame.node;
    Attach(std::move(frame.node));
  }

  void Attach(YamlNode node) {
    if (!status_.ok()) return;
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& top = stack_.back();
    if (top.node.kind == YamlNode::Kind::kSequence) {
      top.node.items.push_back(std::move(node));
      return;
    }
    if (!top.key) {
      if (node.kind == YamlNode::Kind::kSequence ||
          node.kind == YamlNode::Kind::kMap) {
        return Error(node.line, node.column, "a key must be a text");
      }
      top.key = YamlEntry{std::move(node.text), node.line, node.column, {}};
      return;
    }
    YamlEntry entry = *std::move(top.key);
    top.key.reset();
    entry.value = std::move(node);
    if (entry.key == "<<") {
      top.merges.push_back(std::move(entry));
      return;
    }
    for (const YamlEntry& other : top.node.entries) {
      if (other.key == entry.key) {
        return Error(
            entry.line, entry.column,
            StrCat("\"", entry.key, "\" is already set in line ", other.line));
      }
    }
    top.node.entries.push_back(std::move(entry));
  }

  // `<<: *defaults`: what the map itself says wins, then the earlier source.
  void MergeKeys(Frame& frame) {
    for (YamlEntry& merge : frame.merges) {
      std::vector<YamlNode> sources;
      if (merge.value.kind == YamlNode::Kind::kSequence) {
        sources = std::move(merge.value.items);
      } else {
        sources.push_back(std::move(merge.value));
      }
      for (YamlNode& source : sources) {
        if (source.kind != YamlNode::Kind::kMap) {
          return Error(merge.line, merge.column,
                       "`<<` takes a map or a list of maps");
        }
        for (YamlEntry& entry : source.entries) {
          const bool there = std::any_of(
              frame.node.entries.begin(), frame.node.entries.end(),
              [&](const YamlEntry& own) { return own.key == entry.key; });
          if (!there) frame.node.entries.push_back(std::move(entry));
        }
      }
    }
  }

  const std::string_view file_;
  absl::Status status_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  size_t nodes_ = 0;
  YamlNode root_;
};

bool IsEmpty(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return true;
    case YamlNode::Kind::kScalar:
      return node.text.empty();
    case YamlNode::Kind::kSequence:
      return node.items.empty();
    case YamlNode::Kind::kMap:
      return node.entries.empty();
  }
  return false;
}

absl::StatusOr<uint64_t> ParseBytes(std::string_view text) {
  uint64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [p, error] = std::from_chars(text.data(), end, n);
  const std::string_view unit(p, static_cast<size_t>(end - p));
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  for (int i = 0; i < 6; ++i) {
    const char letter = "KMGTPE"[i];
    if (unit == std::string{letter, 'B'} ||
        unit == std::string{letter, 'i', 'B'} || unit == std::string{letter}) {
      shift = 10 * (i + 1);
    }
  }
  if (error != std::errc() || shift < 0) {
    return InvalidArgument(StrCat("not a size in bytes: \"", text, "\""));
  }
  if (shift > 0 && n > (~uint64_t{0} >> shift)) {
    return InvalidArgument(StrCat("too large: \"", text, "\""));
  }
  return n << shift;
}

// Edit distance, for "did you mean".
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1,
                         diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

absl::StatusOr<YamlNode> ParseYaml(std::string_view text,
                                   std::string_view file) {
  TreeBuilder builder(file);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& e) {
    return InvalidArgument(
        StrCat(Position(file, e.mark.line + 1, e.mark.column + 1), e.msg));
  }
  return builder.Take();
}

// As Prometheus's reader takes them.
bool AsBool(const YamlNode& node, bool& out) {
  if (node.kind != YamlNode::Kind::kScalar || !node.plain) return false;
  const std::string lower = AsciiLower(node.text);
  out = lower == "true" || lower == "yes" || lower == "on" || lower == "y";
  return out || lower == "false" || lower == "no" || lower == "off" ||
         lower == "n";
}

absl::Status ErrorAt(std::string_view file, const YamlNode& node,
                     std::string_view what) {
  return InvalidArgument(StrCat(Position(file, node.line, node.column), what));
}

const YamlNode* FindMember(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}
std::string TextOf(const YamlNode* node) {
  return node != nullptr && node->kind == YamlNode::Kind::kScalar
             ? node->text
             : std::string();
}
std::string TextAt(const YamlNode& map, std::string_view key) {
  return TextOf(FindMember(map, key));
}

MapReader::MapReader(const YamlNode& node, std::string_view file,
                     std::string_view what, KeyCase keys)
    : node_(node),
      file_(file),
      what_(what),
      keys_(keys),
      known_(node.entries.size()) {
  if (node.kind != YamlNode::Kind::kMap && node.kind != YamlNode::Kind::kNull) {
    status_ = ErrorAt(file, node, StrCat(what, " must be a map"));
  }
}

std::string MapReader::Spelled(std::string_view key) const {
  std::string out;
  for (const char c : key) {
    const bool hump = keys_ == KeyCase::kCamel && out.ends_with('_');
    if (hump) out.pop_back();
    out.push_back(hump && c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
  }
  return out;
}

const YamlNode* MapReader::Take(std::string_view key) {
  if (!status_.ok()) return nullptr;
  asked_.push_back(key);
  const std::string spelled = Spelled(key);
  for (size_t i = 0; i < node_.entries.size(); ++i) {
    if (node_.entries[i].key != spelled) continue;
    known_[i] = true;
    const YamlNode& value = node_.entries[i].value;
    return value.kind == YamlNode::Kind::kNull ? nullptr : &value;
  }
  return nullptr;
}

void MapReader::Keep(const YamlNode& at, std::string_view key,
                     const absl::Status& status) {
  if (status.ok() || !status_.ok()) return;
  status_ = ErrorAt(file_, at, StrCat(Spelled(key), ": ", Message(status)));
}

bool MapReader::Has(std::string_view key) const {
  const std::string spelled = Spelled(key);
  return std::any_of(node_.entries.begin(), node_.entries.end(),
                     [&](const YamlEntry& entry) {
                       return entry.key == spelled &&
                              entry.value.kind != YamlNode::Kind::kNull;
                     });
}

void MapReader::Read(std::string_view key, std::string& out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kScalar) {
    return Keep(*node, key, InvalidArgument("must be a text"));
  }
  out = node->text;
}

void MapReader::Read(std::string_view key, bool& out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (bool value = false; AsBool(*node, value)) {
    out = value;
  } else {
    Keep(*node, key, InvalidArgument("must be true or false"));
  }
}

void MapReader::Read(std::string_view key, Duration& out) {
  ReadText(key, [&](const std::string& text) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(out, ParseDuration(text));
    return absl::OkStatus();
  });
}

void MapReader::Read(std::string_view key, size_t& out) {
  ReadText(key, [&](const std::string& text) -> absl::Status {
    size_t n = 0;
    const char* end = text.data() + text.size();
    const auto [p, error] = std::from_chars(text.data(), end, n);
    if (error != std::errc() || p != end) {
      return InvalidArgument(
          StrCat("must be a number that is not negative, not \"", text, "\""));
    }
    out = n;
    return absl::OkStatus();
  });
}

void MapReader::Read(std::string_view key, double& out) {
  ReadText(key, [&](const std::string& text) -> absl::Status {
    if (ParseGoFloat(text, out)) return absl::OkStatus();
    return InvalidArgument(StrCat("must be a number, not \"", text, "\""));
  });
}

void MapReader::Read(std::string_view key, std::vector<std::string>& out) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kSequence) {
    return Keep(*node, key, InvalidArgument("must be a list"));
  }
  out.clear();
  for (const YamlNode& item : node->items) {
    if (item.kind != YamlNode::Kind::kScalar &&
        item.kind != YamlNode::Kind::kNull) {
      return Keep(item, key, InvalidArgument("must be a list of texts"));
    }
    out.push_back(item.kind == YamlNode::Kind::kNull ? "" : item.text);
  }
}

void MapReader::ReadBytes(std::string_view key, uint64_t& out) {
  ReadText(key, [&](const std::string& text) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(out, ParseBytes(text));
    return absl::OkStatus();
  });
}

void MapReader::Read(std::string_view key,
                     const std::function<absl::Status(const YamlNode&)>& read) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  status_ = read(*node);
}

void MapReader::ReadEach(
    std::string_view key,
    const std::function<absl::Status(const YamlNode&)>& read) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kSequence) {
    return Keep(*node, key, InvalidArgument("must be a list"));
  }
  for (const YamlNode& item : node->items) {
    status_ = read(item);
    if (!status_.ok()) return;
  }
}

void MapReader::ReadText(
    std::string_view key,
    const std::function<absl::Status(const std::string&)>& read) {
  const YamlNode* node = Take(key);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kScalar) {
    return Keep(*node, key, InvalidArgument("must be a text"));
  }
  Keep(*node, key, read(node->text));
}

void MapReader::Refuse(std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) {
    for (size_t i = 0; i < node_.entries.size() && status_.ok(); ++i) {
      const YamlEntry& entry = node_.entries[i];
      if (entry.key != key) continue;
      known_[i] = true;
      if (IsEmpty(entry.value)) continue;
      status_ = InvalidArgument(
          StrCat(Position(file_, entry.line, entry.column), "\"", key,
                 "\" is not supported by narthex yet"));
    }
  }
}

void MapReader::Fail(std::string_view what) {
  if (status_.ok()) status_ = ErrorAt(file_, node_, what);
}

absl::Status MapReader::Finish() {
  for (size_t i = 0; i < node_.entries.size() && status_.ok(); ++i) {
    if (known_[i]) continue;
    const YamlEntry& entry = node_.entries[i];
    std::string text = StrCat(Position(file_, entry.line, entry.column),
                              "unknown key \"", entry.key, "\" in ", what_);
    std::string best;
    size_t least = 3;
    for (const std::string_view asked : asked_) {
      std::string spelled = Spelled(asked);
      const size_t distance = Distance(entry.key, spelled);
      if (distance < least) {
        least = distance;
        best = std::move(spelled);
      }
    }
    if (!best.empty()) StrAppend(&text, "; did you mean \"", best, "\"?");
    status_ = InvalidArgument(text);
  }
  return status_;
}

}  // namespace narthex::config
