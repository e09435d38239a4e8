// Target groups as JSON, read event by event: no depth of nesting, no size of
// number can hurt.

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

// [ { "targets": [ text ... ], "labels": { name: text ... } } ... ]
class GroupReader final : public nlohmann::json_sax<Json> {
 public:
  explicit GroupReader(std::string_view bytes) : bytes_(bytes) {}

  std::vector<TargetGroup> groups = {};
  std::string error = {};

  bool null() override {
    switch (where_) {
      case Where::kTop:
        where_ = Where::kDone;
        return true;
      case Where::kList:
        return Fail("nil target group item found");
      case Where::kTargetsField:
      case Where::kLabelsField:
        where_ = Where::kGroup;
        return true;
      case Where::kLabels:
        return true;  // an empty value: no label
      default:
        return Unexpected("null");
    }
  }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override {
    return Unexpected("a number");
  }
  bool number_unsigned(number_unsigned_t) override {
    return Unexpected("a number");
  }
  bool number_float(number_float_t, const string_t&) override {
    return Unexpected("a number");
  }
  bool binary(binary_t&) override { return Unexpected("bytes"); }
  bool string(string_t& text) override {
    if (where_ == Where::kTargets) {
      addresses_.push_back(std::move(text));
      return true;
    }
    if (where_ == Where::kLabels) {
      labels_.emplace_back(key_, std::move(text));
      return true;
    }
    return Unexpected("a text");
  }
  bool start_array(size_t) override {
    if (where_ == Where::kTop) {
      where_ = Where::kList;
      return true;
    }
    if (where_ == Where::kTargetsField) {
      where_ = Where::kTargets;
      return true;
    }
    return Unexpected("a list");
  }
  bool end_array() override {
    where_ = where_ == Where::kTargets ? Where::kGroup : Where::kDone;
    return true;
  }
  bool start_object(size_t) override {
    if (where_ == Where::kList) {
      where_ = Where::kGroup;
      addresses_.clear();
      labels_.clear();
      return true;
    }
    if (where_ == Where::kLabelsField) {
      where_ = Where::kLabels;
      return true;
    }
    return Unexpected("an object");
  }
  bool end_object() override {
    if (where_ == Where::kLabels) {
      where_ = Where::kGroup;
      return true;
    }
    std::vector<Label> pairs;
    for (const auto& [name, value] : labels_) pairs.push_back({name, value});
    groups.push_back(MakeTargetGroup(addresses_, Labels::FromPairs(pairs)));
    where_ = Where::kList;
    return true;
  }
  bool key(string_t& name) override {
    if (where_ == Where::kLabels) {
      key_ = std::move(name);
      return true;
    }
    if (name == "targets") {
      where_ = Where::kTargetsField;
      return true;
    }
    if (name == "labels") {
      where_ = Where::kLabelsField;
      return true;
    }
    return Fail(StrCat("unknown field ", GoQuote(name)));
  }
  bool parse_error(size_t position, const std::string& token,
                   const Json::exception&) override {
    const size_t end = std::min(position, bytes_.size());
    const auto line =
        1 + std::count(bytes_.begin(),
                       bytes_.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    error = StrCat("line ", line, ": not JSON",
                   token.empty() ? "" : StrCat(", at ", GoQuote(token)));
    return false;
  }

 private:
  enum class Where : uint8_t {
    kTop,
    kList,
    kGroup,
    kTargetsField,
    kTargets,
    kLabelsField,
    kLabels,
    kDone
  };

  bool Fail(std::string_view what) {
    error = StrCat("group ", groups.size() + 1, ": ", what);
    return false;
  }
  bool Unexpected(std::string_view what) {
    if (where_ == Where::kTop) {
      error = StrCat("expected a list of target groups, got ", what);
      return false;
    }
    std::string_view expected = "a target group";
    if (where_ == Where::kTargetsField) expected = "a list of addresses";
    if (where_ == Where::kTargets) expected = "an address";
    if (where_ == Where::kLabelsField) expected = "an object of labels";
    if (where_ == Where::kLabels) expected = "a label value";
    return Fail(StrCat("expected ", expected, ", got ", what));
  }

  const std::string_view bytes_;
  Where where_ = Where::kTop;
  std::string key_;
  std::vector<std::string> addresses_;
  std::vector<std::pair<std::string, std::string>> labels_;
};

}  // namespace

absl::StatusOr<std::vector<TargetGroup>> DecodeTargetJson(
    std::string_view bytes, std::string_view path) {
  GroupReader reader(bytes);
  if (!Json::sax_parse(bytes.begin(), bytes.end(), &reader)) {
    return InvalidArgument(StrCat(path, ": ", reader.error));
  }
  return std::move(reader.groups);
}

}  // namespace narthex::scrape
