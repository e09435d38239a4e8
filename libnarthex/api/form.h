// What a request asks: its path, and the parameters of query string and form.
//
// Values; one thread.  Bad escapes make a parameter vanish, as in Go.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/http_server.h"

namespace narthex::api {

// "%41+b" -> "A b" (in a path, a plus stays a plus); false: a bad escape.
bool Unescape(std::string_view text, bool plus_is_blank, std::string& out);

// "U__job_2e_name" -> "job.name": how Prometheus writes label names in paths.
// What is no such name comes back as it is.
std::string UnescapeLabelName(std::string_view name);

class Form {
 public:
  explicit Form(const Request& request);

  const std::string& path() const { return path_; }  // escapes as they came
  // The first of that name, of the form before the query string; "".
  std::string_view Get(std::string_view name) const;
  std::vector<std::string> All(std::string_view name) const;
  // Of the query string alone.
  std::string_view GetFromUrl(std::string_view name) const;

 private:
  void Parse(std::string_view text);

  std::string path_;
  std::vector<std::pair<std::string, std::string>> pairs_;
  size_t from_url_ = 0;  // where those of the query string begin
};

}  // namespace narthex::api
