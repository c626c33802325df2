// net/buffers.h: the 64 KiB blocks of one loop, leased while bytes move, so that an idle connection
// holds none. Not thread-safe: a pool and its leases belong to one loop. Private.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::net {

class BufferPool {
 public:
  static constexpr std::size_t kBlock = 64 * 1024;
  static constexpr std::size_t kMostSpare = 32;
  using Block = std::unique_ptr<std::byte[]>;

  // Gives its block back when dropped; must not outlive the pool.
  class Lease {
   public:
    Lease() = default;
    Lease(BufferPool& pool, Block block) : pool_(&pool), block_(std::move(block)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
      if (this == &other) return *this;
      release();
      pool_ = other.pool_;
      block_ = std::move(other.block_);
      return *this;
    }
    ~Lease() { release(); }

    explicit operator bool() const { return block_ != nullptr; }
    std::span<std::byte> bytes() const { return {block_.get(), block_ ? kBlock : 0}; }
    void release() {
      if (block_) pool_->take_back(std::move(block_));
    }

   private:
    BufferPool* pool_ = nullptr;
    Block block_;
  };

  Lease lease() {
    ++leased_;
    if (spare_.empty()) return {*this, Block(new std::byte[kBlock])};
    Block block = std::move(spare_.back());
    spare_.pop_back();
    return {*this, std::move(block)};
  }
  std::size_t leased() const { return leased_; }

 private:
  void take_back(Block block) {
    --leased_;
    if (spare_.size() < kMostSpare) spare_.push_back(std::move(block));
  }

  std::vector<Block> spare_;
  std::size_t leased_ = 0;
};

// The bytes that were taken off a socket and not used yet.
class Input {
 public:
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(lease_.bytes().data()) + begin_, end_ - begin_};
  }
  bool empty() const { return begin_ == end_; }
  void eat(std::size_t count) { begin_ += count; }

  // Where the next bytes go; empty when a whole block is waiting to be eaten. Moves what is left to
  // the front.
  std::span<std::byte> space(BufferPool& pool) {
    if (!lease_) lease_ = pool.lease();
    if (begin_ > 0) {
      std::memmove(lease_.bytes().data(), lease_.bytes().data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return lease_.bytes().subspan(end_);
  }
  void filled(std::size_t count) { end_ += count; }

  void release_if_empty() {
    if (!empty()) return;
    begin_ = end_ = 0;
    lease_.release();
  }

 private:
  BufferPool::Lease lease_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace portcullis::net
