// kubeconfig files: of many clusters, users and contexts, the current one.

#include <algorithm>

#include "libnarthex/config/config_parts.h"

namespace narthex {
namespace {

using config::FindMember;
using config::TextAt;
using config::TextOf;
using config::YamlNode;

bool IsTrue(const YamlNode& map, std::string_view key) {
  return TextAt(map, key) == "true";
}

// In `list` the item called `name`, and of that the map under `key`.
const YamlNode* Named(const YamlNode& root, std::string_view list,
                      std::string_view key, std::string_view name) {
  const YamlNode* items = FindMember(root, list);
  if (items == nullptr) return nullptr;
  for (const YamlNode& item : items->items) {
    if (TextAt(item, "name") == name) return FindMember(item, key);
  }
  return nullptr;
}

class KubeconfigReader {
 public:
  KubeconfigReader(const YamlNode& root, std::string_view file)
      : root_(root), file_(file) {}

  absl::StatusOr<scrape::KubernetesAccess> Read() {
    const std::string current = TextAt(root_, "current-context");
    const YamlNode* context = Named(root_, "contexts", "context", current);
    if (context == nullptr) {
      return config::ErrorAt(file_, root_,
                             StrCat("there is no context \"", current, "\""));
    }
    const std::string cluster_name = TextAt(*context, "cluster");
    const YamlNode* cluster = Named(root_, "clusters", "cluster", cluster_name);
    if (cluster == nullptr) {
      return config::ErrorAt(
          file_, *context,
          StrCat("there is no cluster \"", cluster_name, "\""));
    }
    scrape::KubernetesAccess access;
    access.own_namespace = TextAt(*context, "namespace");
    NARTHEX_RETURN_IF_ERROR(ReadCluster(*cluster, access));
    const std::string user_name = TextAt(*context, "user");
    // As client-go: over plain HTTP nobody is told who we are.
    if (user_name.empty() || !access.server.starts_with("https://")) {
      return access;
    }
    const YamlNode* user = Named(root_, "users", "user", user_name);
    if (user == nullptr) {
      return config::ErrorAt(file_, *context,
                             StrCat("there is no user \"", user_name, "\""));
    }
    NARTHEX_RETURN_IF_ERROR(ReadUser(*user, access.http));
    if (const YamlNode* exec = FindMember(*user, "exec");
        exec != nullptr && exec->kind == YamlNode::Kind::kMap) {
      NARTHEX_RETURN_IF_ERROR(
          ReadExec(*exec, user_name, access.exec.emplace()));
    }
    return access;
  }

 private:
  absl::Status ReadCluster(const YamlNode& cluster,
                           scrape::KubernetesAccess& out) {
    out.server = TextAt(cluster, "server");
    if (out.server.empty()) {
      return config::ErrorAt(file_, cluster, "the cluster has no server");
    }
    if (out.server.find("://") == std::string::npos) {
      const bool tls =
          FindMember(cluster, "certificate-authority") != nullptr ||
          FindMember(cluster, "certificate-authority-data") != nullptr ||
          IsTrue(cluster, "insecure-skip-tls-verify");
      out.server.insert(0, tls ? "https://" : "http://");
    }
    out.http.proxy.url = TextAt(cluster, "proxy-url");
    out.http.tls.server_name = TextAt(cluster, "tls-server-name");
    out.http.tls.insecure_skip_verify =
        IsTrue(cluster, "insecure-skip-tls-verify");
    NARTHEX_RETURN_IF_ERROR(
        ReadSecret(cluster, "certificate-authority", out.http.tls.ca));
    if (out.http.tls.insecure_skip_verify && !out.http.tls.ca.empty()) {
      return config::ErrorAt(file_, cluster,
                             "specifying a root certificates file with the "
                             "insecure flag is not allowed");
    }
    return absl::OkStatus();
  }

  absl::Status ReadUser(const YamlNode& user, scrape::HttpOptions& out) {
    if (const YamlNode* node = FindMember(user, "auth-provider")) {
      return config::ErrorAt(
          file_, *node,
          StrCat("auth-provider ", GoQuote(TextAt(*node, "name")),
                 ": client-go has none any more, and narthex neither; use "
                 "exec"));
    }
    NARTHEX_RETURN_IF_ERROR(
        ReadSecret(user, "client-certificate", out.tls.cert));
    NARTHEX_RETURN_IF_ERROR(ReadSecret(user, "client-key", out.tls.key));
    ReadImpersonation(user, out);
    out.credentials.value = TextAt(user, "token");
    if (const std::string path = TextAt(user, "tokenFile"); !path.empty()) {
      out.credentials.value.clear();
      out.credentials.file = config::FromFolderOf(file_, path);
    }
    out.basic_auth_user.value = TextAt(user, "username");
    out.basic_auth_password.value = TextAt(user, "password");
    if (!out.credentials.empty() && !out.basic_auth_user.empty()) {
      return config::ErrorAt(file_, user,
                             "more than one authentication method found; "
                             "found [token basicAuth], only one is allowed");
    }
    return absl::OkStatus();
  }

  // Who to be, once the server knows who we are.
  static void ReadImpersonation(const YamlNode& user,
                                scrape::HttpOptions& out) {
    const auto add = [&](std::string name, const std::string& value) {
      if (value.empty()) return;
      out.headers.emplace_back(std::move(name), scrape::Secret{.value = value});
    };
    add("Impersonate-User", TextAt(user, "as"));
    add("Impersonate-Uid", TextAt(user, "as-uid"));
    if (const YamlNode* groups = FindMember(user, "as-groups")) {
      for (const YamlNode& group : groups->items) {
        add("Impersonate-Group", TextOf(&group));
      }
    }
    if (const YamlNode* extra = FindMember(user, "as-user-extra")) {
      for (const config::YamlEntry& entry : extra->entries) {
        for (const YamlNode& value : entry.value.items) {
          add(StrCat("Impersonate-Extra-", entry.key), TextOf(&value));
        }
      }
    }
  }

  absl::Status ReadExec(const YamlNode& node, const std::string& user,
                        scrape::KubernetesExec& out) {
    const auto fail = [&](std::string_view what) {
      return config::ErrorAt(file_, node, what);
    };
    const auto missing = [&](std::string_view what) {
      return fail(StrCat(what, " must be specified for ", user,
                         " to use exec authentication plugin"));
    };
    out.command = TextAt(node, "command");
    out.api_version = TextAt(node, "apiVersion");
    out.install_hint = TextAt(node, "installHint");
    out.provide_cluster_info = IsTrue(node, "provideClusterInfo");
    if (out.command.empty()) return missing("command");
    if (out.api_version.empty()) return missing("apiVersion");
    constexpr std::string_view kGroup = "client.authentication.k8s.io/";
    const bool beta = out.api_version == StrCat(kGroup, "v1beta1");
    if (!beta && out.api_version != StrCat(kGroup, "v1")) {
      return fail(
          StrCat("exec plugin: invalid apiVersion ", GoQuote(out.api_version)));
    }
    const std::string mode = TextAt(node, "interactiveMode");
    if (mode == "Always") {
      return fail(StrCat("exec plugin ", out.command,
                         " wants a terminal (interactiveMode: Always), and "
                         "here is none"));
    }
    if (mode.empty() && !beta) return missing("interactiveMode");
    if (!mode.empty() && mode != "Never" && mode != "IfAvailable") {
      return fail(
          StrCat("invalid interactiveMode for ", user, ": ", GoQuote(mode)));
    }
    // A bare name is looked for in the PATH.
    if (out.command.find('/') != std::string::npos) {
      out.command = config::FromFolderOf(file_, out.command);
    }
    if (const YamlNode* args = FindMember(node, "args")) {
      for (const YamlNode& item : args->items) {
        out.args.push_back(TextOf(&item));
      }
    }
    if (const YamlNode* env = FindMember(node, "env")) {
      for (const YamlNode& item : env->items) {
        const std::string name = TextAt(item, "name");
        if (name.empty()) return missing("env variable name");
        out.env.emplace_back(name, TextAt(item, "value"));
      }
    }
    return absl::OkStatus();
  }

  // `key` names a file, `<key>-data` has the bytes as base64 and comes first.
  absl::Status ReadSecret(const YamlNode& map, std::string_view key,
                          scrape::Secret& out) {
    const std::string data = TextAt(map, StrCat(key, "-data"));
    if (!data.empty()) {
      if (!config::DecodeBase64(data, out.value)) {
        return config::ErrorAt(file_, map, StrCat(key, "-data is no base64"));
      }
      return absl::OkStatus();
    }
    out.file = config::FromFolderOf(file_, TextAt(map, key));
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
