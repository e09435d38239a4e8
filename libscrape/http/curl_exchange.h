// One request and its answer, on one handle of libcurl.
//
// Made by whoever sends; then only the client's thread touches it, until it
// hands out the result.

#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

struct CurlFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlFree>;

// The secret itself; a file is read now.
absl::StatusOr<std::string> Reveal(const Secret& secret);
// The same; an error begins "unable to read <what>: ".
absl::StatusOr<std::string> RevealAs(std::string_view what,
                                     const Secret& secret);

class CurlExchange {
 public:
  // Sets up `easy` for the request; secrets in files are read now.
  static absl::StatusOr<std::unique_ptr<CurlExchange>> Make(
      CurlHandle easy, HttpRequest request, HttpClient::Done done,
      HttpClient::RequestId id);
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  CURL* easy() const { return easy_.get(); }
  HttpClient::RequestId id() const { return id_; }

  // The exchange is over, and no multi handle knows it any more: calls `done`.
  void Finish(CURLcode result);
  void Fail(const absl::Status& why);
  // For the next exchange.
  CurlHandle TakeHandle();

 private:
  CurlExchange(CurlHandle easy, HttpRequest request, HttpClient::Done done,
               HttpClient::RequestId id)
      : id_(id),
        request_(std::move(request)),
        done_(std::move(done)),
        easy_(std::move(easy)) {}

  absl::Status SetUp();
  absl::Status SetUpProxy(const ProxyOptions& options);
  absl::Status SetUpAuthorization(const HttpOptions& options);
  absl::Status SetUpTls(const TlsOptions& tls);
  absl::Status SetUpServerName(const std::string& server_name);
  static void AddHeader(std::unique_ptr<curl_slist, CurlFree>& list,
                        std::string_view name, std::string_view value);
  void AddHeader(std::string_view name, std::string_view value) {
    AddHeader(headers_, name, value);
  }
  std::string Verb() const;  // `Get "http://h/metrics"`
  absl::Status Explain(CURLcode result) const;

  static size_t OnHeader(char* data, size_t size, size_t n, void* self);
  static size_t OnBody(char* data, size_t size, size_t n, void* self);
  size_t TakeHeader(std::string_view line);
  size_t TakeBody(std::string_view bytes);

  const HttpClient::RequestId id_;
  HttpRequest request_;
  HttpClient::Done done_;
  HttpResponse response_;
  CurlHandle easy_;
  std::unique_ptr<curl_slist, CurlFree> headers_;
  std::unique_ptr<curl_slist, CurlFree> proxy_headers_;
  std::unique_ptr<curl_slist, CurlFree> connect_to_;
  uint64_t received_ = 0;
  bool over_limit_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace narthex::scrape
