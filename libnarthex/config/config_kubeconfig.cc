// kubeconfig files: of many clusters, users and contexts, the current one.

#include <algorithm>

#include "libnarthex/config/config_parts.h"

namespace narthex {
namespace {

using config::YamlNode;

const YamlNode* Member(const YamlNode& map, std::string_view key) {
  for (const config::YamlEntry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string Text(const YamlNode& map, std::string_view key) {
  const YamlNode* value = Member(map, key);
  return value != nullptr && value->kind == YamlNode::Kind::kScalar
             ? value->text
             : std::string();
}

bool IsTrue(const YamlNode& map, std::string_view key) {
  return Text(map, key) == "true";
}

// In `list` the item called `name`, and of that the map under `key`.
const YamlNode* Named(const YamlNode& root, std::string_view list,
                      std::string_view key, std::string_view name) {
  const YamlNode* items = Member(root, list);
  if (items == nullptr) return nullptr;
  for (const YamlNode& item : items->items) {
    if (Text(item, "name") == name) return Member(item, key);
  }
  return nullptr;
}

// Standard base64, line ends and padding at will.
bool DecodeBase64(std::string_view text, std::string& out) {
  uint32_t bits = 0;
  int held = 0;
  out.clear();
  for (const char c : text) {
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else if (c == '=' || c == '\n' || c == '\r' || c == ' ') {
      continue;
    } else {
      return false;
    }
    bits = bits << 6 | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xff));
  }
  return true;
}

class KubeconfigReader {
 public:
  KubeconfigReader(const YamlNode& root, std::string_view file)
      : root_(root), file_(file) {}

  absl::StatusOr<scrape::KubernetesAccess> Read() {
    const std::string current = Text(root_, "current-context");
    const YamlNode* context = Named(root_, "contexts", "context", current);
    if (context == nullptr) {
      return config::ErrorAt(file_, root_,
                             StrCat("there is no context \"", current, "\""));
    }
    const std::string cluster_name = Text(*context, "cluster");
    const YamlNode* cluster = Named(root_, "clusters", "cluster", cluster_name);
    if (cluster == nullptr) {
      return config::ErrorAt(
          file_, *context,
          StrCat("there is no cluster \"", cluster_name, "\""));
    }
    scrape::KubernetesAccess access;
    access.own_namespace = Text(*context, "namespace");
    NARTHEX_RETURN_IF_ERROR(ReadCluster(*cluster, access));
    const std::string user_name = Text(*context, "user");
    if (user_name.empty()) return access;
    const YamlNode* user = Named(root_, "users", "user", user_name);
    if (user == nullptr) {
      return config::ErrorAt(file_, *context,
                             StrCat("there is no user \"", user_name, "\""));
    }
    NARTHEX_RETURN_IF_ERROR(ReadUser(*user, access.http));
    return access;
  }

 private:
  absl::Status ReadCluster(const YamlNode& cluster,
                           scrape::KubernetesAccess& out) {
    out.server = Text(cluster, "server");
    if (out.server.empty()) {
      return config::ErrorAt(file_, cluster, "the cluster has no server");
    }
    out.http.proxy.url = Text(cluster, "proxy-url");
    out.http.tls.server_name = Text(cluster, "tls-server-name");
    out.http.tls.insecure_skip_verify =
        IsTrue(cluster, "insecure-skip-tls-verify");
    return ReadSecret(cluster, "certificate-authority", out.http.tls.ca);
  }

  absl::Status ReadUser(const YamlNode& user, scrape::HttpOptions& out) {
    for (const std::string_view key : {"exec", "auth-provider"}) {
      if (const YamlNode* node = Member(user, key); node != nullptr) {
        return config::ErrorAt(
            file_, *node,
            StrCat("authorization by \"", key,
                   "\" runs a program and is not supported"));
      }
    }
    NARTHEX_RETURN_IF_ERROR(
        ReadSecret(user, "client-certificate", out.tls.cert));
    NARTHEX_RETURN_IF_ERROR(ReadSecret(user, "client-key", out.tls.key));
    out.credentials.value = Text(user, "token");
    if (const std::string path = Text(user, "tokenFile"); !path.empty()) {
      out.credentials.value.clear();
      out.credentials.file = config::FromFolderOf(file_, path);
    }
    out.basic_auth_user.value = Text(user, "username");
    out.basic_auth_password.value = Text(user, "password");
    return absl::OkStatus();
  }

  // `key` names a file, `<key>-data` has the bytes as base64 and comes first.
  absl::Status ReadSecret(const YamlNode& map, std::string_view key,
                          scrape::Secret& out) {
    const std::string data = Text(map, StrCat(key, "-data"));
    if (!data.empty()) {
      if (!DecodeBase64(data, out.value)) {
        return config::ErrorAt(file_, map, StrCat(key, "-data is no base64"));
      }
      return absl::OkStatus();
    }
    out.file = config::FromFolderOf(file_, Text(map, key));
    return absl::OkStatus();
  }

  const YamlNode& root_;
  const std::string_view file_;
};

}  // namespace

absl::StatusOr<scrape::KubernetesAccess> DecodeKubeconfig(
    std::string_view bytes, std::string_view path) {
  NARTHEX_ASSIGN_OR_RETURN(const YamlNode root, config::ParseYaml(bytes, path));
  return KubeconfigReader(root, path).Read();
}

}  // namespace narthex
