// Reads a whole index file with distrust: every byte is looked at, every
// damage named with its offset, and what is whole is handed out even if the
// sections that only help to find things are not.
//
// A function; any thread.  Takes some times the file's size of memory.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libtsdb/index/format.h"
#include "libtsdb/index/index_reader.h"
#include "libtsdb/index/postings.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

struct ScannedSeries {
  uint64_t offset = 0;                 // of the entry
  std::vector<LabelPair> labels = {};  // numbers of symbols
  std::vector<ChunkMeta> chunks = {};
  // The entry is damaged: its labels are those of the postings lists that have
  // it, its chunks are not known.
  bool chunks_lost = false;
};

struct ScannedIndex {
  struct Damage {
    uint64_t offset = 0;
    std::string what = {};
  };
  std::vector<std::string_view> symbols = {};  // in the bytes
  std::vector<ScannedSeries> series = {};      // ascending by offset
  std::vector<Damage> damages = {};
  // false: the text of labels can't be trusted, or not be had.
  bool symbols_whole = false;
  uint8_t version = 0;

  // What postings and tombstones call it.
  SeriesId IdOf(const ScannedSeries& one) const {
    return static_cast<SeriesId>(
        version == kIndexV1 ? one.offset : one.offset / kSeriesAlign);
  }
  // Are the labels of `a` less than those of `b`?
  static bool Before(const ScannedSeries& a, const ScannedSeries& b);
};

ScannedIndex ScanIndex(std::string_view bytes);

}  // namespace narthex::tsdb
