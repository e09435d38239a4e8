// An anchored regular expression for matchers: what it means is looked for
// first (a set of texts, or texts with gaps of `.*` between them), and only
// what can't be said that way reaches RE2.
//
// Immutable; any thread.

#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "narthex/base/status.h"

namespace re2 {
class RE2;
}

namespace narthex {

// Texts with gaps between them: `a.*b` is {"a", "b"} with one gap.  A gap takes
// any bytes, one at least if it was written `.+`.
struct Glob {
  std::vector<std::string> texts = {};  // one more than gaps
  std::vector<bool> gap_needs_one = {};

  bool Matches(std::string_view text) const;
};

// Texts of which one has to occur anywhere: what `.*-[0-9]x.*` comes to.  They
// are looked for together, by what they begin with.
class Needles {
 public:
  // false: the globs are not all of the form `.*text.*`.
  bool Adopt(std::span<const Glob> globs);
  bool OccurIn(std::string_view text) const;

 private:
  std::vector<std::string> texts_;
  std::string begin_;          // of all of them
  std::bitset<256> next_;      // bytes that follow it
  bool begin_is_all_ = false;  // of one of them
};

// `pattern` as alternatives, each a text (no gap) or a glob.  false: it takes a
// real regular expression, or is none at all.
bool SimplifyRegex(std::string_view pattern, std::vector<Glob>& alternatives);

// RE2 with our options, anchored by whoever matches.  Errors in Go's words.
absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(std::string_view pattern,
                                                       bool captures);

class AnchoredRegex {
 public:
  static absl::StatusOr<std::unique_ptr<AnchoredRegex>> Make(
      std::string_view pattern);
  ~AnchoredRegex();
  AnchoredRegex(const AnchoredRegex&) = delete;
  AnchoredRegex& operator=(const AnchoredRegex&) = delete;

  bool Matches(std::string_view text) const;
  // All texts that match, sorted, if that is all it takes.
  std::span<const std::string> set() const { return set_; }
  std::string_view prefix() const { return prefix_; }
  bool matches_everything() const { return kind_ == Kind::kEverything; }
  bool matches_any_nonempty() const { return kind_ == Kind::kNonEmpty; }

 private:
  enum class Kind : uint8_t {
    kEverything,
    kNonEmpty,
    kSet,
    kGlobs,
    kNeedles,
    kRegex
  };

  AnchoredRegex() = default;
  void Adopt(std::vector<Glob> alternatives);
  bool InSet(std::string_view text) const;

  Kind kind_ = Kind::kRegex;
  std::vector<std::string> set_;  // sorted; if kGlobs, moved into globs_
  absl::flat_hash_set<std::string_view, StringHash, StringEq> index_;
  std::vector<Glob> globs_;
  Needles needles_;  // of kNeedles, in place of globs_
  std::string prefix_;
  std::unique_ptr<re2::RE2> regex_;
};

}  // namespace narthex
