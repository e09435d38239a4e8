// Warnings and infos that travel beside a result.  Two of the same text are
// one; the first one's position stays.
//
// Values; one thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace narthex {

// Bytes of the query's text, half open; {0, 0}: no position.
struct TextRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  friend bool operator==(TextRange, TextRange) = default;
};

struct Annotation {
  enum class Kind : uint8_t { kWarning, kInfo };
  Kind kind = Kind::kWarning;
  // With its prefix: "PromQL warning: ...".
  std::string text = {};
  TextRange at = {};
};

class Annotations {
 public:
  void Add(Annotation annotation);
  void Warn(std::string text, TextRange at = {});  // without prefix
  void Info(std::string text, TextRange at = {});
  void Merge(const Annotations& other);

  bool empty() const { return all_.empty(); }
  const std::vector<Annotation>& all() const { return all_; }
  // Texts with " (line:col)" where the position is known, at most `limit` of
  // the kind (0: all), then one line that says how many more there are, as
  // Prometheus's AsStrings does.
  std::vector<std::string> Render(Annotation::Kind kind, std::string_view query,
                                  size_t limit = 0) const;

 private:
  std::vector<Annotation> all_;
};

}  // namespace narthex
