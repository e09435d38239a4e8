// Members of the API's JSON, read leniently: what is missing or of a wrong type
// is null, empty or nothing, as objects of any origin are legal input.
//
// Pure; any thread.  What At returns lives as long as its argument, or forever.

#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace narthex::scrape {

// Never throws; what is no JSON is `discarded`, which has no members.
inline nlohmann::json ParseKubeJson(std::string_view bytes) {
  return nlohmann::json::parse(bytes.begin(), bytes.end(), /*cb=*/nullptr,
                               /*allow_exceptions=*/false);
}

inline const nlohmann::json& At(const nlohmann::json& json, const char* key) {
  static const nlohmann::json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found != json.end() ? *found : kNull;
}

inline std::optional<std::string> MaybeText(const nlohmann::json& json,
                                            const char* key) {
  const nlohmann::json& value = At(json, key);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}
inline std::string Text(const nlohmann::json& json, const char* key) {
  return MaybeText(json, key).value_or(std::string());
}
inline std::optional<int64_t> MaybeNumber(const nlohmann::json& json,
                                          const char* key) {
  const nlohmann::json& value = At(json, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<int64_t>();
}
inline std::optional<bool> MaybeFlag(const nlohmann::json& json,
                                     const char* key) {
  const nlohmann::json& value = At(json, key);
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}

// Of a map, and of a list, the members that are text.
inline std::map<std::string, std::string> Texts(const nlohmann::json& json,
                                                const char* key) {
  std::map<std::string, std::string> out;
  const nlohmann::json& map = At(json, key);
  if (!map.is_object()) return out;
  for (const auto& [name, value] : map.items()) {
    if (value.is_string()) out.emplace(name, value.get<std::string>());
  }
  return out;
}
inline std::vector<std::string> TextList(const nlohmann::json& json,
                                         const char* key) {
  std::vector<std::string> out;
  const nlohmann::json& list = At(json, key);
  if (!list.is_array()) return out;
  for (const nlohmann::json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// Calls `read` for every item of a list.
template <typename Read>
void ForEach(const nlohmann::json& json, const char* key, Read read) {
  const nlohmann::json& list = At(json, key);
  if (!list.is_array()) return;
  for (const nlohmann::json& item : list) read(item);
}

}  // namespace narthex::scrape
