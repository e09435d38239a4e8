// Discovery by asking again and again: at once, then every interval, counted
// from when it was due; an answer that takes longer swallows turns.
//
// Everything but the constructor and Close runs on the strand.

#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "libscrape/discovery/strand.h"
#include "narthex/base/time.h"
#include "narthex/scrape/discovery.h"

namespace narthex::scrape {

class Refresher : public std::enable_shared_from_this<Refresher> {
 public:
  Refresher(const DiscoveryContext& context, Duration interval)
      : context_(context),
        strand_(Strand::Make(context.clock, context.executor)),
        interval_(interval) {}
  virtual ~Refresher() = default;
  Refresher(const Refresher&) = delete;
  Refresher& operator=(const Refresher&) = delete;

  void Start(Discoverer::Sink sink) {
    sink_ = std::move(sink);
    strand_->Post([self = shared_from_this()] {
      self->Turn(self->strand_->clock().Now());
    });
  }
  // After it the sink is not called, and nothing of the context is used.
  void Close() {
    strand_->Close();
    Abandon();
  }

 protected:
  // Asks; when all answers are in (and not before), calls Done.
  virtual void Ask() = 0;
  // The strand is closed: lets go of what is under way.
  virtual void Abandon() {}

  void Done() { asking_ = false; }
  void Report(std::vector<TargetGroup> groups) { sink_(std::move(groups)); }

  const DiscoveryContext context_;
  const std::shared_ptr<Strand> strand_;

 private:
  void Turn(Timestamp due) {
    const Timestamp now = strand_->clock().Now();
    Timestamp next = due + interval_;
    if (next <= now) next = now + interval_;
    strand_->PostAt(next,
                    [self = shared_from_this(), next] { self->Turn(next); });
    if (std::exchange(asking_, true)) return;
    Ask();
  }

  const Duration interval_;
  Discoverer::Sink sink_;
  bool asking_ = false;
};

// A Refresher as a Discoverer.
class RefreshDiscoverer final : public Discoverer {
 public:
  explicit RefreshDiscoverer(std::shared_ptr<Refresher> refresher)
      : refresher_(std::move(refresher)) {}
  ~RefreshDiscoverer() override { Stop(); }
  void Start(Sink sink) override { refresher_->Start(std::move(sink)); }
  void Stop() override { refresher_->Close(); }

 private:
  const std::shared_ptr<Refresher> refresher_;
};

}  // namespace narthex::scrape
