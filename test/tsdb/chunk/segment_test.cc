#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "libtsdb/chunk/segment.h"
#include "narthex/base/env.h"

namespace narthex::tsdb {
namespace {

EncodedChunk Chunk(const std::string& bytes) {
  return {.encoding = ChunkEncoding::kXor, .bytes = bytes};
}

struct SegmentLab {
  std::unique_ptr<Env> env = NewMemEnv();

  std::vector<ChunkRef> Write(
      const std::vector<std::vector<std::string>>& series,
      uint64_t segment_size = kDefaultSegmentSize) {
    auto writer = SegmentWriter::Create(*env, "b/chunks", segment_size);
    REQUIRE(writer.ok());
    std::vector<ChunkRef> all;
    for (const auto& texts : series) {
      std::vector<EncodedChunk> chunks;
      for (const std::string& text : texts) chunks.push_back(Chunk(text));
      std::vector<ChunkRef> refs(chunks.size());
      REQUIRE((*writer)->Write(chunks, refs).ok());
      all.insert(all.end(), refs.begin(), refs.end());
    }
    REQUIRE((*writer)->Finish().ok());
    return all;
  }
};

}  // namespace

TEST_CASE_METHOD(SegmentLab, "a segment has the bytes that Prometheus writes") {
  const std::vector<ChunkRef> refs = Write({{"ab"}});
  REQUIRE(refs == std::vector<ChunkRef>{8});
  const auto bytes = env->ReadFile("b/chunks/000001");
  REQUIRE(bytes.ok());
  // Magic, version 1, padding; length 2, encoding 1, data, CRC-32C of the last
  // three bytes.
  REQUIRE(bytes->substr(0, 12) ==
          std::string("\x85\xbd\x40\xdd\x01\0\0\0\x02\x01"
                      "ab",
                      12));
  REQUIRE(bytes->size() == 16);
}

TEST_CASE_METHOD(SegmentLab, "chunks come back by their references") {
  const std::vector<ChunkRef> refs =
      Write({{"one", "two"}, {std::string(300, 'x')}, {}, {"four"}});
  auto reader = SegmentReader::Open(*env, "b/chunks");
  REQUIRE(reader.ok());
  const std::vector<std::string> want = {"one", "two", std::string(300, 'x'),
                                         "four"};
  for (size_t i = 0; i < want.size(); ++i) {
    auto chunk = (*reader)->Read(refs[i]);
    REQUIRE(chunk.ok());
    REQUIRE(chunk->bytes == want[i]);
    REQUIRE(chunk->encoding == ChunkEncoding::kXor);
  }
}

TEST_CASE_METHOD(SegmentLab, "a full segment is followed by the next one") {
  // Each chunk counts 5 + 1 + 50 + 4 bytes; 128 hold two of them.
  const std::string text(50, 'y');
  SECTION("one series' chunks spread when they must") {
    const auto refs = Write({{text, text, text, text, text}}, 128);
    REQUIRE(refs[1] >> 32 == 0);
    REQUIRE(refs[2] == (uint64_t{1} << 32 | 8));
    REQUIRE(refs[4] == (uint64_t{2} << 32 | 8));
  }
  SECTION("what does not fit behind another series begins a file") {
    const auto refs = Write({{text}, {text, text}}, 128);
    REQUIRE(refs[0] == 8);
    REQUIRE(refs[1] >> 32 == 0);
    REQUIRE(refs[2] >> 32 == 1);
  }
  SECTION("references count places, not names") {
    const auto refs = Write({{text, text, text}}, 128);
    REQUIRE(env->Rename("b/chunks/000002", "b/chunks/000007").ok());
    auto reader = SegmentReader::Open(*env, "b/chunks");
    REQUIRE(reader.ok());
    REQUIRE((*reader)->Read(refs[2]).ok());
  }
}

TEST_CASE_METHOD(SegmentLab, "damage in a segment names file and offset") {
  const auto refs = Write({{"abcdef"}, {"ghijkl"}});
  auto bytes = env->ReadFile("b/chunks/000001");
  REQUIRE(bytes.ok());
  SECTION("a flipped bit of a chunk") {
    (*bytes)[refs[1] + 3] ^= 1;
    REQUIRE(env->WriteFileAtomically("b/chunks/000001", *bytes).ok());
    auto reader = SegmentReader::Open(*env, "b/chunks");
    REQUIRE(reader.ok());
    REQUIRE((*reader)->Read(refs[0]).ok());
    const auto chunk = (*reader)->Read(refs[1]);
    REQUIRE(absl::IsDataLoss(chunk.status()));
    REQUIRE_THAT(std::string(chunk.status().message()),
                 Catch::Contains("b/chunks/000001:20"));
  }
  SECTION("a bad magic") {
    (*bytes)[0] = 0;
    REQUIRE(env->WriteFileAtomically("b/chunks/000001", *bytes).ok());
    REQUIRE(absl::IsDataLoss(SegmentReader::Open(*env, "b/chunks").status()));
  }
  SECTION("a file cut anywhere, a reference to anywhere") {
    for (size_t n = 8; n < bytes->size(); ++n) {
      REQUIRE(env->WriteFileAtomically("b/chunks/000001", bytes->substr(0, n))
                  .ok());
      auto reader = SegmentReader::Open(*env, "b/chunks");
      REQUIRE(reader.ok());
      REQUIRE(absl::IsDataLoss((*reader)->Read(refs[1]).status()));
    }
    REQUIRE(env->WriteFileAtomically("b/chunks/000001", *bytes).ok());
    auto reader = SegmentReader::Open(*env, "b/chunks");
    REQUIRE(reader.ok());
    for (uint64_t ref : {uint64_t{0}, uint64_t{9}, uint64_t{4000},
                         uint64_t{1} << 32, ~uint64_t{0}}) {
      REQUIRE(absl::IsDataLoss((*reader)->Read(ref).status()));
    }
  }
}

}  // namespace narthex::tsdb
