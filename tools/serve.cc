// `narthex serve`: the server.  Configuration in, scrapes, HTTP out; the only
// place that knows signals.

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <iostream>

#include "narthex/base/status.h"
#include "narthex/version.h"
#include "tools/serve_flags.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

// Blocked in every thread from here on, and waited for; given back to the
// system at the end, so that a second Ctrl-C during a long shutdown kills.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  int Wait() {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }
  void GiveBack() { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
  sigset_t set_;
};

// Answers 503 until there is a handler.
class Gate {
 public:
  void Open(const api::Handler& handler) { handler_.store(&handler); }
  api::Response Handle(const api::Request& request) const {
    if (const api::Handler* handler = handler_.load()) {
      return handler->Handle(request);
    }
    api::Response response;
    response.status = 503;
    response.content_type = "text/plain; charset=utf-8";
    response.body = "Service Unavailable";
    if (request.target == "/-/healthy") {
      response.status = 200;
      response.body = "Prometheus Server is Healthy.\n";
    }
    return response;
  }

 private:
  std::atomic<const api::Handler*> handler_ = nullptr;
};

int Serve(ServeSettings settings) {
  Signals signals;
  const auto lines = NewStderrLogger(settings.log_level);
  AboveBars logger(*lines);
  auto log = [&](LogLevel level, std::string_view message,
                 std::initializer_list<LogField> fields = {}) {
    Log(&logger, level, message, fields);
  };
  for (const ServeSettings::Notice& notice : settings.notices) {
    if (notice.option.empty()) {
      log(notice.level, notice.message);
    } else {
      log(notice.level, notice.message, {{"option", notice.option}});
    }
  }
  const std::string version(GetBuildInfo().version);
  log(LogLevel::kInfo, "Starting narthex", {{"version", version}});

  // Mistakes in the configuration and a port in use are told before a long
  // replay, not after it.
  const auto config = LoadConfig(*Env::Posix(), settings.config_file);
  if (!config.ok()) {
    log(LogLevel::kError, "Error loading config",
        {{"file", settings.config_file}, {"err", Message(config.status())}});
    return kFailure;
  }
  ThreadPool pool;
  Gate gate;
  settings.http.executor = &pool;
  settings.http.logger = &logger;
  auto server = HttpServer::Start(
      [&](const api::Request& request) { return gate.Handle(request); },
      settings.http);
  if (!server.ok()) {
    log(LogLevel::kError, "Unable to start web listener",
        {{"err", Message(server.status())}});
    return kFailure;
  }
  for (size_t i = 0; i < settings.http.listen.size(); ++i) {
    const std::string port = StrCat((*server)->ports()[i]);
    log(LogLevel::kInfo, "Listening on",
        {{"address", settings.http.listen[i]}, {"port", port}});
  }

  settings.options.executor = &pool;
  settings.options.logger = &logger;
  settings.options.storage.progress = StorageProgress();
  auto narthex =
      Narthex::OpenFromConfig(settings.config_file, settings.options);
  if (!narthex.ok()) {
    (*server)->Stop();
    log(LogLevel::kError, "Opening storage failed",
        {{"err", Message(narthex.status())}});
    return kFailure;
  }

  auto reload = [&] {
    const absl::Status status = (*narthex)->Reload(settings.config_file);
    if (status.ok()) {
      log(LogLevel::kInfo, "Completed loading of configuration file",
          {{"filename", settings.config_file}});
    } else {
      log(LogLevel::kError, "Error reloading config",
          {{"err", Message(status)}});
    }
    return status;
  };
  if (settings.lifecycle) {
    settings.api.reload = reload;
    settings.api.quit = [] { kill(getpid(), SIGTERM); };
  }
  const auto handler = api::Handler::Make(**narthex, settings.api);
  if (!handler.ok()) {
    (*server)->Stop();
    log(LogLevel::kError, "--web.cors.origin",
        {{"err", Message(handler.status())}});
    return kFailure;
  }
  gate.Open(**handler);
  log(LogLevel::kInfo, "Server is ready to receive web requests.");

  int signal = 0;
  while ((signal = signals.Wait()) == SIGHUP) reload().IgnoreError();
  log(LogLevel::kInfo, "Received an OS signal, exiting gracefully...",
      {{"signal", signal == SIGINT ? "interrupt" : "terminated"}});
  signals.GiveBack();
  (*server)->Stop();
  const absl::Status closed = (*narthex)->Close();
  if (!closed.ok()) {
    log(LogLevel::kError, "Closing storage failed", {{"err", Message(closed)}});
    return kFailure;
  }
  log(LogLevel::kInfo, "See you next time!");
  return kSuccess;
}

}  // namespace

void AddServe(CLI::App& parent, int& exit_code) {
  CLI::App* serve = parent.add_subcommand(
      "serve", "Scrape, store and answer over HTTP, as a Prometheus server");
  auto flags = std::make_shared<ServeFlags>();
  DeclareServeFlags(*serve, flags);
  serve->callback([serve, flags, &exit_code] {
    std::vector<std::string> given;
    for (const CLI::Option* option : serve->get_options()) {
      if (option->count() > 0) given.push_back(option->get_lnames().front());
    }
    auto settings = ReadServeFlags(*flags, given);
    exit_code =
        settings.ok() ? Serve(*std::move(settings)) : Fail(settings.status());
  });
}

}  // namespace narthex::tools
