#include "libscrape/discovery/kube_credentials.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "libscrape/discovery/kube_json.h"
#include "libscrape/discovery/program.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(bytes.size() - i, 3);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < left ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out.push_back(k <= left ? kDigits[bits >> (18 - 6 * k) & 63] : '=');
    }
  }
  return out;
}

// The text up to a line end, for a message of one line.
std::string_view FirstLine(std::string_view text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) {
    text.remove_prefix(1);
  }
  return text.substr(0, text.find_first_of("\r\n"));
}

absl::Status Failed(const KubernetesExec& exec, std::string_view what) {
  return Unavailable(StrCat("getting credentials: exec: executable ",
                            exec.command, " ", what));
}

absl::StatusOr<ExecAnswer> RunExec(const KubernetesExec& exec,
                                   const std::string& info,
                                   const std::atomic<bool>& closed) {
  Program program;
  program.command = exec.command;
  program.args = exec.args;
  program.env = exec.env;
  program.env.emplace_back("KUBERNETES_EXEC_INFO", info);
  const absl::StatusOr<ProgramResult> result = RunProgram(program, closed);
  if (!result.ok()) {
    std::string what(Message(result.status()));
    if (absl::IsNotFound(result.status()) && !exec.install_hint.empty()) {
      StrAppend(&what, ": ", exec.install_hint);
    }
    return Failed(exec, what);
  }
  if (result->exit_code != 0) {
    const std::string_view said = FirstLine(result->err);
    return Failed(exec, StrCat("failed with exit code ", result->exit_code,
                               said.empty() ? "" : ": ", said));
  }
  return ReadExecAnswer(exec, result->out);
}

}  // namespace

std::string ExecInfo(const KubernetesAccess& access, std::string_view ca) {
  Json spec = {{"interactive", false}};
  if (access.exec->provide_cluster_info) {
    Json& cluster = spec["cluster"];
    cluster["server"] = access.server;
    const TlsOptions& tls = access.http.tls;
    if (!tls.server_name.empty()) cluster["tls-server-name"] = tls.server_name;
    if (tls.insecure_skip_verify) cluster["insecure-skip-tls-verify"] = true;
    if (!ca.empty()) cluster["certificate-authority-data"] = Base64(ca);
    const std::string& proxy = access.http.proxy.url;
    if (!proxy.empty()) cluster["proxy-url"] = proxy;
  }
  const Json info = {{"kind", "ExecCredential"},
                     {"apiVersion", access.exec->api_version},
                     {"spec", std::move(spec)}};
  // Bytes that are not UTF-8 are replaced, not thrown about.
  return info.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<ExecAnswer> ReadExecAnswer(const KubernetesExec& exec,
                                          std::string_view json) {
  const auto wrong = [&](std::string_view what) {
    return DataLoss(
        StrCat("getting credentials: exec plugin ", exec.command, " ", what));
  };
  const Json answer = ParseKubeJson(json);
  if (Text(answer, "kind") != "ExecCredential") {
    return wrong("didn't return an ExecCredential");
  }
  const std::string version = Text(answer, "apiVersion");
  if (version != exec.api_version) {
    return wrong(StrCat("is configured to use API version ", exec.api_version,
                        ", plugin returned version ", version));
  }
  const Json& status = At(answer, "status");
  if (!status.is_object()) return wrong("didn't return a status field");
  ExecAnswer out;
  out.token = Text(status, "token");
  out.certificate = Text(status, "clientCertificateData");
  out.key = Text(status, "clientKeyData");
  if (out.token.empty() && out.certificate.empty() && out.key.empty()) {
    return wrong("didn't return a token or cert/key pair");
  }
  if (out.certificate.empty() != out.key.empty()) {
    return wrong("returned only certificate or key, not both");
  }
  if (const Json& until = At(status, "expirationTimestamp"); !until.is_null()) {
    const absl::StatusOr<Timestamp> at =
        ParseTime(Text(status, "expirationTimestamp"));
    if (!at.ok()) return wrong("returned an expirationTimestamp that is none");
    out.expires = *at;
  }
  return out;
}

KubeCredentials::KubeCredentials(KubernetesExec exec, std::string info,
                                 HttpOptions base, Clock* clock)
    : exec_(std::move(exec)),
      info_(std::move(info)),
      base_(std::move(base)),
      clock_(clock) {}

void KubeCredentials::Ask(Done done) {
  Options known;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    if (known_ != nullptr && clock_->Now() < expires_) {
      known = known_;
    } else {
      waiting_.push_back(std::move(done));
      if (std::exchange(running_, true)) return;
      // It has said that it does not run: it ends now.
      if (thread_.joinable()) thread_.join();
      thread_ = std::thread([this] { Run(); });
      return;
    }
  }
  done(std::move(known));
}

absl::StatusOr<KubeCredentials::Options> KubeCredentials::Take(
    absl::StatusOr<ExecAnswer> answer) {
  if (!answer.ok()) return answer.status();
  auto options = std::make_shared<HttpOptions>(base_);
  if (!answer->token.empty()) {
    options->auth_type = "Bearer";
    options->credentials = {.value = std::move(answer->token)};
  }
  if (!answer->certificate.empty()) {
    options->tls.cert = {.value = std::move(answer->certificate)};
    options->tls.key = {.value = std::move(answer->key)};
  }
  absl::MutexLock lock(&mu_);
  known_ = std::move(options);
  expires_ = answer->expires;
  return known_;
}

void KubeCredentials::Run() {
  for (;;) {
    const absl::StatusOr<Options> result = Take(RunExec(exec_, info_, closed_));
    std::vector<Done> waiting;
    {
      absl::MutexLock lock(&mu_);
      waiting.swap(waiting_);
    }
    for (const Done& done : waiting) {
      if (!closed_) done(result);
    }
    absl::MutexLock lock(&mu_);
    if (waiting_.empty() || closed_) {
      running_ = false;
      return;
    }
    // Somebody asked while these were told that it failed: once more.
  }
}

void KubeCredentials::Refuse(const Options& refused) {
  absl::MutexLock lock(&mu_);
  if (known_ == refused) known_.reset();
}

void KubeCredentials::Close() {
  std::thread thread;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    waiting_.clear();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace narthex::scrape
