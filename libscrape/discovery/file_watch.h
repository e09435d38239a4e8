// Asks the system whether something changed in some directories, without
// waiting and without a thread: whoever wants to know asks from a timer.
//
// One thread at a time.  Where the system can't tell, it always says no.

#pragma once

#include <string>

namespace narthex::scrape {

class FileWatch {
 public:
  FileWatch();
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Watches `dir` itself, so that files that are replaced by a rename count.
  // Again after it was made anew: harmless otherwise.
  void Add(const std::string& dir);
  // Whether something happened since the last call.
  bool TakeChanged();

 private:
  int fd_ = -1;
};

}  // namespace narthex::scrape
