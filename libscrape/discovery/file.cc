// Targets that files name: read at the start, when they change, and every
// refresh_interval.

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/discovery/discovery_counters.h"
#include "libscrape/discovery/file_watch.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kFilePathLabel = "__meta_filepath";
constexpr Duration kLookEvery = Seconds(1);

std::string Extension(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return {};
  return AsciiLower(path.substr(dot + 1));
}

bool HasWildcard(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

class FileDiscoverer final : public Discoverer {
 public:
  FileDiscoverer(FileDiscovery config, const DiscoveryContext& context)
      : state_(std::make_shared<State>(std::move(config), context)) {}
  ~FileDiscoverer() override { Stop(); }

  void Start(Sink sink) override { State::Start(state_, std::move(sink)); }
  void Stop() override { state_->Stop(); }

 private:
  // Outlives the Discoverer as long as a timer or a job knows it.
  class State {
   public:
    State(FileDiscovery config, const DiscoveryContext& context)
        : config_(std::move(config)),
          context_(context),
          watching_(context.env == Env::Posix()) {}

    static void Start(const std::shared_ptr<State>& self, Sink sink) {
      {
        absl::MutexLock lock(&self->mu_);
        self->sink_ = std::move(sink);
      }
      self->context_.executor->Run([self] { Look(self, /*due=*/true); });
    }
    void Stop() {
      {
        absl::MutexLock lock(&mu_);
        stopped_ = true;
        context_.clock->Cancel(timer_);
      }
      // A timer that is handing over right now still uses the Executor.
      absl::WriterMutexLock wait(&handing_over_);
    }

   private:
    static void Look(const std::shared_ptr<State>& self, bool due) {
      absl::MutexLock lock(&self->mu_);
      if (self->stopped_) return;
      const Timestamp now = self->context_.clock->Now();
      if (self->watching_ && self->watch_.TakeChanged()) due = true;
      if (due || now >= self->next_refresh_) {
        self->Refresh();
        self->next_refresh_ = now + self->config_.refresh_interval;
      }
      Timestamp next = self->next_refresh_;
      if (self->watching_) next = std::min(next, now + kLookEvery);
      self->timer_ = self->context_.clock->RunAt(next, [self] { Wake(self); });
    }

    static void Wake(const std::shared_ptr<State>& self) {
      absl::ReaderMutexLock lock(&self->handing_over_);
      {
        absl::MutexLock stopped(&self->mu_);
        if (self->stopped_) return;
      }
      self->context_.executor->Run([self] { Look(self, /*due=*/false); });
    }

    void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
    std::vector<std::string> ListFiles() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
    absl::StatusOr<std::vector<TargetGroup>> ReadGroups(
        const std::string& path) const;

    const FileDiscovery config_;
    const DiscoveryContext context_;
    const bool watching_;

    absl::Mutex handing_over_;  // taken before mu_
    // Held while the sink is called, so that Stop waits for it.
    absl::Mutex mu_;
    Sink sink_ ABSL_GUARDED_BY(mu_);
    bool stopped_ ABSL_GUARDED_BY(mu_) = false;
    Clock::TimerId timer_ ABSL_GUARDED_BY(mu_) = {};
    Timestamp next_refresh_ ABSL_GUARDED_BY(mu_) = 0;
    FileWatch watch_ ABSL_GUARDED_BY(mu_);
    // What was reported last, by file.
    std::map<std::string, std::vector<TargetGroup>> groups_
        ABSL_GUARDED_BY(mu_);
  };

  const std::shared_ptr<State> state_;
};

std::vector<std::string> FileDiscoverer::State::ListFiles() {
  std::vector<std::string> paths;
  for (const std::string& pattern : config_.files) {
    const std::string dir(DirName(pattern));
    if (watching_) watch_.Add(dir);
    if (!HasWildcard(pattern)) {
      if (context_.env->Exists(pattern)) paths.push_back(pattern);
      continue;
    }
    const std::string last(BaseName(pattern));
    auto entries = context_.env->ListDir(dir);
    if (!entries.ok()) {
      Log(context_.logger, LogLevel::kError, "Error listing target files",
          {{"glob", pattern}, {"err", Message(entries.status())}});
      continue;
    }
    for (const DirEntry& entry : *entries) {
      if (!entry.is_dir && fnmatch(last.c_str(), entry.name.c_str(), 0) == 0) {
        const bool bare = pattern.find('/') == std::string::npos;
        paths.push_back(bare ? entry.name : JoinPath(dir, entry.name));
      }
    }
  }
  return paths;
}

absl::StatusOr<std::vector<TargetGroup>> FileDiscoverer::State::ReadGroups(
    const std::string& path) const {
  NARTHEX_ASSIGN_OR_RETURN(const std::string bytes,
                           context_.env->ReadFile(path));
  if (Extension(path) == "json") return DecodeTargetJson(bytes, path);
  if (!context_.yaml) {
    return Unimplemented(StrCat(path, ": no reader of YAML here"));
  }
  return context_.yaml(bytes, path);
}

void FileDiscoverer::State::Refresh() {
  std::vector<TargetGroup> changed;
  std::map<std::string, std::vector<TargetGroup>> found;
  for (const std::string& path : ListFiles()) {
    auto& previous = groups_[path];
    auto groups = ReadGroups(path);
    if (!groups.ok()) {
      FileReadErrors(context_).Inc();
      Log(context_.logger, LogLevel::kError, "Error reading file",
          {{"path", path}, {"err", Message(groups.status())}});
      found[path] = previous;
      continue;
    }
    for (size_t i = 0; i < groups->size(); ++i) {
      TargetGroup& group = (*groups)[i];
      group.source = StrCat(path, ":", i);
      LabelsBuilder labels(group.labels);
      labels.Set(kFilePathLabel, path);
      group.labels = labels.Build();
      if (i >= previous.size() || previous[i] != group) {
        changed.push_back(group);
      }
    }
    found[path] = *std::move(groups);
  }
  // Groups that are no more are reported without targets.
  for (const auto& [path, previous] : groups_) {
    const auto now = found.find(path);
    const size_t left = now != found.end() ? now->second.size() : 0;
    for (size_t i = left; i < previous.size(); ++i) {
      TargetGroup gone;
      gone.source = previous[i].source;
      changed.push_back(std::move(gone));
    }
  }
  groups_ = std::move(found);
  if (!changed.empty()) sink_(std::move(changed));
}

}  // namespace

absl::Status ValidateDiscoveryPath(std::string_view path) {
  // What stands before the first `*` may be anything; behind it, no slash.
  const std::string extension = Extension(path);
  const size_t star = path.find('*');
  const bool slash_behind = star != std::string_view::npos &&
                            path.find('/', star) != std::string_view::npos;
  const bool known =
      extension == "json" || extension == "yml" || extension == "yaml";
  if (!known || slash_behind || path.empty()) {
    return InvalidArgument(
        StrCat("path name \"", path, "\" is not valid for file discovery"));
  }
  return absl::OkStatus();
}

std::unique_ptr<Discoverer> NewFileDiscoverer(FileDiscovery config,
                                              const DiscoveryContext& context) {
  return std::make_unique<FileDiscoverer>(std::move(config), context);
}

}  // namespace narthex::scrape
