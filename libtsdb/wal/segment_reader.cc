#include <algorithm>

#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

constexpr size_t kWindow = 32 * kPageSize;
// What one record may unpack to; Prometheus writes a few MiB at the very most.
constexpr size_t kMaxRecord = size_t{1} << 30;

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentReader>> SegmentReader::Open(
    Env& env, SegmentFile file) {
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> in,
                           env.OpenRandomAccess(file.path));
  return std::unique_ptr<SegmentReader>(
      new SegmentReader(std::move(file), std::move(in)));
}

std::string_view SegmentReader::Available(uint64_t at, size_t need) {
  const uint64_t page_end = at / kPageSize * kPageSize + kPageSize;
  const auto at_hand = [&]() -> std::string_view {
    if (at < window_at_ || at >= window_at_ + window_size_) return {};
    const auto begin = static_cast<size_t>(at - window_at_);
    return {window_.get() + begin,
            std::min(static_cast<size_t>(page_end - at), window_size_ - begin)};
  };
  std::string_view bytes = at_hand();
  if (bytes.size() >= need || !status_.ok()) return bytes;
  if (window_ == nullptr) {
    window_ = std::make_unique_for_overwrite<char[]>(kWindow);
  }
  window_at_ = page_end - kPageSize;
  absl::StatusOr<size_t> n = in_->Read(window_at_, kWindow, window_.get());
  if (!n.ok()) status_ = std::move(n).status();
  window_size_ = n.ok() ? *n : 0;
  return at_hand();
}

SegmentReader::Step SegmentReader::Torn(uint64_t from, std::string_view what) {
  damage_ = {file_.path,
             file_.number,
             from,
             /*torn=*/true,
             /*records_follow=*/false,
             std::string(what)};
  return Step::kTorn;
}

SegmentReader::Step SegmentReader::Corrupt(uint64_t from,
                                           std::string_view what) {
  damage_ = {file_.path,
             file_.number,
             from,
             /*torn=*/false,
             /*records_follow=*/false,
             std::string(what)};
  done_ = true;
  return Step::kCorrupt;
}

SegmentReader::Step SegmentReader::Next() {
  if (done_) return Step::kEnd;
  at_end_ = false;
  joined_.clear();
  size_t fragments = 0;
  uint64_t pos = at_;
  uint64_t begin = at_;
  const auto ends_here = [&](uint64_t resume) {
    if (!status_.ok()) {
      done_ = true;
      return Step::kError;
    }
    at_end_ = true;
    if (fragments == 0 && resume == begin) return Step::kEnd;
    return Torn(begin, "record is cut off by the end of the file");
  };
  while (true) {
    const size_t page_left = kPageSize - static_cast<size_t>(pos % kPageSize);
    if (page_left < kHeaderSize) {  // too short for anything but zeros
      const std::string_view rest = Available(pos, page_left);
      if (rest.find_first_not_of('\0') != std::string_view::npos) {
        return Corrupt(begin, "page padding is not zero");
      }
      if (rest.size() < page_left) return ends_here(pos);
      pos += page_left;
      if (fragments == 0) at_ = begin = pos;
      continue;
    }
    std::string_view bytes = Available(pos, 1);
    if (bytes.empty()) return ends_here(pos);
    const auto type = static_cast<uint8_t>(bytes[0]);
    if ((type & kFragmentMask) == 0) {  // zeros up to the end of the page
      bytes = Available(pos, page_left);
      if (bytes.find_first_not_of('\0') != std::string_view::npos) {
        return Corrupt(begin, "page padding is not zero");
      }
      if (bytes.size() < page_left) return ends_here(pos);
      pos += page_left;
      at_ = pos;
      // A record that goes on would have used the room.
      if (fragments != 0) return Torn(begin, "record was never finished");
      begin = pos;
      continue;
    }
    if ((type & ~kKnownBits) != 0 ||
        (type & kFragmentMask) > static_cast<uint8_t>(Fragment::kLast) ||
        (type & (kSnappyFlag | kZstdFlag)) == (kSnappyFlag | kZstdFlag)) {
      return Corrupt(begin, StrCat("unknown fragment type ", int{type}));
    }
    bytes = Available(pos, kHeaderSize);
    if (bytes.size() < kHeaderSize) return ends_here(pos + 1);
    const size_t length = LoadBE16(bytes.data() + 1);
    const uint32_t crc = LoadBE32(bytes.data() + 3);
    if (length > page_left - kHeaderSize) {
      return Corrupt(begin,
                     StrCat("fragment of ", length, " bytes crosses its page"));
    }
    bytes = Available(pos, kHeaderSize + length);
    if (bytes.size() < kHeaderSize + length) return ends_here(pos + 1);
    const std::string_view payload = bytes.substr(kHeaderSize, length);
    if (Crc32c(payload) != crc) return Corrupt(begin, "checksum mismatch");
    const auto fragment = static_cast<Fragment>(type & kFragmentMask);
    const bool begins =
        fragment == Fragment::kFull || fragment == Fragment::kFirst;
    if (begins && fragments != 0) {
      at_ = pos;
      return Torn(begin, "record was never finished");
    }
    if (!begins && fragments == 0) {
      return Corrupt(begin, "fragment without a beginning");
    }
    // Nobody writes one, but a lone type byte before zeros looks like it.
    if (!begins && length == 0) {
      return Corrupt(begin, "empty fragment within a record");
    }
    ++fragments;
    pos += kHeaderSize + length;
    if (fragment == Fragment::kFull) {
      packed_ = payload;
    } else {
      joined_ += payload;
      if (fragment != Fragment::kLast) continue;
      packed_ = joined_;
    }
    flags_ = type & (kSnappyFlag | kZstdFlag);
    record_offset_ = begin;
    at_ = pos;
    return Step::kRecord;
  }
}

absl::StatusOr<std::string_view> Unpack(std::string_view packed, uint8_t flags,
                                        std::string& scratch) {
  if (flags == 0) return packed;
  const Compression kind =
      (flags & kSnappyFlag) != 0 ? Compression::kSnappy : Compression::kZstd;
  NARTHEX_RETURN_IF_ERROR(Decompress(kind, packed, kMaxRecord, scratch));
  return std::string_view(scratch);
}

uint8_t PeekType(std::string_view packed, uint8_t flags) {
  if (flags == 0) {
    return packed.empty() ? 0 : static_cast<uint8_t>(packed[0]);
  }
  if ((flags & kSnappyFlag) == 0) return 0;
  // A snappy block: its length, then a literal (nothing to copy from as yet),
  // whose own length takes up to four bytes more.
  ByteReader r(packed);
  r.Uvarint();
  const uint8_t tag = r.U8();
  if ((tag & 3) != 0) return 0;
  const size_t code = tag >> 2;
  if (code >= 60) r.Skip(code - 59);
  return r.U8();
}

}  // namespace narthex::tsdb::wal
