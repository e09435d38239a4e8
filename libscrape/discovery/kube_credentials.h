// The credentials that a program hands out for a Kubernetes user: `exec` of a
// kubeconfig, client.authentication.k8s.io v1 and v1beta1.
//
// Any thread.  The program runs at most once at a time, on a thread of its own,
// for a minute at most; what it says is kept until it expires or the server
// refuses it.  Close before the clock goes.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/clock.h"
#include "narthex/scrape/discovery_kinds.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

// What the program is told in KUBERNETES_EXEC_INFO, and what it answers: pure.
// `access` has an exec; `ca` is the PEM text of its CA, if it has any.
std::string ExecInfo(const KubernetesAccess& access, std::string_view ca);
struct ExecAnswer {
  std::string token = {};
  std::string certificate = {};  // PEM, and its key
  std::string key = {};
  Timestamp expires = kMaxTime;
};
absl::StatusOr<ExecAnswer> ReadExecAnswer(const KubernetesExec& exec,
                                          std::string_view json);

class KubeCredentials {
 public:
  using Options = std::shared_ptr<const HttpOptions>;
  using Done = std::function<void(absl::StatusOr<Options>)>;

  // `info` is ExecInfo; `base` is what the options are beside the credentials.
  KubeCredentials(KubernetesExec exec, std::string info, HttpOptions base,
                  Clock* clock);
  ~KubeCredentials() { Close(); }
  KubeCredentials(const KubeCredentials&) = delete;
  KubeCredentials& operator=(const KubeCredentials&) = delete;

  // `done` is called before Ask returns if the answer is known, else from the
  // program's thread; it must only hand over.  After Close: never.
  void Ask(Done done);
  // The server has refused these; if they are still the ones that we hand out,
  // the next Ask runs the program again.
  void Refuse(const Options& refused);
  // Ends the program, and waits for it.  Not from a `done`.
  void Close();

 private:
  void Run();
  absl::StatusOr<Options> Take(absl::StatusOr<ExecAnswer> answer);

  const KubernetesExec exec_;
  const std::string info_;
  const HttpOptions base_;
  Clock* const clock_;
  std::atomic<bool> closed_{false};

  absl::Mutex mu_;
  Options known_ ABSL_GUARDED_BY(mu_);
  Timestamp expires_ ABSL_GUARDED_BY(mu_) = kMaxTime;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Done> waiting_ ABSL_GUARDED_BY(mu_);
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::scrape
