// A host's series as a store, or beside one.

#include "narthex/promql/virtual_series.h"

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/model/symbols.h"

namespace narthex::promql {
namespace {

bool MatchesAll(const Labels& labels,
                std::span<const Matcher* const> matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher* matcher) {
                       return matcher->Matches(labels.Get(matcher->name()));
                     });
}

class Collector final : public SeriesCollector {
 public:
  Collector(const SourceRequest& request, MemoryBudget& budget)
      : request_(request), reservation_(budget) {}

  bool Wants(const Labels& labels) const override {
    return MatchesAll(labels, request_.matchers);
  }

  absl::Status Add(const Labels& labels,
                   std::span<const Sample> samples) override {
    if (!Wants(labels)) return absl::OkStatus();
    SeriesData row;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (i > 0 && samples[i].t <= samples[i - 1].t) {
        return InvalidArgument(StrCat("samples of ", labels.ToMetricString(),
                                      " are not in order of time"));
      }
      if (request_.range.Contains(samples[i].t)) {
        row.floats.push_back(samples[i]);
      }
    }
    if (row.floats.empty()) return absl::OkStatus();
    bytes_ += sizeof(row) + labels.packed().size() +
              row.floats.capacity() * sizeof(Sample);
    if (!reservation_.GrowTo(bytes_)) {
      return ResourceExhausted(
          "a host's series need more memory than the "
          "query may have");
    }
    row.labels = labels;
    rows_.push_back(std::move(row));
    return absl::OkStatus();
  }

  absl::Status Sort() {
    std::sort(rows_.begin(), rows_.end(),
              [](const SeriesData& a, const SeriesData& b) {
                return a.labels < b.labels;
              });
    for (size_t i = 1; i < rows_.size(); ++i) {
      if (rows_[i].labels == rows_[i - 1].labels) {
        return InvalidArgument(StrCat(rows_[i].labels.ToMetricString(),
                                      " is there more than once"));
      }
    }
    return absl::OkStatus();
  }
  std::vector<SeriesData>& rows() { return rows_; }
  Reservation TakeReservation() { return std::move(reservation_); }

 private:
  const SourceRequest& request_;
  std::vector<SeriesData> rows_;
  Reservation reservation_;
  size_t bytes_ = 0;
};

absl::Status Ask(SeriesSource& source, const SourceRequest& request,
                 Collector& collector) {
  absl::Status status;
  try {
    status = source.Collect(request, collector);
  } catch (const std::exception& e) {
    status = Internal(e.what());
  } catch (...) {
    status = Internal("threw something");
  }
  if (status.ok()) status = collector.Sort();
  return status.ok() ? status : Annotate(status, "series of the host");
}

// Rows of the host, and those of the store between them.
class JoinedSet final : public SeriesSet {
 public:
  JoinedSet(std::vector<SeriesData> rows, Reservation reservation,
            std::unique_ptr<SeriesSet> stored, Symbols& symbols)
      : rows_(std::move(rows)),
        reservation_(std::move(reservation)),
        stored_(std::move(stored)) {
    labels_.reserve(rows_.size());
    for (const SeriesData& row : rows_) {
      std::vector<LabelPair>& pairs = labels_.emplace_back();
      for (const Label& label : row.labels) {
        pairs.push_back(
            {symbols.Intern(label.name), symbols.Intern(label.value)});
      }
    }
    Merge(symbols);
  }

  size_t size() const override { return order_.size(); }
  LabelRow labels(size_t i) const override {
    const Place place = order_[i];
    return place.stored ? stored_->labels(place.index)
                        : LabelRow(labels_[place.index]);
  }
  size_t samples_hint(size_t i) const override {
    const Place place = order_[i];
    return place.stored ? stored_->samples_hint(place.index)
                        : rows_[place.index].floats.size();
  }
  absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                    SampleColumns& out) const override {
    const Place place = order_[i];
    if (place.stored) return stored_->Read(place.index, range, ctx, out);
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    out.Clear();
    const std::vector<Sample>& floats = rows_[place.index].floats;
    NARTHEX_RETURN_IF_ERROR(out.Reserve(floats.size()));
    size_t n = 0;
    for (const Sample& sample : floats) {
      if (!range.Contains(sample.t)) continue;
      out.mutable_t()[n] = sample.t;
      out.mutable_v()[n++] = sample.v;
    }
    out.SetSize(n);
    return absl::OkStatus();
  }
  absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    const Place place = order_[i];
    if (place.stored) return stored_->ReadLatest(place.index, range, ctx, out);
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    const std::vector<Sample>& floats = rows_[place.index].floats;
    for (size_t k = floats.size(); k-- > 0;) {
      if (!range.Contains(floats[k].t)) continue;
      out = {floats[k].t, floats[k].v, false};
      return true;
    }
    return false;
  }

 private:
  struct Place {
    uint32_t index = 0;
    bool stored = false;
  };

  void Merge(const Symbols& symbols) {
    const size_t n = stored_ != nullptr ? stored_->size() : 0;
    order_.reserve(rows_.size() + n);
    size_t mine = 0, theirs = 0;
    while (mine < rows_.size() || theirs < n) {
      int order = mine == rows_.size() ? 1 : theirs == n ? -1 : 0;
      if (order == 0) {
        const std::strong_ordering by_labels =
            rows_[mine].labels <=> ToLabels(symbols, stored_->labels(theirs));
        order = by_labels < 0 ? -1 : by_labels > 0 ? 1 : 0;
      }
      if (order > 0) {
        order_.push_back({static_cast<uint32_t>(theirs++), true});
      } else {
        order_.push_back({static_cast<uint32_t>(mine++), false});
        if (order == 0) ++theirs;  // hidden by the host's
      }
    }
  }

  const std::vector<SeriesData> rows_;
  Reservation reservation_;
  std::vector<std::vector<LabelPair>> labels_;
  const std::unique_ptr<SeriesSet> stored_;
  std::vector<Place> order_;
};

class JoinedQuerier final : public Querier {
 public:
  JoinedQuerier(SeriesSource& source, TimeRange range,
                std::unique_ptr<Querier> stored)
      : source_(source), range_(range), stored_(std::move(stored)) {}

  // The store's symbols serve for both.
  Symbols& symbols() override { return stored_->symbols(); }

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(
      const SelectRequest& request, const ReadContext& ctx) override {
    const SourceRequest asked = {request.matchers, request.range};
    Collector collector(asked, ctx.budget);
    NARTHEX_RETURN_IF_ERROR(Ask(source_, asked, collector));
    SelectRequest sorted = request;
    sorted.sorted = true;  // for the merge
    sorted.limit = 0;
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<SeriesSet> stored,
                             stored_->Select(sorted, ctx));
    return std::make_unique<JoinedSet>(std::move(collector.rows()),
                                       collector.TakeReservation(),
                                       std::move(stored), symbols());
  }

  absl::StatusOr<std::vector<std::string>> LabelNames(
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext& ctx) override {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> stored,
                             stored_->LabelNames(matchers, 0, ctx));
    return With(stored, matchers, limit, ctx,
                [](const Labels& labels, auto&& add) {
                  for (const Label& label : labels) add(label.name);
                });
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const Matcher* const> matchers,
      size_t limit, const ReadContext& ctx) override {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> stored,
                             stored_->LabelValues(name, matchers, 0, ctx));
    return With(stored, matchers, limit, ctx,
                [name](const Labels& labels, auto&& add) {
                  if (labels.Has(name)) add(labels.Get(name));
                });
  }

  absl::StatusOr<std::vector<ExemplarSeries>> Exemplars(
      std::span<const Matchers> selectors, TimeRange range,
      const ReadContext& ctx) override {
    return stored_->Exemplars(selectors, range, ctx);
  }

  const Annotations& warnings() const override { return stored_->warnings(); }

 private:
  template <typename Each>
  absl::StatusOr<std::vector<std::string>> With(
      const std::vector<std::string>& stored,
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext& ctx, Each&& each) {
    const SourceRequest asked = {matchers, range_};
    Collector collector(asked, ctx.budget);
    NARTHEX_RETURN_IF_ERROR(Ask(source_, asked, collector));
    std::set<std::string, std::less<>> all(stored.begin(), stored.end());
    for (const SeriesData& row : collector.rows()) {
      each(row.labels, [&](std::string_view text) { all.emplace(text); });
    }
    std::vector<std::string> out(all.begin(), all.end());
    if (limit != 0 && out.size() > limit) out.resize(limit);
    return out;
  }

  SeriesSource& source_;
  const TimeRange range_;
  const std::unique_ptr<Querier> stored_;
};

class Joined final : public Queryable {
 public:
  Joined(SeriesSource& source, std::unique_ptr<Queryable> nothing,
         Queryable& store)
      : source_(source), nothing_(std::move(nothing)), store_(store) {}

  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(
      TimeRange range) override {
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Querier> stored,
                             store_.NewQuerier(range));
    return std::make_unique<JoinedQuerier>(source_, range, std::move(stored));
  }

 private:
  SeriesSource& source_;
  const std::unique_ptr<Queryable>
      nothing_;  // an empty store, if there is none
  Queryable& store_;
};

}  // namespace

std::unique_ptr<Queryable> NewVirtualQueryable(SeriesSource& source,
                                               Queryable* store) {
  if (store != nullptr) {
    return std::make_unique<Joined>(source, nullptr, *store);
  }
  std::unique_ptr<Queryable> nothing = NewMemoryQueryable({});
  Queryable& empty = *nothing;
  return std::make_unique<Joined>(source, std::move(nothing), empty);
}

}  // namespace narthex::promql
