#include "libscrape/discovery/kube_credentials.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "libscrape/discovery/program.h"
#include "test/scrape/discovery/ask_lab.h"

namespace narthex::scrape {
namespace {

const std::atomic<bool> kNever{false};

Program Shell(std::string script) {
  return {.command = "sh", .args = {"-c", std::move(script)}};
}

TEST_CASE("A program's output, exit code and complaints are taken",
          "[program]") {
  const auto result =
      RunProgram(Shell("echo $WHO; echo no >&2; cat; exit 3"), kNever);
  REQUIRE(result.ok());
  CHECK(result->out == "\n");
  CHECK(result->err == "no\n");
  CHECK(result->exit_code == 3);

  Program with = Shell("echo $WHO");
  with.env = {{"WHO", "me"}};
  CHECK(RunProgram(with, kNever)->out == "me\n");
  CHECK(RunProgram(Shell("kill -9 $$"), kNever)->exit_code == 128 + 9);
  CHECK(absl::IsNotFound(
      RunProgram({.command = "no-such-program"}, kNever).status()));
}

TEST_CASE("A program can't hang us, flood us or leave children behind",
          "[program]") {
  Program slow = Shell("sleep 600");
  slow.timeout = Milliseconds(50);
  CHECK(absl::IsDeadlineExceeded(RunProgram(slow, kNever).status()));
  Program flood = Shell("while :; do echo much; done");
  flood.output_limit = 10'000;
  CHECK(absl::IsResourceExhausted(RunProgram(flood, kNever).status()));
  // Its child still holds the output open; it is not waited for.
  const auto left = RunProgram(Shell("sleep 600 & echo done"), kNever);
  REQUIRE(left.ok());
  CHECK(left->out == "done\n");
  const std::atomic<bool> cancelled{true};
  CHECK(absl::IsCancelled(RunProgram(Shell("sleep 600"), cancelled).status()));
}

TEST_CASE("What a program answers is read as client-go reads it",
          "[kubernetes]") {
  KubernetesExec exec;
  exec.command = "login";
  exec.api_version = "client.authentication.k8s.io/v1";
  const auto read = [&](std::string_view status,
                        std::string_view version = "v1") {
    return ReadExecAnswer(
        exec,
        StrCat(R"({"kind":"ExecCredential","apiVersion":")",
               "client.authentication.k8s.io/", version, "\"", status, "}"));
  };
  const auto error = [&](std::string_view status,
                         std::string_view version = "v1") {
    return std::string(Message(read(status, version).status()));
  };
  const auto good = read(
      R"(,"status":{"token":"t","expirationTimestamp":"2026-11-20T12:00:00Z"})");
  REQUIRE(good.ok());
  CHECK(good->token == "t");
  CHECK(FormatRfc3339(good->expires) == "2026-11-20T12:00:00Z");
  CHECK(read(R"(,"status":{"token":"t"})")->expires == kMaxTime);
  CHECK(read(R"(,"status":{"clientCertificateData":"C",)"
             R"("clientKeyData":"K"})")
            ->key == "K");

  const std::string who = "getting credentials: exec plugin login ";
  CHECK(error(R"(,"status":{"token":"t"})", "v1beta1") ==
        who +
            "is configured to use API version "
            "client.authentication.k8s.io/v1, plugin returned version "
            "client.authentication.k8s.io/v1beta1");
  CHECK(error("") == who + "didn't return a status field");
  CHECK(error(R"(,"status":{})") ==
        who + "didn't return a token or cert/key pair");
  CHECK(error(R"(,"status":{"clientKeyData":"K"})") ==
        who + "returned only certificate or key, not both");
  CHECK(error(R"(,"status":{"token":"t","expirationTimestamp":"soon"})") ==
        who + "returned an expirationTimestamp that is none");
  CHECK_FALSE(ReadExecAnswer(exec, "please log in").ok());
  CHECK_FALSE(ReadExecAnswer(exec, "").ok());
}

TEST_CASE("A program that wants to know the cluster is told of it",
          "[kubernetes]") {
  KubernetesAccess access;
  access.server = "https://api";
  access.http.tls.server_name = "inside";
  access.exec.emplace().api_version = "client.authentication.k8s.io/v1beta1";
  CHECK(ExecInfo(access, "CA") ==
        R"({"apiVersion":"client.authentication.k8s.io/v1beta1",)"
        R"("kind":"ExecCredential","spec":{"interactive":false}})");
  access.exec->provide_cluster_info = true;
  CHECK(ExecInfo(access, "CA ") ==
        R"({"apiVersion":"client.authentication.k8s.io/v1beta1",)"
        R"("kind":"ExecCredential","spec":{"cluster":{)"
        R"("certificate-authority-data":"Q0Eg","server":"https://api",)"
        R"("tls-server-name":"inside"},"interactive":false}})");
}

// A program in a directory of its own that counts its runs.
class Login {
 public:
  Login() {
    std::filesystem::create_directories(dir_);
    exec_.command = "sh";
    exec_.api_version = "client.authentication.k8s.io/v1";
  }
  ~Login() { std::filesystem::remove_all(dir_); }

  std::string PathTo(std::string_view name) const {
    return StrCat(dir_.string(), "/", name);
  }
  // `more` goes behind the token.
  KubernetesExec Exec(std::string_view more = "") {
    exec_.args = {
        "-c",
        StrCat("echo . >>'", PathTo("runs"), "'; n=$(wc -l <'", PathTo("runs"),
               "'); printf '{\"kind\":\"ExecCredential\",",
               "\"apiVersion\":\"client.authentication.k8s.io/v1\",",
               "\"status\":{\"token\":\"t%d\"", more, "}}' $n")};
    return exec_;
  }
  int Runs() const {
    std::ifstream file(PathTo("runs"));
    int lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    return lines;
  }

 private:
  const std::filesystem::path dir_ = std::filesystem::temp_directory_path() /
                                     StrCat("narthex-login-", getpid());
  KubernetesExec exec_;
};

std::string AskToken(KubeCredentials& credentials,
                     KubeCredentials::Options* options = nullptr) {
  absl::Notification told;
  std::string token;
  credentials.Ask([&](absl::StatusOr<KubeCredentials::Options> known) {
    token = known.ok() ? (*known)->credentials.value
                       : std::string(Message(known.status()));
    if (known.ok() && options != nullptr) *options = *known;
    told.Notify();
  });
  told.WaitForNotification();
  return token;
}

TEST_CASE("Credentials are kept until they expire or are refused",
          "[kubernetes]") {
  Login login;
  FakeClock clock(*ParseTime("2026-11-20T12:00:00Z"));
  KubeCredentials credentials(
      login.Exec(R"(,"expirationTimestamp":"2026-11-20T12:10:00Z")"), "{}", {},
      &clock);
  CHECK(AskToken(credentials) == "t1");
  clock.Advance(Minutes(9));
  CHECK(AskToken(credentials) == "t1");
  clock.Advance(Minutes(2));
  CHECK(AskToken(credentials) == "t2");
  CHECK(login.Runs() == 2);

  KubeCredentials lasting(login.Exec(), "{}", {}, &clock);
  KubeCredentials::Options first, second;
  CHECK(AskToken(lasting, &first) == "t3");
  lasting.Refuse(first);
  CHECK(AskToken(lasting, &second) == "t4");
  lasting.Refuse(first);  // long replaced
  CHECK(AskToken(lasting) == "t4");
  CHECK(login.Runs() == 4);
}

TEST_CASE("A program that fails is named", "[kubernetes]") {
  FakeClock clock(Timestamp(0));
  KubernetesExec exec;
  exec.command = "no-such-login";
  exec.install_hint = "apt install login";
  KubeCredentials missing(exec, "{}", {}, &clock);
  CHECK(AskToken(missing) ==
        "getting credentials: exec: executable no-such-login not found: apt "
        "install login");
  exec.command = "sh";
  exec.args = {"-c", "echo expired, log in again >&2; exit 2"};
  KubeCredentials failing(exec, "{}", {}, &clock);
  CHECK(AskToken(failing) ==
        "getting credentials: exec: executable sh failed with exit code 2: "
        "expired, log in again");
}

TEST_CASE("A discoverer that stops does not wait for its program",
          "[kubernetes]") {
  FakeClock clock(Timestamp(0));
  KubernetesExec exec;
  exec.command = "sleep";
  exec.args = {"600"};
  bool told = false;
  KubeCredentials credentials(exec, "{}", {}, &clock);
  credentials.Ask([&](const auto&) { told = true; });
  credentials.Close();
  CHECK_FALSE(told);
}

TEST_CASE("A refused token is replaced, and the list asked again",
          "[kubernetes]") {
  Login login;
  AskLab lab;
  std::vector<std::string> tokens;
  absl::Mutex mu;
  lab.client.answer = [&](const HttpRequest& request) {
    absl::MutexLock lock(&mu);
    tokens.push_back(request.options->credentials.value);
    if (tokens.back() == "t1") {
      return AskLab::Reply(R"({"message":"Unauthorized"})", "application/json",
                           401);
    }
    return AskLab::Reply(R"({"metadata":{"resourceVersion":"1"},"items":[]})");
  };
  const std::string path = login.PathTo("kubeconfig");
  std::ofstream(path) << "there\n";
  lab.kubeconfig = [&](std::string_view,
                       std::string_view) -> absl::StatusOr<KubernetesAccess> {
    KubernetesAccess access;
    access.server = "http://api";
    access.exec = login.Exec();
    return access;
  };
  // Time goes on for the retry, while the program runs in real time.
  const auto asked = [&](size_t n) {
    for (int i = 0; i < 6000; ++i) {
      {
        absl::MutexLock lock(&mu);
        if (tokens.size() >= n) return true;
      }
      absl::SleepFor(absl::Milliseconds(10));
      lab.clock.Advance(Milliseconds(100));
    }
    return false;
  };
  KubernetesDiscovery config;
  config.kubeconfig_file = path;
  const auto discoverer = lab.Discover(config);
  REQUIRE(discoverer.ok());
  REQUIRE(asked(2));
  (*discoverer)->Stop();
  CHECK(tokens[1] == "t2");
  CHECK(login.Runs() == 2);
}

}  // namespace
}  // namespace narthex::scrape
