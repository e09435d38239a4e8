// `storage` of prometheus.yml.

#include "libnarthex/config/config_parts.h"
#include "narthex/base/status.h"

namespace narthex::config {
namespace {

absl::Status ReadRetention(const YamlNode& node, std::string_view file,
                           StorageConfig& out) {
  MapReader map(node, file, "storage.tsdb.retention");
  Duration time;
  if (map.Has("time")) {
    map.Read("time", time);
    out.retention = time;
  }
  uint64_t bytes = 0;
  if (map.Has("size")) {
    map.ReadBytes("size", bytes);
    out.retention_bytes = bytes;
  }
  double percent = 0;
  if (map.Has("percentage")) {
    map.Read("percentage", percent);
    out.retention_percent = percent;
  }
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  if (!(percent >= 0 && percent <= 100)) {
    return InvalidArgument(
        StrCat("'storage.tsdb.retention.percentage' must be in the range "
               "[0, 100], got ",
               percent));
  }
  return absl::OkStatus();
}

absl::Status ReadTsdb(const YamlNode& node, std::string_view file,
                      StorageConfig& out) {
  MapReader map(node, file, "storage.tsdb");
  map.Read("out_of_order_time_window", out.out_of_order_time_window);
  map.Read("retention", [&](const YamlNode& retention) {
    return ReadRetention(retention, file, out);
  });
  map.Read("chunk_encoding", [&](const YamlNode& encoding) {
    MapReader chunks(encoding, file, "storage.tsdb.chunk_encoding");
    chunks.ReadText("floats", [&](const std::string& text) {
      if (text == "xor") {
        out.float_chunks = tsdb::FloatChunks::kXor;
      } else if (text == "xor2") {
        out.float_chunks = tsdb::FloatChunks::kXor2;
      } else if (!text.empty()) {
        return InvalidArgument(
            StrCat("'storage.tsdb.chunk_encoding.floats' must be 'xor' or "
                   "'xor2', or the field must be omitted entirely, got \"",
                   text, "\""));
      }
      return absl::OkStatus();
    });
    return chunks.Finish();
  });
  map.Read("stale_series_compaction_threshold",
           out.stale_series_compaction_threshold);
  return map.Finish();
}

}  // namespace

absl::Status ReadStorage(const YamlNode& node, std::string_view file,
                         StorageConfig& out) {
  MapReader map(node, file, "storage");
  map.Read("tsdb",
           [&](const YamlNode& tsdb) { return ReadTsdb(tsdb, file, out); });
  map.Read("exemplars", [&](const YamlNode& exemplars) {
    MapReader reader(exemplars, file, "storage.exemplars");
    reader.Read("max_exemplars", out.max_exemplars);
    return reader.Finish();
  });
  return map.Finish();
}

}  // namespace narthex::config
