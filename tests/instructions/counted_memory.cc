#include "tests/instructions/counted_memory.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace parallax::instructions {
namespace {

constexpr std::size_t kHeader = 16;  ///< keeps blocks aligned; holds the block's class
constexpr std::size_t kChunk = std::size_t{8} << 20;

constexpr std::size_t kClasses = 128;

struct Block {
  Block* next;
};

// One thread, and older than every constructor: plain data.
Block* free_lists[kClasses];
char* fresh = nullptr;
std::size_t fresh_left = 0;
std::uint64_t count = 0;

/// Four classes for every power of two, so that at most a fifth is lost.
std::size_t class_of(std::size_t size, std::size_t& rounded) {
  if (size <= 64) {
    rounded = (size + 15) & ~std::size_t{15};
    return rounded / 16;
  }
  const auto top = static_cast<unsigned>(63 - __builtin_clzll(size - 1));
  const std::size_t step = std::size_t{1} << (top - 2);
  rounded = (size + step - 1) & ~(step - 1);
  return 4 * (top - 6) + 4 + (rounded - (std::size_t{1} << top)) / step;
}

char* cut(std::size_t bytes) {
  if (bytes > fresh_left) {
    fresh_left = bytes > kChunk ? bytes : kChunk;
    fresh = static_cast<char*>(std::malloc(fresh_left));
    if (fresh == nullptr) std::abort();
  }
  char* block = fresh;
  fresh += bytes;
  fresh_left -= bytes;
  return block;
}

}  // namespace

std::uint64_t allocations() {
  return count;
}

void* take(std::size_t size) {
  ++count;
  std::size_t rounded = 0;
  const std::size_t group = class_of(size == 0 ? 1 : size, rounded);
  if (group >= kClasses) std::abort();
  if (Block* block = free_lists[group]) {
    free_lists[group] = block->next;
    return block;
  }
  char* block = cut(kHeader + rounded);
  *reinterpret_cast<std::size_t*>(block) = group;
  return block + kHeader;
}

void give(void* memory) {
  if (memory == nullptr) return;
  const std::size_t group = *reinterpret_cast<std::size_t*>(static_cast<char*>(memory) - kHeader);
  auto* block = static_cast<Block*>(memory);
  block->next = free_lists[group];
  free_lists[group] = block;
}

}  // namespace parallax::instructions

void* operator new(std::size_t size) {
  return parallax::instructions::take(size);
}
void operator delete(void* memory) noexcept {
  parallax::instructions::give(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  parallax::instructions::give(memory);
}
