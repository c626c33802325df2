#include "base/digest.h"

#include <openssl/evp.h>

#include "base/result.h"

namespace portcullis {

namespace {
class Evp {
 public:
  explicit Evp(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    PORTCULLIS_CHECK(context_ && EVP_DigestInit_ex(context_, kind, nullptr) == 1);
  }
  ~Evp() { EVP_MD_CTX_free(context_); }
  Evp(const Evp&) = delete;
  Evp& operator=(const Evp&) = delete;

  void add(ByteView bytes) {
    PORTCULLIS_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
  }
  template <class D>
  D finish() {
    D digest;
    unsigned size = 0;
    auto* out = reinterpret_cast<unsigned char*>(digest.bytes.data());
    PORTCULLIS_CHECK(EVP_DigestFinal_ex(context_, out, &size) == 1 && size == D::kSize);
    return digest;
  }

 private:
  EVP_MD_CTX* context_;
};
}  // namespace

struct DigestsBuilder::State {
  Evp sha256{EVP_sha256()};
  Evp sha1{EVP_sha1()};
  Evp md5{EVP_md5()};
};

DigestsBuilder::DigestsBuilder() : state_(std::make_unique<State>()) {}
DigestsBuilder::~DigestsBuilder() = default;
DigestsBuilder::DigestsBuilder(DigestsBuilder&&) noexcept = default;
DigestsBuilder& DigestsBuilder::operator=(DigestsBuilder&&) noexcept = default;

void DigestsBuilder::add(ByteView bytes) {
  state_->sha256.add(bytes);
  state_->sha1.add(bytes);
  state_->md5.add(bytes);
}

Digests DigestsBuilder::finish() {
  return {state_->sha256.finish<Sha256>(), state_->sha1.finish<Sha1>(), state_->md5.finish<Md5>()};
}

Digests digests_of(ByteView bytes) {
  DigestsBuilder builder;
  builder.add(bytes);
  return builder.finish();
}

Sha256 sha256_of(ByteView bytes) {
  Evp evp(EVP_sha256());
  evp.add(bytes);
  return evp.finish<Sha256>();
}

}  // namespace portcullis
