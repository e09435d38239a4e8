// admin/tsdb/*: deletion and snapshots, for those who allow them.

#include <cstdio>

#include "libnarthex/api/api.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/db.h"

namespace narthex::api {
namespace {

ApiError Allowed(const Call& call) {
  if (call.context.options.admin_api) return NoError();
  return {ErrorType::kUnavailable, "admin APIs disabled"};
}

ApiError Failed(const absl::Status& status, std::string_view what = "") {
  if (status.ok()) return NoError();
  return {ErrorType::kInternal, what.empty()
                                    ? std::string(Message(status))
                                    : StrCat(what, ": ", Message(status))};
}

// What Go's strconv.ParseBool takes.
bool ParseBool(std::string_view text, bool& out) {
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return out = true, true;
  }
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return out = false, true;
  }
  return false;
}

// 20060102T150405Z-0123456789abcdef: no two snapshots have one name.
std::string SnapshotName(Timestamp now) {
  char random[8];
  Env::Posix()->RandomBytes(random, sizeof(random));
  std::string name;
  for (const char c : FormatRfc3339(now).substr(0, 19)) {
    if (c != '-' && c != ':') name += c;
  }
  name += "Z-";
  for (const char c : random) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", static_cast<uint8_t>(c));
    name += hex;
  }
  return name;
}

}  // namespace

ApiError DeleteSeries(Call& call) {
  if (ApiError error = Allowed(call)) return error;
  if (call.form.All("match[]").empty()) {
    return BadData("no match[] parameter provided");
  }
  TimeRange range;
  if (ApiError error = ReadTime(call.form, "start", kMinTime, range.min)) {
    return error;
  }
  if (ApiError error = ReadTime(call.form, "end", kMaxTime, range.max)) {
    return error;
  }
  std::vector<Matchers> selectors;
  if (ApiError error = ReadSelectors(call.form, selectors)) return error;
  for (const Matchers& matchers : selectors) {
    std::vector<const Matcher*> borrowed;
    for (const MatcherPtr& matcher : matchers) {
      borrowed.push_back(matcher.get());
    }
    const absl::Status deleted =
        call.narthex().storage().Delete(range, borrowed);
    if (!deleted.ok()) return Failed(deleted);
  }
  return NoError();
}

ApiError CleanTombstones(Call& call) {
  if (ApiError error = Allowed(call)) return error;
  return Failed(call.narthex().storage().CleanTombstones());
}

ApiError Snapshot(Call& call) {
  if (ApiError error = Allowed(call)) return error;
  bool skip_head = false;
  if (const std::string_view text = call.form.Get("skip_head");
      !text.empty() && !ParseBool(text, skip_head)) {
    return InvalidParameter(
        "skip_head",
        StrCat("unable to parse boolean: strconv.ParseBool: parsing \"", text,
               "\": invalid syntax"));
  }
  tsdb::Db& db = call.narthex().storage();
  const std::string name = SnapshotName(call.narthex().clock().Now());
  const absl::Status made =
      db.Snapshot(JoinPath(JoinPath(db.dir(), "snapshots"), name), !skip_head);
  if (!made.ok()) return Failed(made, "create snapshot");
  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("name");
  json.String(name);
  json.EndObject();
  return NoError();
}

}  // namespace narthex::api
