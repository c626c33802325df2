#include "scan/scan.h"

#include <algorithm>

namespace portcullis::scan {

namespace {

using policy::Answer;
using policy::SignalAnswer;

bool any_exact_match(const policy::Facts& facts) {
  return std::ranges::any_of(facts.signals, [](const auto& entry) {
    return entry.second.exact && entry.second.answer == Answer::match;
  });
}

void add_to(policy::Facts& facts, const image::Seen& seen) {
  facts.format = decoder::name(seen.format);
  facts.width = seen.width;
  facts.height = seen.height;
  facts.frames = seen.frames;
}

// The distinct view sizes that the signals want, in the order of their first mention.
std::vector<decoder::ViewSize> view_sizes(
    const std::vector<std::shared_ptr<const Signal>>& signals) {
  std::vector<decoder::ViewSize> sizes;
  for (const auto& signal : signals)
    if (const auto view = signal->view(); view && std::ranges::find(sizes, *view) == sizes.end())
      sizes.push_back(*view);
  return sizes;
}

// One scan, from bytes to verdict. Lives in the frame of Scanner::scan.
class Run {
 public:
  Run(decoder::Pool& decoders, Pool& decode_pool, std::shared_ptr<const Ruleset> ruleset,
      const Original& original, const Subject& subject, Memory* memory, Deadline deadline)
      : decoders_(decoders),
        decode_pool_(decode_pool),
        ruleset_(std::move(ruleset)),
        original_(original),
        subject_(subject),
        memory_(memory),
        deadline_(deadline),
        rules_(image::narrowed(ruleset_->rules, subject.wishes)) {
    screening_.ruleset = ruleset_->digest;
    screening_.operations = image::operations(subject.rendering, decoders_.version());
    screening_.facts.sha256 = original.digests.sha256;
    screening_.facts.bytes = original.size;
    screening_.facts.origin = subject.origin;
    screening_.facts.uploader = subject.uploader;
  }

  Task<Screening> go_again(image::Seen seen) {
    if (memory_)
      screening_.facts.allow_listed = co_await memory_->is_allowed(original_.digests.sha256);
    ask_digests();
    co_await recall_answers();
    add_to(screening_.facts, seen);
    if (any_view_missing()) co_await look();
    screening_.seen = std::move(seen);
    co_await ask_all();
    decide();
    co_return std::move(screening_);
  }

  Task<Screening> go(Reuse reuse) {
    if (memory_)
      screening_.facts.allow_listed = co_await memory_->is_allowed(original_.digests.sha256);
    ask_digests();
    if (any_exact_match(screening_.facts) && is_settled()) co_return std::move(screening_);
    co_await recall();
    if (reuse == Reuse::no || !screening_.seen || any_view_missing()) {
      if (reuse == Reuse::only)
        forget("not remembered");
      else if (!co_await decode())
        co_return std::move(screening_);
    } else {
      screening_.known_blob = known_blob_;
    }
    co_await ask_all();
    if (screening_.seen && subject_.varies_refused)
      screening_.facts.varies_refused = subject_.varies_refused(screening_.seen->fingerprints);
    decide();
    co_return std::move(screening_);
  }

 private:
  void ask_digests() {
    for (const auto& signal : ruleset_->signals)
      screening_.facts.signals[signal->definition().name] = signal->ask_digests(original_.digests);
  }

  // An exact match that is refused makes the rest unnecessary, unless a list that was not searched
  // for near pictures, or an outside service, could still make an earlier rule fire, which may want
  // more than a refusal.
  bool is_settled() {
    decide();
    const policy::Verdict& verdict = screening_.verdict;
    if (verdict.outcome != policy::Outcome::refuse || verdict.unanswered ||
        verdict.rule == policy::kGuardRule)
      return false;
    policy::Facts worst = screening_.facts;
    for (const auto& signal : ruleset_->signals)
      if (signal->definition().kind != policy::SignalKind::classifier && is_open(*signal))
        worst.signals[signal->definition().name].answer = Answer::match;
    return ruleset_->policy.decide(worst).rule == verdict.rule;
  }

  // What is remembered of these bytes: dear answers, and what a decode told.
  Task<void> recall_answers() {
    if (!memory_) co_return;
    for (const auto& signal : ruleset_->signals) {
      if (!signal->memorable()) continue;
      auto answer = co_await memory_->answer(original_.digests.sha256, signal->definition().name,
                                             signal->version());
      if (answer) screening_.facts.signals[signal->definition().name] = std::move(*answer);
    }
  }

  Task<void> recall() {
    if (!memory_) co_return;
    co_await recall_answers();
    auto known = co_await memory_->known(original_.digests.sha256, screening_.operations);
    if (!known || !image::within(rules_, known->seen, original_.size)) co_return;
    known_blob_ = known->blob;
    screening_.seen = std::move(known->seen);
    add_to(screening_.facts, *screening_.seen);
  }

  bool is_open(const Signal& signal) const {
    return screening_.facts.signals.at(signal.definition().name).answer == Answer::not_asked;
  }

  bool any_view_missing() const {
    return std::ranges::any_of(
        ruleset_->signals, [&](const auto& signal) { return signal->view() && is_open(*signal); });
  }

  // False when the bytes are no picture this site takes.
  Task<bool> decode() {
    sizes_ = view_sizes(ruleset_->signals);
    decoder::Job job = image::job(rules_, original_.fd, original_.size, sizes_);
    job.rendering = subject_.rendering;
    job.owner = subject_.owner;
    job.priority = subject_.origin == policy::Origin::upload   ? decoder::Priority::upload
                   : subject_.origin == policy::Origin::remote ? decoder::Priority::remote
                                                               : decoder::Priority::import;
    Result<decoder::Decoded> decoded =
        co_await decode_pool_.run([&] { return decoders_.decode(job, deadline_); });
    if (!decoded) {
      if (decoded.error().fault == Fault::client) {
        screening_.not_taken = std::move(decoded).error();
        co_return false;
      }
      forget(decoded.error().what);
      co_return true;
    }
    screening_.seen = image::seen(*decoded);
    if (Status allowed = image::within(rules_, *screening_.seen, original_.size); !allowed) {
      screening_.not_taken = std::move(allowed).error();
      co_return false;
    }
    add_to(screening_.facts, *screening_.seen);
    views_ = std::move(decoded->views);
    screening_.rendition =
        std::make_shared<const decoder::SealedBytes>(std::move(decoded->rendition));
    co_return true;
  }

  // Only at what the signals want to see. When that fails they stay unanswered.
  Task<void> look() {
    sizes_ = view_sizes(ruleset_->signals);
    const decoder::Job job = image::looking_job(original_.fd, original_.size, sizes_);
    Result<decoder::Decoded> decoded =
        co_await decode_pool_.run([&] { return decoders_.decode(job, deadline_); });
    if (decoded)
      views_ = std::move(decoded->views);
    else
      why_not_decoded_ = decoded.error().what;
  }

  // Every signal that needed the picture stays unanswered; policy decides.
  void forget(std::string why) {
    why_not_decoded_ = std::move(why);
    screening_.seen.reset();
  }

  Question question_for(const Signal& signal) const {
    Question question{.digests = original_.digests, .fd = original_.fd, .size = original_.size};
    if (screening_.seen) {
      question.seen = &*screening_.seen;
      question.fingerprints = &screening_.seen->fingerprints;
    }
    if (const auto view = signal.view()) {
      const auto place = std::ranges::find(sizes_, *view) - sizes_.begin();
      if (static_cast<std::size_t>(place) < views_.size())
        question.pictures = &views_[static_cast<std::size_t>(place)];
    }
    return question;
  }

  // All signals that have no answer yet, side by side.
  Task<void> ask_all() {
    std::vector<Task<void>> tasks;
    for (const auto& signal : ruleset_->signals)
      if (is_open(*signal))
        tasks.push_back(ask(*signal, screening_.facts.signals[signal->definition().name]));
    co_await all(std::move(tasks));
  }

  // `answer` lives in the facts, whose map no longer changes its shape.
  Task<void> ask(const Signal& signal, SignalAnswer& answer) {
    const Question question = question_for(signal);
    answer = co_await signal.ask(question, deadline_);
    if (answer.answer == Answer::unanswered && !why_not_decoded_.empty())
      answer.detail = why_not_decoded_;
    if (memory_ && signal.memorable() && answer.answer != Answer::unanswered)
      co_await memory_->remember(original_.digests.sha256, signal.definition().name,
                                 signal.version(), answer, signal.lifetime(answer));
  }

  void decide() { screening_.verdict = ruleset_->policy.decide(screening_.facts); }

  decoder::Pool& decoders_;
  Pool& decode_pool_;
  std::shared_ptr<const Ruleset> ruleset_;
  const Original& original_;
  const Subject& subject_;
  Memory* memory_;
  Deadline deadline_;
  image::Rules rules_;
  Screening screening_;
  std::optional<Sha256> known_blob_;
  std::vector<decoder::ViewSize> sizes_;
  std::vector<std::vector<decoder::Picture>> views_;
  std::string why_not_decoded_;
};

}  // namespace

std::string ruleset_digest(const policy::Policy& policy,
                           const std::vector<std::shared_ptr<const Signal>>& signals) {
  std::string text = policy.digest().hex();
  for (const auto& signal : signals)
    text += fmt::format("\n{}={}", signal->definition().name, signal->version());
  return sha256_of(as_bytes(text)).hex();
}

Scanner::Scanner(decoder::Pool& decoders, Pools pools, std::shared_ptr<const Ruleset> ruleset)
    : decoders_(decoders), pools_(pools), ruleset_(std::move(ruleset)) {}

void Scanner::set_ruleset(std::shared_ptr<const Ruleset> ruleset) {
  const std::scoped_lock lock(mutex_);
  ruleset_ = std::move(ruleset);
}

std::shared_ptr<const Ruleset> Scanner::ruleset() const {
  const std::scoped_lock lock(mutex_);
  return ruleset_;
}

Task<Screening> Scanner::scan(Original original, Subject subject, Memory* memory, Deadline deadline,
                              Reuse reuse) {
  Run run(decoders_, pools_.decode, ruleset(), original, subject, memory, deadline);
  co_return co_await run.go(reuse);
}

Task<Screening> Scanner::scan_again(Original stored, image::Seen seen, Subject subject,
                                    Memory* memory, Deadline deadline) {
  Run run(decoders_, pools_.decode, ruleset(), stored, subject, memory, deadline);
  co_return co_await run.go_again(std::move(seen));
}

}  // namespace portcullis::scan
