// Which format to ask for, and which one came: Accept and Content-Type.

#include <algorithm>

#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {
namespace {

struct Protocol {
  ScrapeProtocol protocol;
  std::string_view name;
  std::string_view media_type;
  bool escaping;  // may be asked how to escape names
  PageFormat format;
};

constexpr Protocol kProtocols[] = {
    {ScrapeProtocol::kPrometheusProto, "PrometheusProto",
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
     "encoding=delimited",
     false, PageFormat::kProtobuf},
    {ScrapeProtocol::kPrometheusText004, "PrometheusText0.0.4",
     "text/plain;version=0.0.4", false, PageFormat::kText},
    {ScrapeProtocol::kPrometheusText100, "PrometheusText1.0.0",
     "text/plain;version=1.0.0", true, PageFormat::kText},
    {ScrapeProtocol::kOpenMetricsText001, "OpenMetricsText0.0.1",
     "application/openmetrics-text;version=0.0.1", false,
     PageFormat::kOpenMetrics},
    {ScrapeProtocol::kOpenMetricsText100, "OpenMetricsText1.0.0",
     "application/openmetrics-text;version=1.0.0", true,
     PageFormat::kOpenMetrics},
};

constexpr std::string_view kEscapings[] = {"allow-utf-8", "underscores", "dots",
                                           "values"};

const Protocol& Find(ScrapeProtocol protocol) {
  return *std::find_if(
      std::begin(kProtocols), std::end(kProtocols),
      [&](const Protocol& p) { return p.protocol == protocol; });
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?=").find(c) ==
               std::string_view::npos;
  });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Past one `;name=value` of a media type; false if it is malformed.
bool TakeParameter(std::string_view& rest) {
  rest.remove_prefix(1);
  rest = Trim(rest);
  if (rest.empty()) return true;  // a trailing semicolon
  const size_t equal = rest.find('=');
  if (equal == std::string_view::npos ||
      !IsToken(Trim(rest.substr(0, equal)))) {
    return false;
  }
  rest.remove_prefix(equal + 1);
  size_t end = 0;
  if (!rest.empty() && rest[0] == '"') {
    end = 1;
    while (end < rest.size() && rest[end] != '"') {
      end += rest[end] == '\\' ? 2 : 1;
    }
    if (end >= rest.size()) return false;
    ++end;
  } else {
    end = std::min(rest.find(';'), rest.size());
    if (!IsToken(Trim(rest.substr(0, end)))) return false;
  }
  rest = Trim(rest.substr(end));
  return rest.empty() || rest[0] == ';';
}

// The type without its parameters, in lower case; empty if malformed.
std::string MediaType(std::string_view content_type) {
  const size_t semicolon = content_type.find(';');
  const std::string media = AsciiLower(Trim(content_type.substr(0, semicolon)));
  const size_t slash = media.find('/');
  if (slash == std::string::npos ||
      !IsToken(std::string_view(media).substr(0, slash)) ||
      !IsToken(std::string_view(media).substr(slash + 1))) {
    return {};
  }
  if (semicolon == std::string_view::npos) return media;
  std::string_view rest = content_type.substr(semicolon);
  while (!rest.empty()) {
    if (!TakeParameter(rest)) return {};
  }
  return media;
}

}  // namespace

absl::StatusOr<ScrapeProtocol> ParseScrapeProtocol(std::string_view text) {
  for (const Protocol& p : kProtocols) {
    if (p.name == text) return p.protocol;
  }
  return InvalidArgument(
      StrCat("unknown scrape protocol ", text,
             ", supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 "
             "PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]"));
}

std::string_view ScrapeProtocolName(ScrapeProtocol protocol) {
  return Find(protocol).name;
}

std::vector<ScrapeProtocol> DefaultScrapeProtocols() {
  return {
      ScrapeProtocol::kOpenMetricsText100, ScrapeProtocol::kOpenMetricsText001,
      ScrapeProtocol::kPrometheusText100, ScrapeProtocol::kPrometheusText004};
}

std::vector<ScrapeProtocol> ProtobufFirstScrapeProtocols() {
  std::vector<ScrapeProtocol> protocols = DefaultScrapeProtocols();
  protocols.insert(protocols.begin(), ScrapeProtocol::kPrometheusProto);
  return protocols;
}

absl::StatusOr<NameEscaping> ParseNameEscaping(std::string_view text) {
  for (size_t i = 0; i < std::size(kEscapings); ++i) {
    if (kEscapings[i] == text) return static_cast<NameEscaping>(i);
  }
  return InvalidArgument(
      StrCat("must be one of 'allow-utf-8', 'underscores', 'dots', or "
             "'values', got ",
             GoQuote(text)));
}

std::string_view NameEscapingName(NameEscaping escaping) {
  return kEscapings[static_cast<size_t>(escaping)];
}

std::string AcceptHeader(const std::vector<ScrapeProtocol>& protocols,
                         NameEscaping escaping) {
  std::string header;
  size_t weight = std::size(kProtocols) + 1;
  for (ScrapeProtocol protocol : protocols) {
    const Protocol& p = Find(protocol);
    StrAppend(&header, p.media_type);
    if (p.escaping) {
      StrAppend(&header, ";escaping=", NameEscapingName(escaping));
    }
    StrAppend(&header, ";q=0.", weight, ",");
    --weight;
  }
  StrAppend(&header, "*/*;q=0.", weight);
  return header;
}

absl::StatusOr<PageFormat> NegotiateFormat(
    std::string_view content_type, std::optional<ScrapeProtocol> fallback) {
  const std::string media = MediaType(content_type);
  if (media == "text/plain") return PageFormat::kText;
  if (media == "application/openmetrics-text") return PageFormat::kOpenMetrics;
  if (media == "application/vnd.google.protobuf") return PageFormat::kProtobuf;
  if (fallback.has_value()) return Find(*fallback).format;
  if (content_type.empty()) {
    return InvalidArgument(
        "non-compliant scrape target sending blank Content-Type and no "
        "fallback_scrape_protocol specified for target");
  }
  if (media.empty()) {
    return InvalidArgument(
        StrCat("cannot parse Content-Type ", GoQuote(content_type),
               " and no fallback_scrape_protocol for target"));
  }
  return InvalidArgument(
      StrCat("received unsupported Content-Type ", GoQuote(content_type),
             " and no fallback_scrape_protocol specified for target"));
}

}  // namespace narthex::scrape
