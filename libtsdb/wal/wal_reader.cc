#include "libtsdb/wal/wal_reader.h"

#include <algorithm>

#include "libtsdb/wal/salvage.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {

WalReader::WalReader(Env& env, std::vector<SegmentFile> segments)
    : env_(env), segments_(std::move(segments)) {}
WalReader::~WalReader() = default;

bool WalReader::Next() {
  while (status_.ok()) {
    if (reader_ == nullptr) {
      if (next_ == segments_.size()) return false;
      absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
          SegmentReader::Open(env_, segments_[next_]);
      if (!reader.ok()) {
        status_ = std::move(reader).status();
        return false;
      }
      reader_ = *std::move(reader);
      ++next_;
    }
    switch (reader_->Next()) {
      case SegmentReader::Step::kRecord: {
        // A torn record before it, if any, stays where it is.
        if (!damages_.empty() && damages_.back().torn &&
            damages_.back().segment == segment() &&
            damages_.back().path == path()) {
          damages_.back().records_follow = true;
        }
        bytes_ += reader_->packed().size();
        absl::StatusOr<std::string_view> record =
            Unpack(reader_->packed(), reader_->flags(), scratch_);
        if (!record.ok()) {
          Reject(record.status());
          break;
        }
        record_ = *record;
        return true;
      }
      case SegmentReader::Step::kEnd:
        reader_.reset();
        break;
      case SegmentReader::Step::kTorn:
        damages_.push_back(reader_->damage());
        if (reader_->at_end()) reader_.reset();
        break;
      case SegmentReader::Step::kCorrupt:
        damages_.push_back(reader_->damage());
        reader_.reset();
        break;
      case SegmentReader::Step::kError:
        status_ = reader_->status();
        return false;
    }
  }
  return false;
}

uint32_t WalReader::segment() const {
  return next_ == 0 ? 0 : segments_[next_ - 1].number;
}
uint64_t WalReader::offset() const {
  return reader_ == nullptr ? 0 : reader_->record_offset();
}
std::string_view WalReader::path() const {
  return next_ == 0 ? std::string_view()
                    : std::string_view(segments_[next_ - 1].path);
}

void WalReader::Reject(const absl::Status& why) {
  if (reader_ == nullptr) return;
  damages_.push_back({std::string(path()), segment(), offset(),
                      /*torn=*/false, /*records_follow=*/false,
                      std::string(Message(why))});
  reader_.reset();
}

namespace {

absl::Status CutOff(Env& env, const Damage& damage, Timestamp now,
                    std::string& kept_as) {
  NARTHEX_ASSIGN_OR_RETURN(const std::string bytes, env.ReadFile(damage.path));
  if (damage.offset >= bytes.size()) return absl::OkStatus();
  kept_as = AsidePath(env, damage.path, now);
  // The copy is safe on disk before anything is cut.
  NARTHEX_RETURN_IF_ERROR(env.WriteFileAtomically(
      kept_as,
      std::string_view(bytes).substr(static_cast<size_t>(damage.offset))));
  NARTHEX_ASSIGN_OR_RETURN(
      std::unique_ptr<WritableFile> file,
      env.OpenWritable(damage.path, Env::WriteMode::kAppend));
  NARTHEX_RETURN_IF_ERROR(file->Truncate(damage.offset));
  NARTHEX_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

}  // namespace

absl::Status SetAside(Env& env, const std::vector<Damage>& damages,
                      Timestamp now, Logger* logger) {
  for (const Damage& damage : damages) {
    const std::string offset = StrCat(damage.offset);
    if (damage.torn && damage.records_follow) {
      Log(logger, LogLevel::kWarn, "Dropped an unfinished record",
          {{"file", damage.path}, {"offset", offset}, {"err", damage.what}});
      continue;
    }
    std::string kept_as;
    absl::Status status = CutOff(env, damage, now, kept_as);
    if (!status.ok()) {
      return Annotate(status, StrCat("set aside ", damage.path, " from byte ",
                                     damage.offset));
    }
    Log(logger, LogLevel::kWarn,
        damage.torn ? "Set aside an unfinished record"
                    : "Set aside the damaged end of a file",
        {{"file", damage.path},
         {"offset", offset},
         {"err", damage.what},
         {"kept_as", kept_as}});
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb::wal
