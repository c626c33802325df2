#include "egress/call.h"

#include <boost/asio/execution_context.hpp>
#include <set>

namespace portcullis::egress {

// The calls that a loop's coroutines wait for. Asio has it shut down before anything else of the
// loop goes. Used on the loop's thread alone, and by whoever destroys the loop.
class Loop final : public asio::execution_context::service {
 public:
  inline static asio::execution_context::id id;

  explicit Loop(asio::execution_context& context) : service(context) {}
  static Loop& of(Executor executor) { return asio::use_service<Loop>(executor.context()); }

  void add(std::shared_ptr<Call> call) { calls_.insert(std::move(call)); }
  void remove(const std::shared_ptr<Call>& call) { calls_.erase(call); }

 private:
  void shutdown() override {
    for (const auto& call : std::exchange(calls_, {})) call->abandon();
  }

  std::set<std::shared_ptr<Call>> calls_;
};

void Call::keep(std::move_only_function<void()> handler, Executor executor) {
  waiter_ = std::make_unique<Waiter>(std::move(handler), asio::make_work_guard(executor));
  Loop::of(executor).add(shared_from_this());
}

Status Call::give(ByteView bytes) {
  const std::scoped_lock lock(mutex_);
  if (!waiter_) return fail(Fault::us, "nobody waits for the fetch any more");
  return sink_(bytes);
}

void Call::end(Status status) {
  const std::scoped_lock lock(mutex_);
  sink_ = nullptr;
  if (!waiter_) return;
  status_ = std::move(status);
  asio::post(waiter_->work.get_executor(), [self = shared_from_this()] { self->resume(); });
}

void Call::resume() {
  std::unique_ptr<Waiter> waiter;
  {
    const std::scoped_lock lock(mutex_);
    waiter.swap(waiter_);
  }
  if (!waiter) return;
  Loop::of(waiter->work.get_executor()).remove(shared_from_this());
  waiter->work.reset();
  waiter->handler();
}

void Call::abandon() {
  std::unique_ptr<Waiter> waiter;  // destroyed after the lock is given up, as is the sink
  Sink sink;
  const std::scoped_lock lock(mutex_);
  waiter.swap(waiter_);
  sink.swap(sink_);
}

}  // namespace portcullis::egress
