#include "benchmarks/bench.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::bench {

namespace {

// As the peers' encoder has it, so that equal cases are equal text.
std::string Escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '<') {
      out += "\\u003c";
    } else if (c == '>') {
      out += "\\u003e";
    } else if (c == '&') {
      out += "\\u0026";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void Emit(std::string_view workload, std::string_view which,
          std::string_view metric, double value, std::string_view unit) {
  const std::string line =
      StrCat("{\"workload\":\"", workload, "\",\"case\":\"", Escaped(which),
             "\",\"metric\":\"", metric, "\",\"value\":", FormatFloat(value),
             ",\"unit\":\"", unit, "\"}\n");
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

double ProcessCpuSeconds() {
  rusage use = {};
  getrusage(RUSAGE_SELF, &use);
  auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

double ThreadCpuSeconds() {
  timespec t = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double WallSeconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

MemoryUse ReadMemoryUse() {
  MemoryUse use;
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    auto kilobytes = [&line](size_t prefix) {
      return std::atof(line.c_str() + prefix) * 1024;
    };
    if (line.starts_with("VmRSS:")) use.resident = kilobytes(6);
    if (line.starts_with("VmHWM:")) use.peak = kilobytes(6);
  }
  return use;
}

double DirBytes(const std::string& dir) {
  double bytes = 0;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(dir, error)) {
    if (entry.is_regular_file(error)) {
      bytes += static_cast<double>(entry.file_size(error));
    }
  }
  return bytes;
}

}  // namespace narthex::bench
