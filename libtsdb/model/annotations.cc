#include "narthex/model/annotations.h"

#include <algorithm>

#include "narthex/base/status.h"

namespace narthex {
namespace {

// " (line:column)", both from 1; columns are counted in bytes as Prometheus
// does.
std::string Position(std::string_view query, TextRange at) {
  const std::string_view before =
      query.substr(0, std::min<size_t>(at.begin, query.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t newline = before.rfind('\n');
  const size_t column = newline == std::string_view::npos
                            ? before.size() + 1
                            : before.size() - newline;
  return StrCat(" (", line, ":", column, ")");
}

}  // namespace

void Annotations::Add(Annotation annotation) {
  for (const Annotation& known : all_) {
    if (known.kind == annotation.kind && known.text == annotation.text) return;
  }
  all_.push_back(std::move(annotation));
}

void Annotations::Warn(std::string text, TextRange at) {
  Add({Annotation::Kind::kWarning, "PromQL warning: " + text, at});
}

void Annotations::Info(std::string text, TextRange at) {
  Add({Annotation::Kind::kInfo, "PromQL info: " + text, at});
}

void Annotations::Merge(const Annotations& other) {
  for (const Annotation& annotation : other.all_) Add(annotation);
}

std::vector<std::string> Annotations::Render(Annotation::Kind kind,
                                             std::string_view query,
                                             size_t limit) const {
  std::vector<std::string> out;
  size_t left_out = 0;
  for (const Annotation& annotation : all_) {
    if (annotation.kind != kind) continue;
    if (limit != 0 && out.size() == limit) {
      ++left_out;
      continue;
    }
    std::string text = annotation.text;
    if (!(annotation.at == TextRange()) && !query.empty()) {
      text += Position(query, annotation.at);
    }
    out.push_back(std::move(text));
  }
  if (left_out != 0) {
    out.push_back(StrCat(
        left_out,
        kind == Annotation::Kind::kWarning ? " more warning" : " more info",
        " annotations omitted"));
  }
  return out;
}

}  // namespace narthex
