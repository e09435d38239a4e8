#include "narthex/base/compress.h"

#include <catch2/catch.hpp>
#include <string>

namespace narthex {
namespace {

TEST_CASE("what was compressed comes back") {
  std::string data;
  for (int i = 0; i < 20000; ++i) data += std::to_string(i % 977);
  for (const Compression kind : {Compression::kNone, Compression::kSnappy,
                                 Compression::kZstd, Compression::kGzip}) {
    INFO(static_cast<int>(kind));
    for (const std::string& text : {data, std::string(), std::string("x")}) {
      std::string packed, back;
      Compress(kind, text, packed);
      REQUIRE(Decompress(kind, packed, text.size(), back).ok());
      CHECK(back == text);
      if (!text.empty()) {
        CHECK(Decompress(kind, packed, text.size() - 1, back).code() ==
              absl::StatusCode::kResourceExhausted);
      }
    }
  }
}

TEST_CASE("cut or spoiled data is refused, whatever it claims") {
  const std::string data(100000, 'a');
  for (const Compression kind :
       {Compression::kSnappy, Compression::kZstd, Compression::kGzip}) {
    INFO(static_cast<int>(kind));
    std::string packed, back;
    Compress(kind, data, packed);
    for (size_t n = 0; n < packed.size(); n += 1 + packed.size() / 100) {
      const std::string_view cut = std::string_view(packed).substr(0, n);
      CHECK(!Decompress(kind, cut, data.size(), back).ok());
    }
  }
  std::string back;
  // A snappy header that says 4 GiB, and nothing behind it.
  CHECK(Decompress(Compression::kSnappy, "\xff\xff\xff\xff\x0f",
                   size_t{1} << 40, back)
            .code() == absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace narthex
