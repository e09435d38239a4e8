#include "libscrape/discovery/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "narthex/base/status.h"

extern char** environ;

namespace narthex::scrape {
namespace {

constexpr size_t kErrorBytes = 4096;
// How soon an end, or a cancellation, is seen.
constexpr int kTickMillis = 20;
// More than a pipe holds.
constexpr int kReadsInTurn = 64;

class Fd {
 public:
  Fd() = default;
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  void Set(int fd) {
    Close();
    fd_ = fd;
  }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

// Both ends, neither inherited; what we read never blocks us.
absl::Status OpenPipe(Fd& ours, Fd& theirs) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return Unavailable(StrCat("pipe: ", std::strerror(errno)));
  }
  ours.Set(fds[0]);
  theirs.Set(fds[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return absl::OkStatus();
}

// What posix_spawn is told: nothing to read, two outputs, no other file, a
// group of its own, no signal blocked or ignored.
class Setup {
 public:
  Setup(const Fd& out, const Fd& err) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, out.get(), 1);
    posix_spawn_file_actions_adddup2(&files_, err.get(), 2);
    posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF |
                                               POSIX_SPAWN_SETPGROUP);
  }
  ~Setup() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

absl::StatusOr<pid_t> Spawn(const Program& program, const Fd& out,
                            const Fd& err) {
  std::vector<std::string> arguments = {program.command};
  arguments.insert(arguments.end(), program.args.begin(), program.args.end());
  // The last of a name would not count, so the new ones replace the old.
  std::vector<std::string> environment;
  for (char** one = environ; one != nullptr && *one != nullptr; ++one) {
    const std::string_view text = *one;
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : program.env) replaced |= key == name;
    if (!replaced) environment.emplace_back(text);
  }
  for (const auto& [key, value] : program.env) {
    environment.push_back(StrCat(key, "=", value));
  }
  const Setup setup(out, err);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, program.command.c_str(), setup.files(),
                                 setup.attributes(), Pointers(arguments).data(),
                                 Pointers(environment).data());
  if (error == ENOENT) return NotFound("not found");
  if (error != 0) return Unavailable(std::strerror(error));
  return pid;
}

// What is there now (of a flood, a part) to the end of `into`, up to `limit`;
// the rest is dropped.  false: nothing will come any more.
bool Drain(const Fd& fd, size_t limit, std::string& into) {
  char buffer[4096];
  for (int reads = 0; fd.get() >= 0 && reads < kReadsInTurn; ++reads) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    const size_t room = limit - std::min(limit, into.size());
    into.append(buffer, std::min(room, static_cast<size_t>(n)));
  }
  return true;
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const Program& program,
                                         const std::atomic<bool>& cancelled) {
  Fd out, err, their_out, their_err;
  NARTHEX_RETURN_IF_ERROR(OpenPipe(out, their_out));
  NARTHEX_RETURN_IF_ERROR(OpenPipe(err, their_err));
  NARTHEX_ASSIGN_OR_RETURN(const pid_t pid,
                           Spawn(program, their_out, their_err));
  their_out.Close();
  their_err.Close();

  ProgramResult result;
  absl::Status error;
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::milliseconds(program.timeout.ms);
  int status = 0;
  bool ended = false;
  while (!ended && error.ok()) {
    pollfd fds[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
    poll(fds, 2, kTickMillis);
    // First whether it has ended: what it wrote is then all there.
    const pid_t waited = waitpid(pid, &status, WNOHANG);
    ended = waited == pid || (waited < 0 && errno == ECHILD);
    if (!Drain(out, program.output_limit + 1, result.out)) out.Close();
    if (!Drain(err, kErrorBytes, result.err)) err.Close();
    if (result.out.size() > program.output_limit) {
      error = ResourceExhausted(
          StrCat("wrote more than ", program.output_limit, " bytes"));
    } else if (!ended && cancelled) {
      error = Cancelled("was cancelled");
    } else if (!ended && std::chrono::steady_clock::now() >= deadline) {
      error = DeadlineExceeded(
          StrCat("did not end within ", program.timeout.ms / 1000, " seconds"));
    }
  }
  // What it has left behind must not outlive our interest in it.
  kill(-pid, SIGKILL);
  if (!ended) waitpid(pid, &status, 0);
  if (!error.ok()) return error;
  result.exit_code =
      WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace narthex::scrape
