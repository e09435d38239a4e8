#include <catch2/catch.hpp>

#include "narthex/base/status.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {
namespace {

TEST_CASE("Accept is what Prometheus sends", "[scrape][exposition]") {
  REQUIRE(AcceptHeader(DefaultScrapeProtocols(), NameEscaping::kAllowUtf8) ==
          "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0."
          "6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;"
          "version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q="
          "0.3,*/*;q=0.2");
  REQUIRE(AcceptHeader({ScrapeProtocol::kPrometheusText004},
                       NameEscaping::kUnderscores) ==
          "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
}

TEST_CASE("Accept asks for protobuf first where histograms are wanted",
          "[scrape][exposition]") {
  REQUIRE(
      AcceptHeader(ProtobufFirstScrapeProtocols(), NameEscaping::kDots) ==
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
      "encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;"
      "escaping=dots;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
      "text/plain;version=1.0.0;escaping=dots;q=0.3,text/plain;version=0.0.4;"
      "q=0.2,*/*;q=0.1");
  REQUIRE(*NegotiateFormat(
              "application/vnd.google.protobuf; "
              "proto=io.prometheus.client.MetricFamily; encoding=delimited") ==
          PageFormat::kProtobuf);
  REQUIRE(*NegotiateFormat("", ScrapeProtocol::kPrometheusProto) ==
          PageFormat::kProtobuf);
  for (std::string_view name :
       {"allow-utf-8", "underscores", "dots", "values"}) {
    REQUIRE(NameEscapingName(*ParseNameEscaping(name)) == name);
  }
  REQUIRE_FALSE(ParseNameEscaping("").ok());
}

TEST_CASE("a Content-Type names a format, or the fallback does",
          "[scrape][exposition]") {
  REQUIRE(*NegotiateFormat("text/plain") == PageFormat::kText);
  REQUIRE(*NegotiateFormat("text/plain; version=0.0.4; charset=utf-8") ==
          PageFormat::kText);
  REQUIRE(*NegotiateFormat("Text/Plain;") == PageFormat::kText);
  REQUIRE(*NegotiateFormat("application/openmetrics-text; version=\"1.0.0\"") ==
          PageFormat::kOpenMetrics);

  const auto error = [](std::string_view type) {
    return std::string(Message(NegotiateFormat(type).status()));
  };
  REQUIRE(error("") ==
          "non-compliant scrape target sending blank Content-Type and no "
          "fallback_scrape_protocol specified for target");
  REQUIRE(error("text/html") ==
          "received unsupported Content-Type \"text/html\" and no "
          "fallback_scrape_protocol specified for target");
  REQUIRE(error("text/plain; charset").find("cannot parse Content-Type") == 0);
  REQUIRE(error("counter 1").find("cannot parse Content-Type") == 0);

  REQUIRE(*NegotiateFormat("text/html", ScrapeProtocol::kPrometheusText004) ==
          PageFormat::kText);
  REQUIRE(*NegotiateFormat("", ScrapeProtocol::kOpenMetricsText100) ==
          PageFormat::kOpenMetrics);
}

TEST_CASE("protocols have Prometheus's names", "[scrape][exposition]") {
  for (ScrapeProtocol protocol : DefaultScrapeProtocols()) {
    REQUIRE(*ParseScrapeProtocol(ScrapeProtocolName(protocol)) == protocol);
  }
  REQUIRE_FALSE(ParseScrapeProtocol("prometheustext0.0.4").ok());
}

}  // namespace
}  // namespace narthex::scrape
