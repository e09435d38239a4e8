#include <atomic>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

constexpr const char* kDir = "wal";

// A log in memory, with verbs to write, spoil and read it.
struct WalLab {
  std::unique_ptr<Env> env = NewMemEnv();
  std::unique_ptr<WalWriter> writer;

  void Open(uint64_t segment_size = 4 * kPageSize) {
    WalOptions options;
    options.segment_size = segment_size;
    auto opened = WalWriter::Open(*env, kDir, options);
    REQUIRE(opened.ok());
    writer = *std::move(opened);
  }
  void Write(std::string_view record,
             Compression compression = Compression::kNone) {
    if (writer == nullptr) Open();
    RecordBatch batch;
    batch.Add(record, compression);
    REQUIRE(writer->Log(batch).ok());
  }
  void Close() {
    REQUIRE(writer->Close().ok());
    writer.reset();
  }
  std::string Raw(uint32_t segment = 0) {
    auto bytes = env->ReadFile(SegmentPath(kDir, segment));
    REQUIRE(bytes.ok());
    return *bytes;
  }
  void PutRaw(std::string_view bytes, uint32_t segment = 0) {
    REQUIRE(env->MakeDirs(kDir).ok());
    auto file = env->OpenWritable(SegmentPath(kDir, segment),
                                  Env::WriteMode::kTruncate);
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(bytes).ok());
  }
  struct Result {
    std::vector<std::string> records;
    std::vector<Damage> damages;
  };
  Result Read() {
    auto segments = ListSegments(*env, kDir);
    REQUIRE(segments.ok());
    WalReader reader(*env, *segments);
    Result result;
    while (reader.Next()) result.records.emplace_back(reader.record());
    REQUIRE(reader.status().ok());
    result.damages = reader.damages();
    return result;
  }
};

using Records = std::vector<std::string>;

std::string Fragment1(int type, std::string_view payload) {
  std::string out(7, '\0');
  out[0] = static_cast<char>(type);
  out[1] = static_cast<char>(payload.size() >> 8);
  out[2] = static_cast<char>(payload.size());
  const uint32_t crc = Crc32c(payload);
  for (int i = 0; i < 4; ++i) {
    out[3 + static_cast<size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  }
  return out.append(payload);
}

TEST_CASE_METHOD(WalLab, "a fragment has the bytes of Prometheus") {
  Write("123456789");
  // crc32c("123456789") = e3069283
  CHECK(Raw() == std::string("\x01\x00\x09\xe3\x06\x92\x83"
                             "123456789",
                             16));
  Write("");
  CHECK(Raw().substr(16) == std::string("\x01\0\0\0\0\0\0", 7));
  CHECK(Read().records == Records{"123456789", ""});
}

TEST_CASE_METHOD(WalLab, "records of every size come back, compressed or not") {
  std::mt19937 random(3);
  Open(64 * kPageSize);
  Records all;
  for (const Compression kind :
       {Compression::kNone, Compression::kSnappy, Compression::kZstd}) {
    for (const size_t n : {size_t{0}, size_t{1}, kPageSize - 15, kPageSize - 14,
                           kPageSize - 8, kPageSize - 7, kPageSize - 6,
                           kPageSize, 2 * kPageSize - 14, 3 * kPageSize + 5}) {
      std::string record(n, 'x');
      for (size_t i = 0; i < n; i += 2) record[i] = static_cast<char>(random());
      all.push_back(record);
      Write(record, kind);
      all.push_back(std::string(n, 'y'));
      Write(all.back(), kind);
    }
  }
  Close();
  const Result result = Read();
  CHECK(result.records == all);
  CHECK(result.damages.empty());
}

TEST_CASE_METHOD(WalLab, "a page that is nearly full is padded with zeros") {
  Write(std::string(kPageSize - 7 - 6, 'a'));  // 6 bytes are left
  CHECK(Raw().size() == kPageSize);
  CHECK(Raw().substr(kPageSize - 6) == std::string(6, '\0'));
  Write(std::string(kPageSize - 7 - 7, 'b'));  // 7 are left: a header fits
  CHECK(Raw().size() == 2 * kPageSize - 7);
  Write("c");
  CHECK(Raw().substr(2 * kPageSize - 7, 7) ==
        std::string("\x02\0\0\0\0\0\0", 7));
  CHECK(Read().records.back() == "c");
}

TEST_CASE_METHOD(WalLab, "a record never crosses segments") {
  Open(2 * kPageSize);
  const std::string a(kPageSize, 'a');
  for (int i = 0; i < 3; ++i) Write(a);
  CHECK(writer->segment() == 2);
  CHECK(Raw(0).size() == 2 * kPageSize);  // padded when it was left
  Write(std::string(5 * kPageSize, 'b'));
  CHECK(writer->segment() == 3);
  Write("c");
  CHECK(writer->segment() == 4);
  const auto cut = writer->Cut();
  REQUIRE(cut.ok());
  CHECK(*cut == 5);
  Close();
  CHECK(Read().records ==
        Records{a, a, a, std::string(5 * kPageSize, 'b'), "c"});
  Open();
  CHECK(writer->segment() == 6);
  REQUIRE(RemoveSegmentsBelow(*env, kDir, 4).ok());
  CHECK(ListSegments(*env, kDir)->size() == 3);
  REQUIRE(env->Remove(SegmentPath(kDir, 5)).ok());
  CHECK(absl::IsDataLoss(ListSegments(*env, kDir).status()));
}

TEST_CASE_METHOD(WalLab, "a log cut at any length gives its intact prefix") {
  const Records all = {"one", std::string(kPageSize, '2'), "three", ""};
  std::vector<size_t> ends = {0};
  for (const std::string& record : all) {
    Write(record);
    ends.push_back(Raw().size());
  }
  const std::string whole = Raw();
  for (size_t n = 0; n <= whole.size(); n += n > 60 && n < 32720 ? 997 : 1) {
    const std::string cut = whole.substr(0, n);
    // With zeros behind it too, as a file system leaves them.
    for (const size_t zeros : {size_t{0}, size_t{3}, kPageSize}) {
      WalLab lab;
      lab.PutRaw(cut + std::string(zeros, '\0'));
      Result result = lab.Read();
      // A type byte and zeros are an empty record: that can't be told.
      const bool empty_one = result.records.size() < all.size() &&
                             !result.records.empty() &&
                             result.records.back().empty();
      if (empty_one) result.records.pop_back();
      size_t intact = 0;
      while (intact < all.size() && ends[intact + 1] <= n) ++intact;
      INFO("cut at " << n << ", zeros " << zeros);
      // Zeros may stand in for what was cut only where it was zeros.
      REQUIRE(result.records.size() >= intact);
      REQUIRE(std::equal(result.records.begin(), result.records.end(),
                         all.begin()));
      const bool at_boundary = n == ends[intact];
      if (at_boundary) {
        REQUIRE(result.damages.empty());
      } else if (result.records.size() == intact && !empty_one) {
        REQUIRE(result.damages.size() == 1);
        REQUIRE(result.damages[0].offset == ends[intact]);
      }
      REQUIRE(SetAside(*lab.env, result.damages, 77, nullptr).ok());
      // Nothing is lost: the two files are the one that was.
      if (!result.damages.empty()) {
        const auto kept =
            lab.env->ReadFile(SegmentPath(kDir, 0) + ".corrupt-77");
        REQUIRE(kept.ok());
        REQUIRE(lab.Raw() + *kept == cut + std::string(zeros, '\0'));
      }
      const Result again = lab.Read();
      REQUIRE(again.records.size() == result.records.size() + empty_one);
      REQUIRE(again.damages.empty());
    }
  }
}

TEST_CASE_METHOD(WalLab, "a flipped bit never yields a wrong record") {
  Records all;
  for (int i = 0; i < 5; ++i) {
    all.push_back("record number " + std::to_string(i));
    Write(all.back());
  }
  const std::string whole = Raw();
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bad = whole;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    WalLab lab;
    lab.PutRaw(bad);
    const Result result = lab.Read();
    for (const std::string& record : result.records) {
      REQUIRE(std::find(all.begin(), all.end(), record) != all.end());
    }
    REQUIRE((result.records.size() < all.size() || bit % 23 * 8 < 8 ||
             result.damages.empty()));
  }
}

TEST_CASE_METHOD(WalLab,
                 "a record that was begun and never finished is dropped") {
  SECTION("another one follows at once") {
    PutRaw(Fragment1(1, "a") + Fragment1(2, "torn") + Fragment1(1, "b"));
    const Result result = Read();
    CHECK(result.records == Records{"a", "b"});
    REQUIRE(result.damages.size() == 1);
    CHECK(result.damages[0].torn);
    CHECK(result.damages[0].records_follow);
    CHECK(result.damages[0].offset == 8);
    const std::string before = Raw();
    REQUIRE(SetAside(*env, result.damages, 1, nullptr).ok());
    CHECK(Raw() == before);
  }
  SECTION("zeros follow, then other pages") {
    std::string page = Fragment1(1, "a") + Fragment1(2, "torn");
    page.resize(kPageSize, '\0');
    PutRaw(page + Fragment1(1, "b"));
    const Result result = Read();
    CHECK(result.records == Records{"a", "b"});
    REQUIRE(result.damages.size() == 1);
    CHECK(result.damages[0].records_follow);
  }
  SECTION("a new process has gone on in the next segment") {
    PutRaw(Fragment1(1, "a") + Fragment1(2, "torn"), 0);
    PutRaw(Fragment1(1, "b"), 1);
    const Result result = Read();
    CHECK(result.records == Records{"a", "b"});
    REQUIRE(result.damages.size() == 1);
    CHECK(result.damages[0].segment == 0);
    CHECK(result.damages[0].torn);
  }
}

TEST_CASE_METHOD(WalLab, "a corrupt spot ends its segment, not the log") {
  std::string bad = Fragment1(1, "b");
  bad.back() = 'X';
  PutRaw(Fragment1(1, "a") + bad + Fragment1(1, "c"), 7);
  PutRaw(Fragment1(1, "d"), 8);
  const Result result = Read();
  CHECK(result.records == Records{"a", "d"});
  REQUIRE(result.damages.size() == 1);
  CHECK(!result.damages[0].torn);
  CHECK(result.damages[0].offset == 8);
  CHECK(result.damages[0].what == "checksum mismatch");

  struct Lines final : Logger {
    void Write(LogLevel, std::string_view message,
               std::span<const LogField> fields) override {
      text += message;
      for (const LogField& field : fields) {
        text += " " + std::string(field.key) + "=" + std::string(field.value);
      }
      text += "\n";
    }
    std::string text;
  } lines;
  REQUIRE(SetAside(*env, result.damages, 123, &lines).ok());
  CHECK(lines.text ==
        "Set aside the damaged end of a file file=wal/00000007 offset=8 "
        "err=checksum mismatch kept_as=wal/00000007.corrupt-123\n");
  CHECK(*env->ReadFile("wal/00000007.corrupt-123") == bad + Fragment1(1, "c"));
  CHECK(Read().records == Records{"a", "d"});
  CHECK(Read().damages.empty());
}

TEST_CASE_METHOD(WalLab, "impossible fragments are told") {
  const auto what = [this](std::string_view raw) {
    PutRaw(raw);
    const Result result = Read();
    CHECK(result.records.empty());
    return result.damages.empty() ? std::string() : result.damages[0].what;
  };
  CHECK(what(Fragment1(3, "x")) == "fragment without a beginning");
  CHECK(what(Fragment1(4, "x")) == "fragment without a beginning");
  CHECK(what(Fragment1(5, "x")) == "unknown fragment type 5");
  CHECK(what(Fragment1(0x21, "x")) == "unknown fragment type 33");
  CHECK(what(Fragment1(0x19, "x")) == "unknown fragment type 25");
  std::string crossing = Fragment1(1, "x");
  crossing[1] = '\x7f';
  crossing[2] = '\xff';
  CHECK(what(crossing) == "fragment of 32767 bytes crosses its page");
  CHECK(what(std::string("\0\0x", 3)) == "page padding is not zero");
  CHECK(what(Fragment1(1 | kSnappyFlag, "\xff\xff\xff\xff\x0f")) ==
        "decompressed data exceeds 1073741824 bytes");
}

TEST_CASE_METHOD(WalLab, "a reader that tails goes on where the log grew") {
  Write("a");
  auto reader = *SegmentReader::Open(*env, {0, SegmentPath(kDir, 0)});
  using Step = SegmentReader::Step;
  REQUIRE(reader->Next() == Step::kRecord);
  CHECK(reader->packed() == "a");
  CHECK(reader->Next() == Step::kEnd);
  Write("b");
  REQUIRE(reader->Next() == Step::kRecord);
  CHECK(reader->packed() == "b");
  // Half of a record, then the whole of it.
  const std::string before = Raw();
  const std::string more = Fragment1(1, "whole");
  for (size_t n = 1; n < more.size(); ++n) {
    PutRaw(before + more.substr(0, n));
    REQUIRE(reader->Next() == Step::kTorn);
    REQUIRE(reader->at_end());
    REQUIRE(reader->offset() == before.size());
  }
  PutRaw(before + more);
  REQUIRE(reader->Next() == Step::kRecord);
  CHECK(reader->packed() == "whole");
}

TEST_CASE("the type of a packed record shows without unpacking it") {
  for (const size_t n : {size_t{1}, size_t{70}, size_t{5000}, size_t{100000}}) {
    std::mt19937 random(1);
    std::string record(n, '\0');
    for (char& c : record) c = static_cast<char>(random());
    record[0] = 11;
    std::string packed;
    CHECK(PeekType(record, 0) == 11);
    Compress(Compression::kSnappy, record, packed);
    CHECK(PeekType(packed, kSnappyFlag) == 11);
    CHECK(PeekType(packed, kZstdFlag) == 0);
  }
  CHECK(PeekType("", 0) == 0);
  CHECK(PeekType("", kSnappyFlag) == 0);
}

TEST_CASE_METHOD(WalLab,
                 "groups of many threads are all there, in ticket order") {
  Open(64 * kPageSize);
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> tickets{0};
  std::vector<std::string> in_order(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      RecordBatch batch;
      for (int i = 0; i < kEach; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        batch.Clear();
        batch.Add(name, Compression::kSnappy);
        batch.Cover(Timestamp(i));
        const absl::Status status = writer->Log(
            batch, [&] { in_order[static_cast<size_t>(tickets++)] = name; });
        if (!status.ok()) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Read().records == in_order);
  CHECK(writer->times().WhollyBefore(0, kEach));
  CHECK(!writer->times().WhollyBefore(0, kEach - 1));
  CHECK(!writer->times().WhollyBefore(99, kEach));
  Close();
}

// A file that takes so many bytes and no more; truncating may fail as well.
class FullDisk final : public WritableFile {
 public:
  struct Rules {
    uint64_t room = 0;
    bool can_truncate = true;
  };
  FullDisk(std::unique_ptr<WritableFile> base, Rules& rules)
      : base_(std::move(base)), rules_(rules) {}
  absl::Status Append(std::string_view data) override {
    const size_t n = std::min<size_t>(data.size(), rules_.room);
    rules_.room -= n;
    NARTHEX_RETURN_IF_ERROR(base_->Append(data.substr(0, n)));
    return n == data.size() ? absl::OkStatus()
                            : ResourceExhausted("write: no space left");
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return base_->WriteAt(offset, data);
  }
  absl::Status Truncate(uint64_t size) override {
    if (!rules_.can_truncate)
      return Unavailable("truncate: input/output error");
    return base_->Truncate(size);
  }
  absl::Status Preallocate(uint64_t size) override {
    return base_->Preallocate(size);
  }
  absl::Status Sync() override { return base_->Sync(); }
  absl::Status Close() override { return base_->Close(); }
  uint64_t size() const override { return base_->size(); }

 private:
  std::unique_ptr<WritableFile> base_;
  Rules& rules_;
};

class FullDiskEnv final : public Env {
 public:
  explicit FullDiskEnv(Env& base) : base_(base) {}
  FullDisk::Rules rules;

  absl::StatusOr<std::unique_ptr<WritableFile>> OpenWritable(
      const std::string& path, WriteMode mode) override {
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                             base_.OpenWritable(path, mode));
    return std::make_unique<FullDisk>(std::move(file), rules);
  }
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(
      const std::string& path) override {
    return base_.OpenRandomAccess(path);
  }
  absl::StatusOr<std::unique_ptr<MappedFile>> Map(
      const std::string& path) override {
    return base_.Map(path);
  }
  absl::StatusOr<std::vector<DirEntry>> ListDir(
      const std::string& path) override {
    return base_.ListDir(path);
  }
  absl::StatusOr<FileInfo> Stat(const std::string& path) override {
    return base_.Stat(path);
  }
  absl::Status MakeDir(const std::string& path) override {
    return base_.MakeDir(path);
  }
  absl::Status Remove(const std::string& path) override {
    return base_.Remove(path);
  }
  absl::Status RemoveDir(const std::string& path) override {
    return base_.RemoveDir(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return base_.Rename(from, to);
  }
  absl::Status Link(const std::string& from, const std::string& to) override {
    return base_.Link(from, to);
  }
  absl::Status SyncDir(const std::string& path) override {
    return base_.SyncDir(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(
      const std::string& path) override {
    return base_.Lock(path);
  }
  absl::StatusOr<DiskSpace> Space(const std::string& path) override {
    return base_.Space(path);
  }
  void RandomBytes(char* out, size_t n) override { base_.RandomBytes(out, n); }

 private:
  Env& base_;
};

TEST_CASE_METHOD(WalLab, "a full disk takes no part of a record for a whole") {
  const bool can_truncate = GENERATE(true, false);
  FullDiskEnv full(*env);
  full.rules = {1000, can_truncate};
  auto opened = WalWriter::Open(full, kDir, {});
  REQUIRE(opened.ok());
  Records acknowledged;
  int failed = 0;
  RecordBatch batch;
  for (int i = 0; i < 100; ++i) {
    batch.Clear();
    batch.Add("record " + std::to_string(i) + std::string(40, '.'),
              Compression::kNone);
    bool called = false;
    if ((*opened)->Log(batch, [&] { called = true; }).ok()) {
      acknowledged.push_back("record " + std::to_string(i) +
                             std::string(40, '.'));
      CHECK(called);
    } else {
      CHECK(!called);
      ++failed;
      if (failed == 3) full.rules.room = 100000;  // somebody made room
    }
  }
  CHECK(failed == 3);
  REQUIRE((*opened)->Close().ok());
  const Result result = Read();
  CHECK(result.records == acknowledged);
  CHECK(result.damages.empty() == can_truncate);
  CHECK(absl::IsFailedPrecondition((*opened)->Log(batch)));
}

}  // namespace
}  // namespace narthex::tsdb::wal
