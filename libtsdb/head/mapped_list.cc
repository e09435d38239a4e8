#include "libtsdb/head/mapped_list.h"

#include <cstring>

#include "narthex/base/coding.h"

namespace narthex::tsdb {
namespace {

uint64_t Unsigned(int64_t x) { return static_cast<uint64_t>(x); }

}  // namespace

MappedHead ReadMappedHead(std::string_view list) {
  MappedHead head;
  if (list.size() >= sizeof(head)) {
    std::memcpy(&head, list.data(), sizeof(head));
  }
  return head;
}

size_t PackMapped(const MappedChunk& chunk, MappedHead& head, char* out) {
  char* p = out;
  // Differences wrap, as the reader's sums do.
  p = StoreVarint(
      p, static_cast<int64_t>(Unsigned(chunk.min_t) - Unsigned(head.last_max)));
  p = StoreUvarint(p, Unsigned(chunk.max_t) - Unsigned(chunk.min_t));
  p = StoreVarint(p, static_cast<int64_t>(chunk.ref - head.last_ref));
  p = StoreUvarint(p, chunk.samples);
  const size_t size = static_cast<size_t>(p - out);
  if (head.bytes == 0) head.bytes = sizeof(MappedHead);
  head.bytes += static_cast<uint32_t>(size);
  ++head.count;
  head.last_max = chunk.max_t;
  head.last_ref = chunk.ref;
  return size;
}

void UnpackMapped(std::string_view list, std::vector<MappedChunk>& out) {
  const MappedHead head = ReadMappedHead(list);
  if (head.count == 0) return;
  ByteReader in(list.substr(sizeof(head), head.bytes - sizeof(head)));
  MappedChunk chunk;
  for (uint32_t i = 0; i < head.count; ++i) {
    chunk.min_t =
        static_cast<int64_t>(Unsigned(chunk.max_t) + Unsigned(in.Varint()));
    chunk.max_t = static_cast<int64_t>(Unsigned(chunk.min_t) + in.Uvarint());
    chunk.ref += Unsigned(in.Varint());
    chunk.samples = in.Uvarint32();
    out.push_back(chunk);
  }
}

}  // namespace narthex::tsdb
