// Two ways to make Labels: edit an existing set, or collect pairs and sort.
//
// One thread.  Both keep their memory between uses.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "narthex/model/labels.h"

namespace narthex {

// Edits on top of a base.  Setting "" deletes; the last edit of a name wins.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(const Labels& base) { Reset(base); }

  void Reset(const Labels& base);
  void Set(std::string_view name, std::string_view value);
  void Del(std::string_view name) { Set(name, {}); }
  // Deletes every label that is not in `names`.
  void Keep(const std::vector<std::string>& names);
  std::string_view Get(std::string_view name) const;
  // The present state, sorted; views die with the next Set or Reset.
  std::vector<Label> Pairs() const;
  Labels Build() const;

 private:
  struct Edit {
    std::string name = {};
    std::string value = {};
  };
  Labels base_;
  std::vector<Edit> edits_;
};

// Collects pairs whose texts live elsewhere.
class LabelsScratch {
 public:
  void Clear() { pairs_.clear(); }
  void Add(std::string_view name, std::string_view value) {
    pairs_.push_back({name, value});
  }
  // Sorts by name.  Duplicate names stay: ask HasDuplicate().
  void Sort();
  bool HasDuplicate(std::string_view& name) const;  // after Sort()
  const std::vector<Label>& pairs() const { return pairs_; }
  // After Sort(); empty values left out.  Reuses `out`'s memory.
  void BuildInto(Labels& out) const;

 private:
  std::vector<Label> pairs_;
};

}  // namespace narthex
