#include "libtsdb/index/select.h"

#include <algorithm>
#include <string>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// Lists between two questions to the cancel token.
constexpr size_t kAskEvery = 1024;

// Which values of a label some lists are wanted for.
enum class Wanted : uint8_t { kMatching, kNotMatching };

// Is `text` on the wanted side?
bool Takes(const Matcher& matcher, Wanted wanted, std::string_view text) {
  return matcher.Matches(text) == (wanted == Wanted::kMatching);
}

// The texts that are all that is on the wanted side, if they are known.
std::span<const std::string> KnownTexts(const Matcher& matcher, Wanted wanted) {
  const bool inverse = matcher.negative();
  return inverse == (wanted == Wanted::kNotMatching)
             ? matcher.set()
             : std::span<const std::string>{};
}

// Lists of the values on the wanted side, without that of "".
absl::StatusOr<std::vector<PostingsList>> ListsOf(const PostingsIndex& index,
                                                  const Matcher& matcher,
                                                  Wanted wanted,
                                                  const CancelToken& cancel) {
  std::vector<PostingsList> lists;
  const std::span<const std::string> texts = KnownTexts(matcher, wanted);
  if (!texts.empty()) {
    for (const std::string& text : texts) {
      if (text.empty()) continue;
      NARTHEX_ASSIGN_OR_RETURN(PostingsList list,
                               index.Find(matcher.name(), text));
      if (!list.empty()) lists.push_back(std::move(list));
    }
    return lists;
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::shared_ptr<const LabelValueList> values,
                           index.Values(matcher.name()));
  if (values == nullptr) return lists;
  size_t begin = 0;
  size_t end = values->texts.size();
  if (const std::string_view prefix = matcher.prefix();
      wanted == Wanted::kMatching && !prefix.empty()) {
    const auto range = std::equal_range(
        values->texts.begin(), values->texts.end(), prefix,
        [n = prefix.size()](std::string_view a, std::string_view b) {
          return a.substr(0, n) < b.substr(0, n);
        });
    begin = static_cast<size_t>(range.first - values->texts.begin());
    end = static_cast<size_t>(range.second - values->texts.begin());
  }
  for (size_t i = begin; i < end; ++i) {
    if (i % kAskEvery == 0) NARTHEX_RETURN_IF_ERROR(cancel.Check());
    if (values->texts[i].empty() || !Takes(matcher, wanted, values->texts[i])) {
      continue;
    }
    NARTHEX_ASSIGN_OR_RETURN(PostingsList list, index.List(values->lists[i]));
    if (!list.empty()) lists.push_back(std::move(list));
  }
  return lists;
}

PostingsList Joined(std::vector<PostingsList> lists) {
  if (lists.empty()) return {};
  if (lists.size() == 1) return std::move(lists[0]);
  return PostingsList::Own(Union(lists));
}

// How much work a matcher's lists are to find: cheap ones go first, so that an
// empty result ends the search before values are looked at one by one.
int Cost(const Matcher& matcher) {
  if (matcher.type() == Matcher::Type::kEqual) return 0;
  if (!matcher.set().empty() && !matcher.negative()) return 1;
  if (!matcher.prefix().empty()) return 2;
  return 3;
}

// Is it cheaper to ask `matcher` of so few series than of its label's values?
absl::StatusOr<bool> BetterAskSeries(const PostingsIndex& index,
                                     const Matcher& matcher, size_t series) {
  // What looking at a series costs, in values looked at.
  constexpr size_t kSeriesCost = 8;
  if (Cost(matcher) < 2) return false;
  NARTHEX_ASSIGN_OR_RETURN(const std::shared_ptr<const LabelValueList> values,
                           index.Values(matcher.name()));
  return values != nullptr && series * kSeriesCost <= values->texts.size();
}

// `left`, if not null, takes the matchers that are better asked of the ids.
absl::Status AskAll(const PostingsIndex& index,
                    std::span<const Matcher* const> matchers,
                    const CancelToken& cancel, bool& everything,
                    std::vector<SeriesId>& ids,
                    std::vector<const Matcher*>* left = nullptr) {
  // A matcher that refuses the empty text picks from the series that have the
  // label: intersect.  One that takes it keeps all without the label as well:
  // subtract the values that it refuses.
  std::vector<const Matcher*> picking;
  std::vector<const Matcher*> sparing;
  for (const Matcher* matcher : matchers) {
    if (!matcher->MatchesEmpty()) {
      picking.push_back(matcher);
    } else if (!matcher->matches_everything() || matcher->negative()) {
      sparing.push_back(matcher);
    }
  }
  std::stable_sort(
      picking.begin(), picking.end(),
      [](const Matcher* a, const Matcher* b) { return Cost(*a) < Cost(*b); });
  everything = picking.empty() && sparing.empty();
  if (everything) return absl::OkStatus();

  if (picking.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(const PostingsList all, index.All());
    ids = all.ToVector();
  } else {
    std::vector<PostingsList> lists;
    size_t least = 0;  // ids of a list
    for (const Matcher* matcher : picking) {
      NARTHEX_RETURN_IF_ERROR(cancel.Check());
      if (left != nullptr && !lists.empty()) {
        NARTHEX_ASSIGN_OR_RETURN(const bool later,
                                 BetterAskSeries(index, *matcher, least));
        if (later) {
          left->push_back(matcher);
          continue;
        }
      }
      NARTHEX_ASSIGN_OR_RETURN(
          std::vector<PostingsList> found,
          ListsOf(index, *matcher, Wanted::kMatching, cancel));
      PostingsList joined = Joined(std::move(found));
      if (joined.empty()) return absl::OkStatus();
      least = lists.empty() ? joined.size() : std::min(least, joined.size());
      lists.push_back(std::move(joined));
    }
    ids = Intersect(std::move(lists));
  }
  for (const Matcher* matcher : sparing) {
    if (ids.empty()) break;
    NARTHEX_RETURN_IF_ERROR(cancel.Check());
    NARTHEX_ASSIGN_OR_RETURN(
        std::vector<PostingsList> refused,
        ListsOf(index, *matcher, Wanted::kNotMatching, cancel));
    if (const PostingsList joined = Joined(std::move(refused));
        !joined.empty()) {
      Subtract(ids, joined);
    }
  }
  return absl::OkStatus();
}

// Ids that many lists are held against.
class IdSet {
 public:
  explicit IdSet(const std::vector<SeriesId>& ids) : ids_(ids) {
    if (ids.empty()) return;
    const size_t words = (size_t{ids.back()} - ids.front()) / 64 + 1;
    if (words > kSparse * ids.size() + kSmall) return;  // by halves, then
    bits_.resize(words);
    for (SeriesId id : ids) {
      const SeriesId at = id - ids.front();
      bits_[at / 64] |= uint64_t{1} << (at % 64);
    }
  }

  bool HasAnyOf(const PostingsList& list) const {
    for (size_t i = 0; i < list.size(); ++i) {
      if (Has(list[i])) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kSparse = 8;
  static constexpr size_t kSmall = 8192;

  bool Has(SeriesId id) const {
    if (bits_.empty()) return std::binary_search(ids_.begin(), ids_.end(), id);
    const SeriesId at = id - ids_.front();  // below it wraps: past the end
    return at / 64 < bits_.size() && (bits_[at / 64] >> (at % 64) & 1) != 0;
  }

  const std::vector<SeriesId>& ids_;
  std::vector<uint64_t> bits_;
};

}  // namespace

absl::StatusOr<std::vector<SeriesId>> SelectSeries(
    const PostingsIndex& index, std::span<const Matcher* const> matchers,
    const CancelToken& cancel, std::vector<const Matcher*>* left) {
  std::vector<SeriesId> ids;
  bool everything = false;
  NARTHEX_RETURN_IF_ERROR(
      AskAll(index, matchers, cancel, everything, ids, left));
  if (everything) {
    NARTHEX_ASSIGN_OR_RETURN(const PostingsList all, index.All());
    ids = all.ToVector();
  }
  return ids;
}

absl::StatusOr<std::vector<std::string_view>> SelectLabelValues(
    const PostingsIndex& index, std::string_view name,
    std::span<const Matcher* const> matchers, const CancelToken& cancel) {
  std::vector<std::string_view> out;
  NARTHEX_ASSIGN_OR_RETURN(const std::shared_ptr<const LabelValueList> values,
                           index.Values(name));
  if (values == nullptr) return out;
  std::vector<SeriesId> ids;
  bool everything = false;
  NARTHEX_RETURN_IF_ERROR(AskAll(index, matchers, cancel, everything, ids));
  if (everything) {
    const std::span<const std::string_view> texts = values->texts;
    const bool begins_empty = !texts.empty() && texts[0].empty();
    out.assign(texts.begin() + (begins_empty ? 1 : 0), texts.end());
    return out;
  }
  if (ids.empty()) return out;
  const IdSet wanted(ids);
  for (size_t i = 0; i < values->texts.size(); ++i) {
    if (i % kAskEvery == 0) NARTHEX_RETURN_IF_ERROR(cancel.Check());
    const std::string_view text = values->texts[i];
    if (text.empty()) continue;
    // What the matchers say of this very label is cheaper to ask than its list.
    const bool refused = std::any_of(
        matchers.begin(), matchers.end(), [&](const Matcher* matcher) {
          return matcher->name() == name && !matcher->Matches(text);
        });
    if (refused) continue;
    NARTHEX_ASSIGN_OR_RETURN(const PostingsList list,
                             index.List(values->lists[i]));
    if (wanted.HasAnyOf(list)) out.push_back(text);
  }
  return out;
}

absl::StatusOr<std::vector<std::string_view>> SelectLabelNames(
    const PostingsIndex& index, std::span<const Matcher* const> matchers,
    const CancelToken& cancel) {
  NARTHEX_ASSIGN_OR_RETURN(std::vector<std::string_view> names, index.Names());
  std::erase(names, std::string_view{});
  std::vector<SeriesId> ids;
  bool everything = false;
  NARTHEX_RETURN_IF_ERROR(AskAll(index, matchers, cancel, everything, ids));
  if (everything) return names;
  std::vector<std::string_view> out;
  if (ids.empty()) return out;
  const IdSet wanted(ids);
  for (std::string_view name : names) {
    NARTHEX_RETURN_IF_ERROR(cancel.Check());
    NARTHEX_ASSIGN_OR_RETURN(const std::shared_ptr<const LabelValueList> values,
                             index.Values(name));
    if (values == nullptr) continue;
    for (uint64_t at : values->lists) {
      NARTHEX_ASSIGN_OR_RETURN(const PostingsList list, index.List(at));
      if (!wanted.HasAnyOf(list)) continue;
      out.push_back(name);
      break;
    }
  }
  return out;
}

}  // namespace narthex::tsdb
