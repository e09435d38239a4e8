#include "libscrape/exposition/scan.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <cstdio>
#include <random>
#include <string>

namespace narthex::scrape {
namespace {

TEST_CASE("scanning stops where a name, a label or a quoted text stops",
          "[scrape][exposition]") {
  for (size_t length = 0; length < 70; ++length) {
    const std::string name(length, 'z');
    const std::string page = name + "{";
    const char* const end = page.data() + page.size();
    REQUIRE(SkipName(page.data(), end) == page.data() + length);
    REQUIRE(SkipLabel(page.data(), end) == page.data() + length);
    const std::string quoted = name + "\"";
    bool ascii = true;
    REQUIRE(FindQuoteOrBackslash(quoted.data(), quoted.data() + quoted.size(),
                                 ascii) == quoted.data() + length);
    REQUIRE(ascii);
  }
}

TEST_CASE("every byte is classed as the grammar has it",
          "[scrape][exposition]") {
  for (int c = 0; c < 256; ++c) {
    const bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (c >= '0' && c <= '9') || c == '_' || c == ':';
    // Long enough for the wide loop.
    const std::string page(20, static_cast<char>(c));
    const char* const end = page.data() + page.size();
    REQUIRE((SkipName(page.data(), end) == end) == name);
  }
}

TEST_CASE("a byte above 127 in a quoted text is seen", "[scrape][exposition]") {
  for (size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    text[at] = '\xc3';
    text += '"';
    bool ascii = true;
    FindQuoteOrBackslash(text.data(), text.data() + text.size(), ascii);
    REQUIRE_FALSE(ascii);
    REQUIRE_FALSE(IsAscii(text));
  }
}

TEST_CASE("a line ends at its line end, plain or not", "[scrape][exposition]") {
  for (size_t length = 0; length < 70; ++length) {
    std::string page = std::string(length, 'z') + "\nrest \\ \xc3";
    const char* end = page.data() + length + 2;
    bool plain = true;
    REQUIRE(FindLineEnd(page.data(), end, plain) == page.data() + length);
    REQUIRE(plain);
    bool ascii = true;
    REQUIRE(FindQuoteBackslashOrLineEnd(page.data(), end, ascii) ==
            page.data() + length);
    REQUIRE(FindLineEnd(page.data(), page.data() + length, plain) ==
            page.data() + length);
    for (const char odd : {'\\', '\xc3'}) {
      for (size_t at = 0; at < length; ++at) {
        page[at] = odd;
        plain = true;
        (void)FindLineEnd(page.data(), end, plain);
        REQUIRE_FALSE(plain);
        page[at] = 'z';
      }
    }
  }
}

TEST_CASE("a beginning is compared to its last byte", "[scrape][exposition]") {
  for (size_t length = 1; length < 50; ++length) {
    for (const size_t behind : {size_t{0}, size_t{1}, size_t{20}}) {
      std::string page =
          std::string(2 * length, 'z') + std::string(behind, 'y');
      const std::string_view text = std::string_view(page).substr(0, length);
      const char* const p = page.data() + length;
      const char* const end = page.data() + page.size();
      REQUIRE(StartsWith(p, end, text));
      REQUIRE_FALSE(StartsWith(p + behind + 1, end, text));
      for (size_t at = 0; at < length; ++at) {
        page[length + at] = 'x';
        REQUIRE_FALSE(StartsWith(p, end, text));
        page[length + at] = 'z';
      }
    }
  }
}

bool ParsesLikeTheLibrary(const std::string& text) {
  double fast = 0;
  const char* const end = text.data() + text.size();
  if (ParseShortDecimal(text.data(), end, fast) != end) return true;
  double exact = 0;
  const auto [p, error] = std::from_chars(text.data(), end, exact);
  return error == std::errc() && p == end &&
         std::bit_cast<uint64_t>(fast) == std::bit_cast<uint64_t>(exact);
}

TEST_CASE("short decimals are read to the last bit", "[scrape][exposition]") {
  for (const char* text : {"0",
                           "-0",
                           "1",
                           "12",
                           "123",
                           "1.5",
                           "-2.25",
                           "1e3",
                           "1E-3",
                           "1e+22",
                           "9007199254740992",
                           "9007199254740993",
                           "0.1",
                           "123456.789",
                           "4.9406564584124654e-324",
                           "1.7976931348623157e308",
                           "00012",
                           ".5",
                           "5.",
                           "1e22",
                           "1e23",
                           "9007199254740991e22"}) {
    INFO(text);
    REQUIRE(ParsesLikeTheLibrary(text));
  }
  for (const char* text :
       {"", "-", ".", "e5", "1e", "1e+", "+1", "abc", "--1"}) {
    INFO(text);
    double v = 0;
    const std::string s(text);
    REQUIRE(ParseShortDecimal(s.data(), s.data() + s.size(), v) == nullptr);
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    char text[64];
    const double v = std::bit_cast<double>(random());
    std::snprintf(text, sizeof(text), "%.*g", static_cast<int>(i % 17) + 1, v);
    INFO(text);
    REQUIRE(ParsesLikeTheLibrary(text));
    std::snprintf(text, sizeof(text), "%.*f", i % 9,
                  static_cast<double>(random() % 100'000'000) / 1000.0);
    INFO(text);
    REQUIRE(ParsesLikeTheLibrary(text));
  }
}

}  // namespace
}  // namespace narthex::scrape
