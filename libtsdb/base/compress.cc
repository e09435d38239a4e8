#include "narthex/base/compress.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "libtsdb/base/snappy_decode.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

struct FreeZstd {
  void operator()(ZSTD_DCtx* p) const { ZSTD_freeDCtx(p); }
  void operator()(ZSTD_CCtx* p) const { ZSTD_freeCCtx(p); }
};

// A context is half a megabyte: one per thread, made when first needed.
ZSTD_DCtx* ThreadDecoder() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  return context.get();
}
ZSTD_CCtx* ThreadEncoder() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  return context.get();
}

absl::Status TooLarge(size_t limit) {
  return ResourceExhausted(
      StrCat("decompressed data exceeds ", limit, " bytes"));
}

absl::Status UnpackSnappy(std::string_view data, size_t limit,
                          std::string& out) {
  ByteReader in(data);
  const uint32_t n = in.Uvarint32();
  if (!in.ok()) return DataLoss("snappy: corrupt header");
  if (n > limit) return TooLarge(limit);
  // The densest snappy there is turns 3 bytes into 64: a longer claim is a lie
  // that must not become an allocation.
  if (n / 22 > data.size()) return DataLoss("snappy: corrupt input");
  out.resize(n);
  if (!UnpackSnappyPieces(in.rest(), out.data(), n)) {
    return DataLoss("snappy: corrupt input");
  }
  return absl::OkStatus();
}

absl::Status UnpackZstd(std::string_view data, size_t limit, std::string& out) {
  out.clear();
  ZSTD_DCtx* const context = ThreadDecoder();
  if (context == nullptr) return ResourceExhausted("zstd: out of memory");
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer in = {data.data(), data.size(), 0};
  size_t chunk = std::max<size_t>(4 * data.size(), 4096);
  size_t left = 1;
  while (in.pos < in.size || left != 0) {
    if (out.size() > limit) return TooLarge(limit);
    const size_t old = out.size();
    const size_t room = std::min(chunk, limit - old + 1);
    out.resize(old + room);
    ZSTD_outBuffer to = {out.data() + old, room, 0};
    const size_t in_before = in.pos;
    left = ZSTD_decompressStream(context, &to, &in);
    out.resize(old + to.pos);
    if (ZSTD_isError(left) != 0) {
      return DataLoss(StrCat("zstd: ", ZSTD_getErrorName(left)));
    }
    if (left != 0 && to.pos == 0 && in.pos == in_before) {
      return DataLoss("zstd: data ends too early");
    }
    chunk = std::min<size_t>(chunk * 2, 1 << 20);
  }
  if (out.size() > limit) return TooLarge(limit);
  return absl::OkStatus();
}

absl::Status UnpackGzip(std::string_view data, size_t limit, std::string& out) {
  out.clear();
  z_stream stream = {};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {
    return ResourceExhausted("gzip: out of memory");
  }
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  size_t in_done = 0;
  size_t chunk = std::max<size_t>(4 * data.size(), 4096);
  while (true) {
    if (stream.avail_in == 0) {
      const size_t n = std::min<size_t>(data.size() - in_done, UINT_MAX);
      stream.next_in =
          reinterpret_cast<Bytef*>(const_cast<char*>(data.data() + in_done));
      stream.avail_in = static_cast<uInt>(n);
      in_done += n;
    }
    const size_t old = out.size();
    const size_t room = std::min({chunk, limit - old + 1, size_t{UINT_MAX}});
    out.resize(old + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + old);
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    out.resize(old + room - stream.avail_out);
    if (out.size() > limit) return TooLarge(limit);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0 && in_done == data.size()) {
        return absl::OkStatus();
      }
      if (inflateReset(&stream) != Z_OK) {  // another member follows
        return DataLoss("gzip: corrupt input");
      }
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return DataLoss(StrCat("gzip: ", stream.msg != nullptr
                                           ? std::string_view(stream.msg)
                                           : "corrupt input"));
    }
    if (stream.avail_in == 0 && in_done == data.size() &&
        stream.avail_out != 0) {
      return DataLoss("gzip: data ends too early");
    }
    chunk = std::min<size_t>(chunk * 2, 1 << 20);
  }
}

void PackGzip(std::string_view data, std::string& out) {
  z_stream stream = {};
  out.clear();
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return;  // out of memory only; an empty body is no gzip and is refused
  }
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, deflateEnd);
  out.resize(deflateBound(&stream, data.size()) + 18);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  size_t in_done = 0, out_done = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    const size_t in = std::min<size_t>(data.size() - in_done, UINT_MAX);
    const size_t room = std::min<size_t>(out.size() - out_done, UINT_MAX);
    stream.avail_in = static_cast<uInt>(in);
    stream.avail_out = static_cast<uInt>(room);
    result =
        deflate(&stream, in_done + in == data.size() ? Z_FINISH : Z_NO_FLUSH);
    in_done += in - stream.avail_in;
    out_done += room - stream.avail_out;
  }
  out.resize(out_done);
}

}  // namespace

void Compress(Compression kind, std::string_view data, std::string& out) {
  switch (kind) {
    case Compression::kNone:
      out.assign(data);
      return;
    case Compression::kSnappy: {
      out.resize(snappy::MaxCompressedLength(data.size()));
      size_t n = 0;
      snappy::RawCompress(data.data(), data.size(), out.data(), &n);
      out.resize(n);
      return;
    }
    case Compression::kZstd: {
      out.resize(ZSTD_compressBound(data.size()));
      const size_t n =
          ZSTD_compressCCtx(ThreadEncoder(), out.data(), out.size(),
                            data.data(), data.size(), ZSTD_CLEVEL_DEFAULT);
      out.resize(ZSTD_isError(n) != 0 ? 0 : n);
      return;
    }
    case Compression::kGzip:
      PackGzip(data, out);
      return;
  }
}

absl::Status Decompress(Compression kind, std::string_view data, size_t limit,
                        std::string& out) {
  switch (kind) {
    case Compression::kNone:
      if (data.size() > limit) return TooLarge(limit);
      out.assign(data);
      return absl::OkStatus();
    case Compression::kSnappy:
      return UnpackSnappy(data, limit, out);
    case Compression::kZstd:
      return UnpackZstd(data, limit, out);
    case Compression::kGzip:
      return UnpackGzip(data, limit, out);
  }
  return Internal("unknown compression");
}

}  // namespace narthex
