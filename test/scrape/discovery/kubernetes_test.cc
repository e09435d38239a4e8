#include <catch2/catch.hpp>
#include <set>

#include "test/scrape/discovery/ask_lab.h"

namespace narthex::scrape {
namespace {

constexpr char kPodTemplate[] =
    R"({"metadata":{"namespace":"NS","name":"NAME","uid":"u","resourceVersion":"7"},)"
    R"("spec":{"nodeName":"n1","containers":[{"name":"c","image":"i",)"
    R"("ports":[{"name":"http","containerPort":80,"protocol":"TCP"}]}]},)"
    R"("status":{"podIP":"ADDR","phase":"Running"}})";

std::string Pod(std::string_view name, std::string_view ip) {
  std::string text = kPodTemplate;
  const auto put = [&](std::string_view what, std::string_view with) {
    text.replace(text.find(what), what.size(), with);
  };
  put("NS", "default");
  put("NAME", name);
  put("ADDR", ip);
  return text;
}
std::string List(std::string_view items, std::string_view version = "5",
                 std::string_view more = "") {
  return StrCat(R"({"kind":"List","metadata":{"resourceVersion":")", version,
                R"(","continue":")", more, R"("},"items":[)", items, "]}");
}
std::string Event(std::string_view type, std::string_view object) {
  return StrCat(R"({"type":")", type, R"(","object":)", object, "}\n");
}

KubernetesDiscovery Pods() {
  return {.role = KubernetesRole::kPod, .api_server = "http://api/"};
}

TEST_CASE("Pods are listed page by page, then watched", "[kubernetes]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest& request) {
    const bool second = request.url.find("continue=next") != std::string::npos;
    return AskLab::Reply(second ? List(Pod("b", "10.0.0.2"), "6")
                                : List(Pod("a", "10.0.0.1"), "5", "next"));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  CHECK(lab.Shown() ==
        "pod/default/a=10.0.0.1:80, pod/default/b=10.0.0.2:80, ");
  CHECK(lab.client.requests[0].url == "http://api/api/v1/pods?limit=500");
  CHECK(lab.client.requests[2].url.find("resourceVersion=6") !=
        std::string::npos);

  // Events may come in pieces, and several at once.
  const std::string events = Event("ADDED", Pod("c", "10.0.0.3")) +
                             Event("MODIFIED", Pod("a", "10.0.0.9")) +
                             Event("DELETED", Pod("b", "10.0.0.2"));
  lab.client.Push("watch=1", events.substr(0, 50));
  CHECK(lab.reports == 1);
  lab.client.Push("watch=1", events.substr(50));
  CHECK(lab.Shown() ==
        "pod/default/a=10.0.0.9:80, pod/default/c=10.0.0.3:80, ");

  // What changes no label is no news.
  const int before = lab.reports;
  lab.client.Push("watch=1", Event("MODIFIED", Pod("a", "10.0.0.9")));
  CHECK(lab.reports == before);

  const auto count = [&](std::string_view event) {
    return lab.metrics
        .NewCounter("prometheus_sd_kubernetes_events_total", "",
                    {{"role", "pod"}, {"event", event}})
        .value();
  };
  CHECK(count("add") == 3);
  CHECK(count("update") == 2);
  CHECK(count("delete") == 1);
}

TEST_CASE("A server that has forgotten is asked for the list again",
          "[kubernetes]") {
  AskLab lab;
  std::string pods = Pod("a", "10.0.0.1");
  lab.client.answer = [&](const HttpRequest&) {
    return AskLab::Reply(List(pods));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  pods = Pod("z", "10.0.0.26");
  SECTION("told so by an event") {
    lab.client.Push("watch=1",
                    Event("ERROR", R"({"kind":"Status","code":410})"));
  }
  SECTION("told so by the status") {
    lab.client.End(lab.client.Find("watch=1"),
                   AskLab::Reply("{}", "application/json", 410));
  }
  CHECK(lab.Shown() == "pod/default/z=10.0.0.26:80, ");
}

TEST_CASE("Failures keep what was known and are tried again, ever more slowly",
          "[kubernetes]") {
  AskLab lab;
  bool up = true;
  lab.client.answer = [&](const HttpRequest&) -> absl::StatusOr<HttpResponse> {
    if (!up) return AskLab::Reply("{}", "application/json", 403);
    return AskLab::Reply(List(Pod("a", "10.0.0.1")));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  up = false;
  lab.client.Push("watch=1", "this is no event\n");
  lab.clock.Advance(Minutes(2));
  CHECK(lab.Shown() == "pod/default/a=10.0.0.1:80, ");
  const size_t asked = lab.client.requests.size();
  CHECK(asked > 5);
  CHECK(asked < 14);
  up = true;
  lab.clock.Advance(Seconds(40));
  CHECK(lab.client.Find("watch=1") != HttpClient::RequestId::kNone);
}

TEST_CASE("A watch that the server ends goes on where it was", "[kubernetes]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) {
    return AskLab::Reply(List(Pod("a", "10.0.0.1")));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  lab.client.Push(
      "watch=1", Event("BOOKMARK", R"({"metadata":{"resourceVersion":"99"}})"));
  lab.client.End(lab.client.Find("watch=1"), AskLab::Reply(""));
  CHECK(lab.client.Find("resourceVersion=99") != HttpClient::RequestId::kNone);
  // Stop ends what is under way.
  (*discoverer)->Stop();
  CHECK(lab.client.open.empty());
}

TEST_CASE("Namespaces and selectors are part of the question", "[kubernetes]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) {
    return AskLab::Reply(List(""));
  };
  KubernetesDiscovery config = Pods();
  config.role = KubernetesRole::kEndpointSlice;
  config.namespaces = {"one", "two", "one"};
  config.selectors = {{KubernetesRole::kService, "app=web,x!=y", ""},
                      {KubernetesRole::kPod, "", "spec.nodeName=n1"}};
  const auto discoverer = lab.Discover(config);
  REQUIRE(discoverer.ok());
  std::set<std::string> urls;
  for (const HttpRequest& request : lab.client.requests) {
    if (!request.on_body) urls.insert(request.url);
  }
  const std::string slices = "http://api/apis/discovery.k8s.io/v1/namespaces/";
  const std::string core = "http://api/api/v1/namespaces/";
  CHECK(urls ==
        std::set<std::string>{
            slices + "one/endpointslices?limit=500",
            slices + "two/endpointslices?limit=500",
            core + "one/services?limit=500&labelSelector=app%3Dweb%2Cx%21%3Dy",
            core + "two/services?limit=500&labelSelector=app%3Dweb%2Cx%21%3Dy",
            core + "one/pods?limit=500&fieldSelector=spec.nodeName%3Dn1",
            core + "two/pods?limit=500&fieldSelector=spec.nodeName%3Dn1"});
  // Everything is known now, and it is nothing.
  CHECK(lab.reports == 1);
}

TEST_CASE("An endpoint follows the pod that it stands for", "[kubernetes]") {
  AskLab lab;
  const std::string endpoints =
      R"({"metadata":{"namespace":"default","name":"svc"},"subsets":[{)"
      R"("ports":[{"name":"http","port":80,"protocol":"TCP"}],)"
      R"("addresses":[{"ip":"10.0.0.1","targetRef":{"kind":"Pod",)"
      R"("namespace":"default","name":"a"}}]}]})";
  lab.client.answer = [&](const HttpRequest& request) {
    if (request.url.find("/endpoints") != std::string::npos) {
      return AskLab::Reply(List(endpoints));
    }
    return AskLab::Reply(List(""));
  };
  KubernetesDiscovery config = Pods();
  config.role = KubernetesRole::kEndpoints;
  const auto discoverer = lab.Discover(config);
  REQUIRE(discoverer.ok());
  const auto phase = [&] {
    return std::string(lab.shown["endpoints/default/svc"].targets.at(0).Get(
        "__meta_kubernetes_pod_phase"));
  };
  CHECK(phase().empty());
  lab.client.Push("pods?watch=1", Event("ADDED", Pod("a", "10.0.0.1")));
  CHECK(phase() == "Running");
  lab.client.Push("pods?watch=1", Event("DELETED", Pod("a", "10.0.0.1")));
  CHECK(phase().empty());
}

TEST_CASE("Objects without a name are left out, and said so", "[kubernetes]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) {
    return AskLab::Reply(
        List(R"({"status":{"podIP":"1.2.3.4"}},)" + Pod("a", "10.0.0.1")));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  lab.client.Push("watch=1", Event("ADDED", R"({"metadata":{"name":""}})"));
  CHECK(lab.Shown() == "pod/default/a=10.0.0.1:80, ");
  CHECK(lab.log.Count("Kubernetes object without a name") == 2);
}

TEST_CASE("A list that never ends is given up, not held", "[kubernetes]") {
  AskLab lab;
  int pages = 0;
  lab.client.answer = [&](const HttpRequest&) {
    ++pages;
    return AskLab::Reply(List("", "5", "more"));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  CHECK(pages == 20'001);
  CHECK(lab.reports == 0);
  CHECK(lab.log.Count("the list has no end") == 1);
}

TEST_CASE("A busy server is left alone for as long as it asks",
          "[kubernetes]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) {
    return AskLab::Reply(List(Pod("a", "10.0.0.1")));
  };
  const auto discoverer = lab.Discover(Pods());
  REQUIRE(discoverer.ok());
  const size_t asked = lab.client.requests.size();
  HttpResponse busy = AskLab::Reply("{}", "application/json", 429);
  busy.headers = {{"retry-after", "60"}};
  lab.client.End(lab.client.Find("watch=1"), busy);
  lab.clock.Advance(Seconds(59));
  CHECK(lab.client.requests.size() == asked);
  lab.clock.Advance(Seconds(20));
  // It goes on where it was: nothing was lost.
  REQUIRE(lab.client.requests.size() == asked + 1);
  CHECK(lab.client.requests.back().url.find("resourceVersion=5") !=
        std::string::npos);
}

TEST_CASE("Objects of any shape are read without harm", "[kubernetes]") {
  for (const char* items :
       {"null", "[]", "3", R"({"metadata":5,"spec":[],"status":"x"})",
        R"({"metadata":{"name":7,"labels":[1]},"spec":{"containers":{"a":1}}})",
        R"({"status":{"podIP":"1.2.3.4"},"spec":{"containers":[1,"x",null,)"
        R"({"ports":[null,{"containerPort":"80"}]}]}})"}) {
    AskLab lab;
    lab.client.answer = [&](const HttpRequest&) {
      return AskLab::Reply(List(items));
    };
    const auto discoverer = lab.Discover(Pods());
    REQUIRE(discoverer.ok());
    CHECK(lab.reports == 1);
  }
}

TEST_CASE("Kubernetes settings are checked in Prometheus's words",
          "[kubernetes]") {
  const auto error = [](const KubernetesDiscovery& config) {
    return std::string(Message(ValidateKubernetesDiscovery(config)));
  };
  KubernetesDiscovery config = Pods();
  config.kubeconfig_file = "f";
  CHECK(error(config) ==
        "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  config = Pods();
  config.own_namespace = true;
  CHECK(error(config) ==
        "cannot use 'api_server' and 'namespaces.own_namespace' "
        "simultaneously");
  config = Pods();
  config.api_server.clear();
  config.http.follow_redirects = false;
  CHECK(error(config) ==
        "to use custom HTTP client configuration please provide the "
        "'api_server' URL explicitly");
  config = Pods();
  config.role = KubernetesRole::kService;
  config.selectors = {{KubernetesRole::kPod, "a=b", ""}};
  CHECK(error(config) == "service role supports only service selectors");
  config.selectors = {{KubernetesRole::kService, "a=b", ""},
                      {KubernetesRole::kService, "a=b", ""}};
  CHECK(error(config) == "duplicated selector role: service");
  CHECK(Message(ParseKubernetesRole("pods").status()) ==
        "unknown Kubernetes SD role \"pods\"");
}

TEST_CASE("Outside of a cluster there is no cluster", "[kubernetes]") {
  AskLab lab;
  KubernetesDiscovery config = Pods();
  config.api_server.clear();
  unsetenv("KUBERNETES_SERVICE_HOST");
  const auto discoverer = lab.Discover(config);
  REQUIRE_FALSE(discoverer.ok());
  CHECK(std::string(Message(discoverer.status()))
            .starts_with("unable to load in-cluster configuration"));
}

}  // namespace
}  // namespace narthex::scrape
