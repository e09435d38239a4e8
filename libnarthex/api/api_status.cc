// status/*: configuration, flags, build, process, store.

#include <limits.h>
#include <unistd.h>

#include "libnarthex/api/api.h"
#include "narthex/version.h"

namespace narthex::api {
namespace {

// The API that is spoken, as clients tell servers apart by it, and who speaks.
constexpr std::string_view kApiVersion = "3.14.0";

void WriteTexts(
    Call& call,
    std::initializer_list<std::pair<std::string_view, std::string_view>>
        pairs) {
  JsonWriter json(call.data);
  json.BeginObject();
  for (const auto& [key, value] : pairs) {
    json.Key(key);
    json.String(value);
  }
  json.EndObject();
}

void WriteCounts(JsonWriter& json, std::string_view key,
                 const std::vector<tsdb::NameCount>& counts) {
  json.Key(key);
  json.BeginArray();
  for (const tsdb::NameCount& count : counts) {
    json.BeginObject();
    json.Key("name");
    json.String(count.name);
    json.Key("value");
    json.Uint(count.count);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string BuildInfoJson() {
  const BuildInfo build = GetBuildInfo();
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  auto text = [&](std::string_view key, std::string_view value) {
    json.Key(key);
    json.String(value);
  };
  text("version", StrCat(kApiVersion, "+narthex.", build.version));
  text("revision", "");
  text("branch", "");
  text("buildUser", "");
  text("buildDate", "");
  text("goVersion", build.compiler);
  json.EndObject();
  return out;
}

ApiError StatusConfig(Call& call) {
  WriteTexts(call, {{"yaml", FormatConfig(call.narthex().config())}});
  return NoError();
}

ApiError StatusFlags(Call& call) {
  JsonWriter json(call.data);
  json.BeginObject();
  for (const auto& [flag, value] : call.context.options.flags) {
    json.Key(flag);
    json.String(value);
  }
  json.EndObject();
  return NoError();
}

ApiError StatusBuildInfo(Call& call) {
  call.data = BuildInfoJson();
  return NoError();
}

ApiError StatusRuntimeInfo(Call& call) {
  const Narthex& narthex = call.narthex();
  const ReloadState reload = narthex.last_reload();
  char cwd[PATH_MAX] = "";
  if (getcwd(cwd, sizeof(cwd)) == nullptr) cwd[0] = '\0';
  char host[HOST_NAME_MAX + 1] = "";
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("startTime");
  json.String(FormatRfc3339(call.context.started));
  json.Key("CWD");
  json.String(cwd);
  json.Key("hostname");
  json.String(host);
  json.Key("serverTime");
  json.String(FormatRfc3339(narthex.clock().Now()));
  json.Key("reloadConfigSuccess");
  json.Bool(reload.success);
  json.Key("lastConfigTime");
  json.String(FormatRfc3339(reload.at));
  json.Key("corruptionCount");
  json.Int(0);
  // Go's own figures have no counterpart: threads stand for processors, no
  // limit for the memory limit.
  json.Key("goroutineCount");
  json.Int(narthex.executor().width());
  json.Key("GOMAXPROCS");
  json.Int(narthex.executor().width());
  json.Key("GOMEMLIMIT");
  json.Int(std::numeric_limits<int64_t>::max());
  json.Key("GOGC");
  json.String("");
  json.Key("GODEBUG");
  json.String("");
  json.Key("storageRetention");
  json.String(call.context.options.retention);
  json.EndObject();
  return NoError();
}

ApiError StatusTsdb(Call& call) {
  constexpr int64_t kMaxLimit = 10000;
  int64_t limit = 10;
  if (const auto text = call.form.Get("limit"); !text.empty()) {
    const auto n = ParseInteger(text);
    if (!n.ok() || *n < 1) return BadData("limit must be a positive number");
    if (*n > kMaxLimit) {
      return BadData(StrCat("limit must not exceed ", kMaxLimit));
    }
    limit = *n;
  }
  const tsdb::Stats stats =
      call.narthex().storage().stats(static_cast<size_t>(limit));
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("headStats");
  json.BeginObject();
  json.Key("numSeries");
  json.Uint(stats.series);
  json.Key("numLabelPairs");
  json.Uint(stats.label_pairs);
  json.Key("chunkCount");
  json.Uint(stats.chunks);
  json.Key("minTime");
  json.Int(stats.min_time.ms);
  json.Key("maxTime");
  json.Int(stats.max_time.ms);
  json.EndObject();
  WriteCounts(json, "seriesCountByMetricName", stats.series_by_metric);
  WriteCounts(json, "labelValueCountByLabelName", stats.values_by_label);
  WriteCounts(json, "memoryInBytesByLabelName", stats.value_bytes_by_label);
  WriteCounts(json, "seriesCountByLabelValuePair", stats.series_by_pair);
  json.EndObject();
  return NoError();
}

ApiError StatusTsdbBlocks(Call& call) {
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("blocks");
  json.BeginArray();
  for (const tsdb::BlockMeta& block : call.narthex().storage().Blocks()) {
    json.BeginObject();
    json.Key("ulid");
    json.String(block.ulid);
    json.Key("minTime");
    json.Int(block.min_time.ms);
    json.Key("maxTime");
    json.Int(block.max_time.ms);
    json.Key("stats");
    json.BeginObject();
    auto count = [&](std::string_view key, uint64_t n) {
      if (n == 0) return;
      json.Key(key);
      json.Uint(n);
    };
    count("numSamples", block.stats.samples);
    count("numFloatSamples", block.stats.float_samples);
    count("numHistogramSamples", block.stats.histogram_samples);
    count("numSeries", block.stats.series);
    count("numChunks", block.stats.chunks);
    count("numTombstones", block.stats.tombstones);
    json.EndObject();
    json.Key("compaction");
    json.BeginObject();
    json.Key("level");
    json.Int(block.level);
    if (!block.sources.empty()) {
      json.Key("sources");
      json.BeginArray();
      for (const std::string& source : block.sources) json.String(source);
      json.EndArray();
    }
    json.EndObject();
    json.Key("version");
    json.Int(1);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return NoError();
}

}  // namespace narthex::api
