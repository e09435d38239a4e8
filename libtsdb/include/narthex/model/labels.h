// A label set: pairs of name and value, sorted by the bytes of the names,
// without duplicates and without empty values, packed into one string.
//
// The packing is Prometheus's "stringlabels" (each text behind its length: one
// byte below 255, else 0xff and three bytes little endian), so that Hash() is
// the hash that Prometheus shows.  Values; a const Labels is safe from any
// thread; views stay valid as long as the Labels is not changed.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace narthex {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kBucketLabel = "le";

struct Label {
  std::string_view name = {};
  std::string_view value = {};
  friend bool operator==(const Label&, const Label&) = default;
};

class Labels {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Label;
    using difference_type = std::ptrdiff_t;
    using pointer = const Label*;
    using reference = const Label&;

    Iterator() = default;
    explicit Iterator(const char* p, const char* end) : p_(p), end_(end) {
      Decode();
    }
    reference operator*() const { return label_; }
    pointer operator->() const { return &label_; }
    Iterator& operator++() {
      p_ = next_;
      Decode();
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.p_ == b.p_;
    }

   private:
    static std::string_view Text(const char*& p) {
      size_t n = static_cast<unsigned char>(*p++);
      if (n == 255) {
        n = static_cast<unsigned char>(p[0]) |
            static_cast<size_t>(static_cast<unsigned char>(p[1])) << 8 |
            static_cast<size_t>(static_cast<unsigned char>(p[2])) << 16;
        p += 3;
      }
      std::string_view s(p, n);
      p += n;
      return s;
    }
    void Decode() {
      if (p_ == end_) return;
      const char* p = p_;
      label_.name = Text(p);
      label_.value = Text(p);
      next_ = p;
    }

    const char* p_ = nullptr;
    const char* end_ = nullptr;
    const char* next_ = nullptr;
    Label label_;
  };

  Labels() = default;
  // In any order; empty values are left out; of equal names the last wins.
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>>
             pairs);
  static Labels FromPairs(std::span<const Label> pairs);  // likewise
  // Trusted: sorted, unique, no empty values.  No check but in debug builds.
  static Labels FromSorted(std::span<const Label> pairs);

  Iterator begin() const {
    return Iterator(data_.data(), data_.data() + data_.size());
  }
  Iterator end() const {
    const char* end = data_.data() + data_.size();
    return Iterator(end, end);
  }
  size_t size() const;  // counts: linear
  bool empty() const { return data_.empty(); }
  // "" if there is no such label.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  std::string_view name() const { return Get(kMetricName); }

  // xxHash64 (seed 0) of packed().
  uint64_t Hash() const;
  std::string_view packed() const { return data_; }

  // `{__name__="up", job="x"}`, values with Go's quoting: Prometheus's
  // labels.Labels.String().  A name that is no identifier is quoted.
  std::string ToString() const;
  // `up{job="x"}`: how a series is written in PromQL results.
  std::string ToMetricString() const;

  // By sorted (name, value) pairs, bytewise; the shorter prefix first.
  friend std::strong_ordering operator<=>(const Labels& a, const Labels& b);
  friend bool operator==(const Labels& a, const Labels& b) {
    return a.data_ == b.data_;
  }

 private:
  friend class LabelsBuilder;
  friend class LabelsScratch;
  void AppendPacked(std::string_view name, std::string_view value);

  std::string data_;
};

// For hash tables keyed by Labels.
struct LabelsHash {
  size_t operator()(const Labels& labels) const { return labels.Hash(); }
};

// `[a-zA-Z_:][a-zA-Z0-9_:]*`
bool IsLegacyMetricName(std::string_view name);
// `[a-zA-Z_][a-zA-Z0-9_]*`
bool IsLegacyLabelName(std::string_view name);
bool IsValidUtf8(std::string_view text);
// Go's strconv.Quote.
std::string GoQuote(std::string_view text);
// Go's FormatFloat(v, 'g' or 'f' or 'e', -1, 64) with "NaN", "+Inf", "-Inf":
// the shortest digits that read back as `v`.
std::string FormatFloat(double v, char format = 'g');
// How the HTTP API and text results print a sample's value: 'f' without
// exponent.
inline std::string FormatValue(double v) { return FormatFloat(v, 'f'); }
// Go's strconv.ParseFloat(text, 64), whose texts users write: decimal, exponent,
// "inf", "+Infinity", "nan" in any case, hex floats, `_` not allowed.  False if
// it is no number; out of range gives +-Inf and true.
bool ParseGoFloat(std::string_view text, double& out);

}  // namespace narthex
