// What a target's last page looked like: which text stood for which series, in
// which order.  The next page is mostly the same with other numbers, so the
// cache says what to expect; a line as expected costs one comparison.
//
// Keeps the last good page itself and points into it.  One thread, that of the
// target's scrape, but for Metadata(), which is safe from any.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"
#include "narthex/model/appender.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

class ScrapeCache {
 public:
  using SeriesId = uint32_t;
  static constexpr SeriesId kNone = ~SeriesId{0};
  static constexpr uint32_t kNoLine = ~uint32_t{0};

  struct Series {
    std::string_view text = {};  // in the last page, or in the one being read
    SeriesRef ref = SeriesRef::kNone;
    uint64_t seen = 0;  // the page that showed it last
    uint64_t tracked =
        0;  // the page whose end made it a candidate for staleness
    uint32_t line = kNoLine;  // in the last good page
    bool dropped = false;     // by relabeling
    bool fresh = false;       // made by the page being read
    bool counted = false;     // as one that this page brought
    MetricType type = MetricType::kUnknown;
    Timestamp start = 0;  // whose zero was stored last
  };
  // A sample of a page, with all that stands before its number.
  struct Line {
    uint32_t begin = 0;  // in the page: behind the sample before
    uint32_t size = 0;   // up to the number
    uint32_t text = 0;   // where the series begins
    SeriesId series = kNone;
    uint32_t metadata = 0;  // first of its families in metadata order
    MetricType type = MetricType::kUnknown;
  };

  ScrapeCache();
  ScrapeCache(const ScrapeCache&) = delete;
  ScrapeCache& operator=(const ScrapeCache&) = delete;

  // --- Reading a page.

  void BeginPage();
  // What the page should go on with; null: no idea.
  const Line* expected() const {
    return cursor_ < lines_.size() ? &lines_[cursor_] : nullptr;
  }
  std::string_view Literal(const Line& line) const {
    return std::string_view(*page_).substr(line.begin, line.size);
  }
  // The page did, at offset `at`.
  SeriesId TakeExpected(size_t at);
  // For pages that are kept as texts of series, one behind the other: the
  // series that `text` stands for, the expected one without a search.
  SeriesId FindText(std::string_view text);
  // The series that `text` stands for; sets what is expected behind it.
  SeriesId Find(std::string_view text);
  SeriesId Add(std::string_view text, SeriesRef ref, bool dropped,
               MetricType type);
  // The page showed `series`, otherwise than expected.
  void Record(SeriesId series, size_t begin, size_t text, size_t value,
              MetricType type);
  // The page being read has moved in memory.
  void MovePage(const char* from, const char* to);
  // true: the metric has other metadata than before.
  bool SetType(std::string_view metric, MetricType type);
  bool SetHelp(std::string_view metric, std::string_view help);
  bool SetUnit(std::string_view metric, std::string_view unit);
  // Of the metric set last in this page; null: none was.
  const Metadata* last_metadata() const {
    return new_shown_.empty() ? nullptr
                              : &families_[new_shown_.back()].metadata;
  }
  std::string_view last_metric() const {
    return families_[new_shown_.back()].name;
  }

  Series& series(SeriesId id) { return series_[id]; }
  // false: the page showed it before.
  bool MarkSeen(SeriesId id) {
    Series& s = series_[id];
    if (s.seen == number_) return false;
    s.seen = number_;
    ++seen_;
    return true;
  }
  // true: a fresh series, seen stored for the first time.
  bool CountFresh(SeriesId id) {
    Series& s = series_[id];
    s.seen = number_;  // whatever became of samples before
    return s.fresh && !std::exchange(s.counted, true);
  }
  // Storage did not take a sample; if it is all that a fresh series has, then
  // that is forgotten.
  void Unlearn(SeriesId id);
  // Counts pages, good and bad ones.
  uint64_t page_number() const { return number_; }
  size_t last_page_size() const { return page_->size(); }

  // --- Its end.

  // Series tracked by the page before that this one did not track.
  void FindStale(std::vector<SeriesRef>& out);
  void Track(SeriesId id) {
    Series& s = series_[id];
    if (s.tracked == number_) return;
    if (s.tracked + 1 == number_) ++tracked_again_;
    s.tracked = number_;
    ++tracked_now_;
  }
  // The page was good: it is kept; what it did not show is forgotten.  Returns
  // the buffer of the page before.
  std::string EndGood(std::string page);
  // The page was bad, or there was none.  What it showed before it went wrong
  // is known and tracked from now on; nothing else is tracked any more.
  void EndBad();
  // Lines may mean other series from now on: forgets all but what must still
  // be marked stale.
  void Clear();

  std::vector<std::pair<std::string, Metadata>> ListMetadata() const;

 private:
  struct Hash {
    using is_transparent = void;
    const ScrapeCache* cache;
    size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
    size_t operator()(SeriesId id) const {
      return (*this)(cache->series_[id].text);
    }
  };
  struct Equal {
    using is_transparent = void;
    const ScrapeCache* cache;
    std::string_view Text(std::string_view text) const { return text; }
    std::string_view Text(SeriesId id) const { return cache->series_[id].text; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Text(a) == Text(b);
    }
  };
  struct Family {
    std::string name = {};
    Metadata metadata = {};
    uint64_t seen = 0;
    uint64_t changed = 0;  // the page that last said something else
  };

  void Forget(SeriesId id);
  void StopTracking();
  Family& FamilyOf(std::string_view metric)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(metadata_mu_);
  void DropOldFamilies() ABSL_LOCKS_EXCLUDED(metadata_mu_);

  // On the heap: views stay when it is handed on.
  std::unique_ptr<std::string> page_;
  std::vector<Line> lines_;      // of page_
  std::vector<Line> new_lines_;  // of the page being read
  size_t cursor_ = 0;

  std::vector<Series> series_;
  std::vector<SeriesId> free_;
  std::vector<SeriesId> fresh_;
  // Of series that only bad pages showed: a page that is not kept.
  absl::flat_hash_map<SeriesId, std::unique_ptr<const std::string>> own_texts_;
  absl::flat_hash_set<SeriesId, Hash, Equal> by_text_;
  uint64_t number_ = 2;  // never one behind what new series are marked with
  size_t seen_ = 0;      // distinct series of the page being read
  size_t unlearned_ = 0;
  size_t tracked_before_ = 0;
  size_t tracked_again_ = 0;
  size_t tracked_now_ = 0;
  std::vector<SeriesRef> orphans_;  // tracked when Clear() came

  // Families in the order in which pages show them, as indices.
  std::vector<uint32_t> shown_;
  std::vector<uint32_t> new_shown_;
  size_t shown_mark_ = 0;  // of new_shown_: up to the last sample
  mutable absl::Mutex metadata_mu_;
  // Only the scrape's thread writes, so it may read without the lock.
  std::vector<Family> families_;
  absl::flat_hash_map<std::string, uint32_t, StringHash, StringEq>
      family_by_name_;
};

}  // namespace narthex::scrape
