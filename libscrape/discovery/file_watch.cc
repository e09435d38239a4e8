#include "libscrape/discovery/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstdint>

namespace narthex::scrape {

FileWatch::FileWatch() : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FileWatch::~FileWatch() {
  if (fd_ >= 0) close(fd_);
}

void FileWatch::Add(const std::string& dir) {
  if (fd_ < 0) return;
  constexpr uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY |
                               IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                               IN_DELETE_SELF | IN_MOVE_SELF;
  // A failure (no such directory yet, no watches left) leaves the periodic
  // reading, which tries again.
  (void)inotify_add_watch(fd_, dir.c_str(), kEvents);
}

bool FileWatch::TakeChanged() {
  if (fd_ < 0) return false;
  bool changed = false;
  alignas(inotify_event) char buffer[4096];
  // The queue is bounded by the system, so this ends.
  while (read(fd_, buffer, sizeof(buffer)) > 0) changed = true;
  return changed;
}

}  // namespace narthex::scrape
