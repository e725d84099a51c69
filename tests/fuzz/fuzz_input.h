// What a fuzz target makes of its bytes: choices, and arrays of exactly the memory that a call may
// touch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "attn/attn.h"

namespace attn::fuzz {

/// Tells what does not hold and ends the process, as a fuzzer expects.
void require(bool holds, const char* what);

/// Choices from the bytes; 0 when they have run out.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  uint8_t next() { return at_ < end_ ? *at_++ : uint8_t{0}; }
  /// One of [from, to].
  int64_t range(int64_t from, int64_t to) { return from + next() % (to - from + 1); }
  /// True once in `of` times.
  bool once_in(int of) { return next() % of == of - 1; }

 private:
  const uint8_t *at_, *end_;
};

/// Memory whose last byte is followed by none: by the heap under AddressSanitizer, otherwise by a
/// page that cannot be read.
class Block {
 public:
  explicit Block(size_t bytes);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  void* mapped_ = nullptr;
  size_t bytes_ = 0, mapped_bytes_ = 0;
};

/// How wild numbers are: at most 4; at most 1e4; any, NaN and infinities among them.
enum class Level { moderate, large, wild };

struct Shape {
  int64_t batch = 1, head = 1, row = 1, column = 1;
};

/// A strided array that is read, or written and watched: elements that the shape does not name, and
/// after an error all, keep what they held.
class Array {
 public:
  /// Where each element lies. The first three may be written, the first six read where columns
  /// must be contiguous.
  enum class Layout {
    contiguous,
    rows_first,
    padded,
    shared,     // by batches and heads
    one_row,    // shared by rows as well
    backwards,  // rows
    columns_first,
    one_number
  };

  Array(const Shape& shape, int32_t type, Layout layout);
  /// Numbers of a level from a seed.
  void fill(uint64_t seed, Level level);
  /// To be written; `value` 0 where it is added to.
  void watch(double value);

  attn_array view() const { return view_; }
  const Shape& shape() const { return shape_; }
  double at(int64_t b, int64_t h, int64_t r, int64_t c) const;
  void set(int64_t b, int64_t h, int64_t r, int64_t c, double value);
  /// Nothing written at all, or nothing beside the elements.
  bool untouched() const;
  bool padding_untouched() const;
  /// Every element.
  template <class Work>
  void each(const Work& work) const {
    for (int64_t b = 0; b < shape_.batch; ++b) {
      for (int64_t h = 0; h < shape_.head; ++h) {
        for (int64_t r = 0; r < shape_.row; ++r) {
          for (int64_t c = 0; c < shape_.column; ++c) work(at(b, h, r, c));
        }
      }
    }
  }
  bool finite() const;
  bool empty() const { return shape_.batch * shape_.head * shape_.row * shape_.column == 0; }

 private:
  void stride_contiguous(Layout layout);
  void place();
  int64_t index(int64_t b, int64_t h, int64_t r, int64_t c) const;
  double read(int64_t i) const;
  void write(int64_t i, double value);

  Shape shape_;
  int32_t type_;
  attn_array view_{};
  int64_t first_ = 0, count_ = 0;  // of the element (0,0,0,0) in the block, elements in it
  std::unique_ptr<Block> block_;
  std::vector<std::byte> before_;
};

/// A layout of an array that is read, that is written, or of a bias.
Array::Layout read_layout(Bytes& bytes);
Array::Layout written_layout(Bytes& bytes);
Array::Layout bias_layout(Bytes& bytes);

/// Offsets of `n` sequences that rise to at most `most`.
std::vector<int64_t> draw_offsets(Bytes& bytes, int64_t n, int64_t most);

// One call each, its properties checked.
void fuzz_attention(Bytes& bytes);
void fuzz_merge(Bytes& bytes);
void fuzz_pool(Bytes& bytes);

}  // namespace attn::fuzz
