#include "libtsdb/wal/salvage.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "libtsdb/wal/format.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

// Picks the whole records out of a segment.  Behind a damaged fragment it goes
// on where the next one should begin, or else with the next page.
class Picker {
 public:
  explicit Picker(std::string_view bytes) : bytes_(bytes) {}

  void Run() {
    for (uint64_t page = 0; page < bytes_.size(); page += kPageSize) {
      Page(bytes_.substr(page, kPageSize));
    }
  }
  bool damaged() const { return damaged_; }
  uint64_t records() const { return records_; }
  // The whole ones, framed.
  const std::string& out() const { return out_; }

 private:
  struct Piece {
    uint8_t type = 0;
    std::string_view payload;
  };
  // Empty: there is none at `at` that is whole.
  static std::optional<Piece> PieceAt(std::string_view page, size_t at) {
    if (at + kHeaderSize > page.size()) return std::nullopt;
    const size_t length = LoadBE16(page.data() + at + 1);
    if (length > page.size() - at - kHeaderSize) return std::nullopt;
    const std::string_view payload = page.substr(at + kHeaderSize, length);
    if (Crc32c(payload) != LoadBE32(page.data() + at + 3)) return std::nullopt;
    return Piece{static_cast<uint8_t>(page[at]), payload};
  }
  static bool AllZeros(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
  }
  static bool KnownType(uint8_t type) {
    const uint8_t fragment = type & kFragmentMask;
    return (type & ~kKnownBits) == 0 && fragment != 0 &&
           fragment <= static_cast<uint8_t>(Fragment::kLast) &&
           (type & (kSnappyFlag | kZstdFlag)) != (kSnappyFlag | kZstdFlag);
  }

  void Damaged() {
    damaged_ = true;
    in_record_ = false;
  }

  void Page(std::string_view page) {
    size_t at = 0;
    while (at < page.size()) {
      const std::string_view rest = page.substr(at);
      if (AllZeros(rest)) {
        if (in_record_ && rest.size() >= kHeaderSize) in_record_ = false;
        return;
      }
      const std::optional<Piece> piece = PieceAt(page, at);
      if (piece.has_value()) {
        Take(*piece);
        at += kHeaderSize + piece->payload.size();
        continue;
      }
      Damaged();
      // Its length may be right.
      if (rest.size() < kHeaderSize) return;
      const size_t next = at + kHeaderSize + LoadBE16(page.data() + at + 1);
      if (next >= page.size() || !PieceAt(page, next).has_value()) return;
      at = next;
    }
  }

  void Take(const Piece& piece) {
    if (!KnownType(piece.type)) return Damaged();
    const auto fragment = static_cast<Fragment>(piece.type & kFragmentMask);
    if (fragment == Fragment::kFull || fragment == Fragment::kFirst) {
      joined_.clear();
      in_record_ = true;
    } else if (!in_record_) {
      return Damaged();  // or the rest of one that is
    }
    joined_ += piece.payload;
    if (fragment != Fragment::kFull && fragment != Fragment::kLast) return;
    in_record_ = false;
    const uint8_t flags = piece.type & (kSnappyFlag | kZstdFlag);
    if (!Unpack(joined_, flags, scratch_).ok()) return Damaged();
    Frame(flags);
    ++records_;
  }

  // joined_, behind what is in out_.
  void Frame(uint8_t flags) {
    std::string_view rest = joined_;
    bool first = true;
    for (bool last = false; !last; first = false) {
      size_t left = kPageSize - out_.size() % kPageSize;
      if (left < kHeaderSize) {
        out_.append(left, '\0');
        left = kPageSize;
      }
      const size_t n = std::min(rest.size(), left - kHeaderSize);
      last = n == rest.size();
      const Fragment fragment =
          first ? (last ? Fragment::kFull : Fragment::kFirst)
                : (last ? Fragment::kLast : Fragment::kMiddle);
      const std::string_view payload = rest.substr(0, n);
      ByteWriter w(out_);
      w.U8(static_cast<uint8_t>(fragment) | flags);
      w.BE16(static_cast<uint16_t>(n));
      w.BE32(Crc32c(payload));
      w.Bytes(payload);
      rest.remove_prefix(n);
    }
  }

  const std::string_view bytes_;
  bool damaged_ = false;
  bool in_record_ = false;
  uint64_t records_ = 0;
  std::string joined_;
  std::string scratch_;
  std::string out_;
};

}  // namespace

absl::Status SalvageSegments(Env& env, const std::string& dir, Timestamp now,
                             std::vector<std::string>* done) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                           ListSegments(env, dir));
  for (const SegmentFile& segment : segments) {
    NARTHEX_ASSIGN_OR_RETURN(const std::string bytes,
                             env.ReadFile(segment.path));
    Picker picker(bytes);
    picker.Run();
    if (!picker.damaged()) continue;
    const std::string aside = AsidePath(env, segment.path, now);
    NARTHEX_RETURN_IF_ERROR(env.Link(segment.path, aside));
    NARTHEX_RETURN_IF_ERROR(
        env.WriteFileAtomically(segment.path, picker.out()));
    if (done != nullptr) {
      done->push_back(StrCat(segment.path, ": ", picker.records(),
                             " whole records are kept; as it was: ", aside));
    }
  }
  return absl::OkStatus();
}

std::string AsidePath(Env& env, const std::string& path, Timestamp now) {
  const std::string first = StrCat(path, ".corrupt-", now.ms);
  std::string aside = first;
  for (int i = 1; env.Exists(aside); ++i) aside = StrCat(first, "-", i);
  return aside;
}

}  // namespace narthex::tsdb::wal
