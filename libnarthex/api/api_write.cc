// write: the receiving end of remote write.

#include "libnarthex/api/api.h"
#include "libnarthex/remote/write_receiver.h"
#include "narthex/base/compress.h"
#include "narthex/base/logger.h"
#include "narthex/tsdb/db.h"

namespace narthex::api {
namespace {

// Of a request as it is once decompressed.
constexpr size_t kMostBytes = size_t{32} << 20;

Response Text(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.body = StrCat(text, "\n");
  return response;
}

// Is it protocol 1.0?  The type may be missing, and has it for its parameter
// or has none.
bool IsWriteRequest(std::string_view type) {
  if (type.empty()) return true;
  const size_t semicolon = type.find(';');
  if (type.substr(0, semicolon) != "application/x-protobuf") return false;
  if (semicolon == std::string_view::npos) return true;
  std::string_view parameter = type.substr(semicolon + 1);
  while (parameter.starts_with(' ')) parameter.remove_prefix(1);
  return parameter == "proto=prometheus.WriteRequest";
}

}  // namespace

Response RemoteWrite(const Context& context, const Request& request) {
  if (!context.options.remote_write_receiver) {
    return Text(404,
                "remote write receiver needs to be enabled with "
                "--web.enable-remote-write-receiver");
  }
  if (request.method != "POST") {
    Response response = Text(405, "Method Not Allowed");
    response.headers.emplace_back("Allow", "OPTIONS, POST");
    return response;
  }
  if (!IsWriteRequest(request.content_type)) {
    return Text(415, StrCat("expected application/x-protobuf of "
                            "prometheus.WriteRequest, got ",
                            request.content_type, " content-type"));
  }
  if (!request.content_encoding.empty() &&
      request.content_encoding != "snappy") {
    return Text(415, StrCat(request.content_encoding,
                            " encoding (compression) is not accepted by this "
                            "server; only snappy is acceptable"));
  }
  std::string bytes;
  if (const absl::Status status =
          Decompress(Compression::kSnappy, request.body, kMostBytes, bytes);
      !status.ok()) {
    return Text(400, Message(status));
  }
  RemoteWriteStats stats;
  const Narthex& narthex = context.narthex;
  const absl::Status status =
      ReceiveWrite(bytes, narthex.clock().Now(), narthex.storage(), stats);
  if (stats.invalid_labels != 0) {
    narthex.metrics()
        .NewCounter("prometheus_api_remote_write_invalid_labels_samples_total",
                    "The total number of received remote write samples and "
                    "histogram samples which were rejected due to invalid "
                    "labels.")
        .Inc(stats.invalid_labels);
  }
  if (absl::IsInvalidArgument(status)) return Text(400, Message(status));
  if (!status.ok()) return Text(500, Message(status));
  Response response;
  response.status = 204;
  return response;
}

}  // namespace narthex::api
