// A program that scrapes its neighbours and itself, and serves what it has
// gathered: Prometheus in sixty lines.
//
//   embed_scrape DIR HOST:PORT...      then: curl
//   'localhost:9099/api/v1/query?query=up'

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "narthex/http_server.h"
#include "narthex/narthex.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: embed_scrape DIR HOST:PORT...\n";
    return 2;
  }

  // One pool of threads for everything; the host may bring its own Executor.
  narthex::ThreadPool pool;
  auto logger = narthex::NewStderrLogger(narthex::LogLevel::kInfo);
  auto nx = narthex::Narthex::Open(
      {.data_dir = argv[1], .executor = &pool, .logger = logger.get()});
  if (!nx.ok()) {
    std::cerr << nx.status() << "\n";
    return 1;
  }

  narthex::scrape::Job job;
  job.name = "neighbours";
  job.targets = std::vector<std::string>(argv + 2, argv + argc);
  job.interval = narthex::Seconds(5);
  job.timeout = narthex::Seconds(4);
  if (auto status = (*nx)->SetJobs({job}); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }

  // The handler is a function: any HTTP server can call it.  Here it is the one
  // that comes along.
  auto handler = narthex::api::Handler::Make(**nx);
  if (!handler.ok()) return 1;
  auto server = narthex::HttpServer::Start(
      [&](const narthex::api::Request& request) {
        return (*handler)->Handle(request);
      },
      {.listen = {"127.0.0.1:9099"}, .executor = &pool});
  if (!server.ok()) {
    std::cerr << server.status() << "\n";
    return 1;
  }

  // Meanwhile the program does its own work, and may ask without HTTP.
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    auto down = (*nx)->Query("up == 0", (*nx)->clock().Now());
    if (down.ok()) std::cout << "down:\n" << *down << "\n";
  }
  (*server)->Stop();
  return (*nx)->Close().ok() ? 0 : 1;
}
