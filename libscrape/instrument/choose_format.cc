#include <string>

#include "narthex/base/status.h"
#include "narthex/instrument/metric_family.h"
#include "narthex/model/labels.h"

namespace narthex::instrument {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// What stands before `separator`; `rest` is what stands behind it.
std::string_view Next(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest =
      end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return Trim(part);
}

// One of the types that an Accept header lists.
struct Wish {
  std::string_view type = {};
  std::string_view version = {};
  std::string_view proto = {};
  std::string_view encoding = {};
  double weight = 1;
};

Wish ReadWish(std::string_view text) {
  Wish wish;
  wish.type = Next(text, ';');
  while (!text.empty()) {
    std::string_view value = Next(text, ';');
    const std::string_view name = Next(value, '=');
    if (name == "version") wish.version = value;
    if (name == "proto") wish.proto = value;
    if (name == "encoding") wish.encoding = value;
    if (name == "q" && !ParseGoFloat(value, wish.weight)) wish.weight = 0;
  }
  return wish;
}

bool Fits(const Wish& wish, Format& format) {
  if (wish.type == "application/vnd.google.protobuf") {
    format = Format::kProtobuf;
    return wish.proto == "io.prometheus.client.MetricFamily" &&
           wish.encoding == "delimited";
  }
  if (wish.type == "application/openmetrics-text") {
    format = Format::kOpenMetrics;
    return wish.version.empty() || wish.version == "1.0.0" ||
           wish.version == "0.0.1";
  }
  format = Format::kText;
  return wish.type == "text/plain" || wish.type == "text/*" ||
         wish.type == "*/*";
}

}  // namespace

Format ChooseFormat(std::string_view accept) {
  Format best = Format::kText;
  double best_weight = 0;
  while (!accept.empty()) {
    const Wish wish = ReadWish(Next(accept, ','));
    Format format = Format::kText;
    if (!Fits(wish, format) || !(wish.weight > best_weight)) continue;
    best = format;
    best_weight = wish.weight;
  }
  return best;
}

std::string_view ContentType(Format format) {
  switch (format) {
    case Format::kOpenMetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case Format::kProtobuf:
      return "application/vnd.google.protobuf; "
             "proto=io.prometheus.client.MetricFamily; encoding=delimited";
    case Format::kText:
      break;
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace narthex::instrument
