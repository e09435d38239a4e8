// narthex-scrape-load: how much scraping one process holds.  Starts page-stub,
// scrapes it as many targets, and prints one JSON object per line: samples per
// second, CPU time per sample (the stub's apart), scrapes that failed or came
// late.  Exit code 1: it does not hold.
//
//   narthex-scrape-load [-stub FILE] [-targets N] [-series N] [-seconds N]
//                       [-interval MS] [-dir DIR]

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "benchmarks/bench.h"
#include "narthex/base/status.h"
#include "narthex/narthex.h"

namespace narthex::bench {
namespace {

constexpr size_t kShownErrors = 3;

struct LoadFlags {
  std::string stub = {};
  std::string dir = "data/load";
  int targets = 1000;
  int series = 500;
  int seconds = 30;
  int interval_ms = 1000;
};

// page-stub as a child; its CPU time is known while it runs, from /proc.
class StubProcess {
 public:
  absl::Status Start(const LoadFlags& flags) {
    int pipe_ends[2] = {};
    if (pipe(pipe_ends) != 0) return Internal("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      close(pipe_ends[0]);
      const std::string series = std::to_string(flags.series);
      execl(flags.stub.c_str(), flags.stub.c_str(), series.c_str(), nullptr);
      _exit(127);
    }
    close(pipe_ends[1]);
    FILE* const out = fdopen(pipe_ends[0], "r");
    const bool told = std::fscanf(out, "%d", &port_) == 1;
    std::fclose(out);
    if (!told) return Unavailable(StrCat(flags.stub, " does not start"));
    return absl::OkStatus();
  }
  ~StubProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  int port() const { return port_; }
  double CpuSeconds() const {
    const std::string path = StrCat("/proc/", pid_, "/stat");
    FILE* const file = std::fopen(path.c_str(), "r");
    if (file == nullptr) return 0;
    unsigned long user = 0, system = 0;
    const bool read = std::fscanf(file,
                                  "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u "
                                  "%*u %*u %lu %lu",
                                  &user, &system) == 2;
    std::fclose(file);
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    return read ? static_cast<double>(user + system) / ticks : 0;
  }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

absl::StatusOr<double> Ask(Narthex& nx, const std::string& question,
                           Timestamp at) {
  NARTHEX_ASSIGN_OR_RETURN(auto answer, nx.Query(question, at));
  const auto* const vector = std::get_if<promql::Vector>(&answer.value);
  return vector != nullptr && vector->size() == 1 ? vector->front().v : 0.0;
}

absl::StatusOr<bool> RunLoad(const LoadFlags& flags) {
  std::filesystem::remove_all(flags.dir);
  StubProcess stub;
  NARTHEX_RETURN_IF_ERROR(stub.Start(flags));
  NARTHEX_ASSIGN_OR_RETURN(auto nx, Narthex::Open({.data_dir = flags.dir}));
  scrape::Job job;
  job.name = "load";
  job.interval = job.timeout = Milliseconds(flags.interval_ms);
  for (int i = 0; i < flags.targets; ++i) {
    job.targets.push_back(
        StrCat("127.0.", i / 250, ".", i % 250 + 1, ":", stub.port()));
  }
  NARTHEX_RETURN_IF_ERROR(nx->SetJobs({job}));
  // Connections and series are made once.
  std::this_thread::sleep_for(
      std::chrono::milliseconds(3 * flags.interval_ms + 1000));

  const double cpu = ProcessCpuSeconds(), stub_cpu = stub.CpuSeconds();
  const double begin = WallSeconds();
  std::set<std::string> errors;
  for (int s = 0; s < flags.seconds; ++s) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    for (const scrape::TargetStatus& target : nx->Targets()) {
      if (target.last_error.empty() || errors.size() >= kShownErrors) continue;
      errors.insert(target.last_error);
    }
  }
  const double wall = WallSeconds() - begin;
  const double used = ProcessCpuSeconds() - cpu;
  const double stub_used = stub.CpuSeconds() - stub_cpu;

  // All of one moment that no scrape under way can still add to.
  const Timestamp at = nx->clock().Now() - Milliseconds(flags.interval_ms);
  const std::string window = StrCat("[", flags.seconds, "s]");
  NARTHEX_ASSIGN_OR_RETURN(
      const double samples,
      Ask(*nx, StrCat("sum(sum_over_time(scrape_samples_scraped", window, "))"),
          at));
  NARTHEX_ASSIGN_OR_RETURN(
      const double scrapes,
      Ask(*nx, StrCat("sum(count_over_time(up", window, "))"), at));
  NARTHEX_ASSIGN_OR_RETURN(
      const double good,
      Ask(*nx, StrCat("sum(sum_over_time(up", window, "))"), at));
  NARTHEX_ASSIGN_OR_RETURN(
      const double slowest,
      Ask(*nx,
          StrCat("max(max_over_time(scrape_duration_seconds", window, "))"),
          at));
  const std::string which = StrCat(flags.targets, "x", flags.series, " each ",
                                   flags.interval_ms, " ms");
  const double wanted = 1000.0 * flags.targets / flags.interval_ms;
  Emit("LOAD", which, "samples per second", samples / flags.seconds, "1/s");
  Emit("LOAD", which, "cpu per sample",
       used / (samples / flags.seconds * wall) * 1e9, "ns");
  Emit("LOAD", which, "cpu", used / wall, "cores");
  Emit("LOAD", which, "cpu of the stub", stub_used / wall, "cores");
  Emit("LOAD", which, "scrapes of those due", scrapes / flags.seconds / wanted,
       "1");
  Emit("LOAD", which, "scrapes that failed", scrapes - good, "1");
  Emit("LOAD", which, "slowest scrape", slowest, "s");
  Emit("LOAD", which, "resident memory", ReadMemoryUse().resident, "B");
  for (const std::string& error : errors) std::cerr << error << "\n";
  NARTHEX_RETURN_IF_ERROR(nx->Close());
  return scrapes == good && scrapes / flags.seconds > 0.98 * wanted;
}

int Main(int argc, char** argv) {
  LoadFlags flags;
  flags.stub =
      (std::filesystem::path(argv[0]).parent_path() / "page-stub").string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    const int number = std::atoi(value.c_str());
    if (name == "-stub") {
      flags.stub = value;
    } else if (name == "-dir") {
      flags.dir = value;
    } else if (name == "-targets" && number > 0) {
      flags.targets = number;
    } else if (name == "-series" && number > 0) {
      flags.series = number;
    } else if (name == "-seconds" && number > 0) {
      flags.seconds = number;
    } else if (name == "-interval" && number > 0) {
      flags.interval_ms = number;
    } else {
      std::cerr << "narthex-scrape-load: unknown " << name << " " << value
                << "\n";
      return 2;
    }
  }
  const auto holds = RunLoad(flags);
  if (!holds.ok()) {
    std::cerr << "narthex-scrape-load: " << Message(holds.status()) << "\n";
    return 1;
  }
  if (!*holds) std::cerr << "narthex-scrape-load: does not hold the load\n";
  return *holds ? 0 : 1;
}

}  // namespace
}  // namespace narthex::bench

int main(int argc, char** argv) {
  // Debian's Abseil looks for deadlocks at every lock; that is for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return narthex::bench::Main(argc, argv);
}
