#include "tests/fuzz/fuzz_input.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace attn::fuzz {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
constexpr bool kAddressSanitizer = false;
#endif

/// SplitMix64 (Steele et al. 2014).
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// In [-1, 1).
  double unit() { return static_cast<double>(static_cast<int64_t>(next()) >> 11) * 0x1p-52; }
};

double draw(Random& random, Level level) {
  const double x = random.unit();
  if (level == Level::moderate) return 4 * x;
  if (level == Level::large) return 1e4 * x;
  switch (random.next() % 8) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      return x < 0 ? -INFINITY : INFINITY;
    case 2:
      return x * 3e38;
    case 3:
      return x * 1e-42;
    case 4:
      return x < 0 ? -0.0 : 0.0;
    default:
      return x * std::pow(10.0, static_cast<double>(random.next() % 30));
  }
}

}  // namespace

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n  last message: %s\n", what, attn_error_message());
  std::abort();
}

Block::Block(size_t bytes) : bytes_(bytes) {
  if (kAddressSanitizer) {
    data_ = static_cast<std::byte*>(std::malloc(bytes));
    return;
  }
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t used = (bytes + page - 1) / page * page;
  mapped_bytes_ = used + page;
  mapped_ =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(mapped_ != MAP_FAILED, "memory for an array");
  require(mprotect(static_cast<std::byte*>(mapped_) + used, page, PROT_NONE) == 0, "a guard page");
  data_ = static_cast<std::byte*>(mapped_) + used - bytes;
}

Block::~Block() {
  if (kAddressSanitizer) {
    std::free(data_);
  } else {
    munmap(mapped_, mapped_bytes_);
  }
}

Array::Array(const Shape& shape, int32_t type, Layout layout) : shape_(shape), type_(type) {
  for (int64_t* n : {&shape_.batch, &shape_.head, &shape_.row, &shape_.column})
    *n = std::max<int64_t>(*n, 0);
  stride_contiguous(layout);
  place();
}

void Array::stride_contiguous(Layout layout) {
  const int64_t pad = layout == Layout::padded ? 3 : 0;
  const Shape& n = shape_;
  view_.column = 1;
  view_.row = n.column + pad;
  view_.head = n.row * view_.row + pad;
  view_.batch = n.head * view_.head + pad;
  if (layout == Layout::rows_first) {
    view_.head = n.column;
    view_.row = n.head * n.column;
    view_.batch = n.row * view_.row;
  }
  if (layout == Layout::shared || layout == Layout::one_row) view_.batch = view_.head = 0;
  if (layout == Layout::one_row) view_.row = 0;
  if (layout == Layout::backwards) view_.row = -view_.row;
  if (layout == Layout::columns_first) view_.row = 1, view_.column = n.row;
  if (layout == Layout::one_number) view_.batch = view_.head = view_.row = view_.column = 0;
}

void Array::place() {
  int64_t low = 0, high = 0;
  const int64_t sizes[] = {shape_.batch, shape_.head, shape_.row, shape_.column};
  const int64_t strides[] = {view_.batch, view_.head, view_.row, view_.column};
  for (int i = 0; i < 4; ++i) {
    const int64_t last = std::max<int64_t>(sizes[i] - 1, 0) * strides[i];
    (last < 0 ? low : high) += last;
  }
  first_ = -low;
  count_ = empty() ? 0 : high - low + 1;
  const size_t item = type_ == ATTN_FLOAT32 ? 4 : 8;
  block_ = std::make_unique<Block>(static_cast<size_t>(count_) * item);
  view_.data = block_->data() + static_cast<size_t>(first_) * (empty() ? 0 : item);
}

int64_t Array::index(int64_t b, int64_t h, int64_t r, int64_t c) const {
  return first_ + b * view_.batch + h * view_.head + r * view_.row + c * view_.column;
}

double Array::read(int64_t i) const {
  if (type_ == ATTN_FLOAT32) return reinterpret_cast<const float*>(block_->data())[i];
  return reinterpret_cast<const double*>(block_->data())[i];
}

void Array::write(int64_t i, double value) {
  if (type_ == ATTN_FLOAT32) {
    const double most = std::numeric_limits<float>::max();
    const bool fits = !std::isfinite(value) || std::abs(value) <= most;
    reinterpret_cast<float*>(block_->data())[i] = static_cast<float>(fits ? value : most);
  } else {
    reinterpret_cast<double*>(block_->data())[i] = value;
  }
}

double Array::at(int64_t b, int64_t h, int64_t r, int64_t c) const {
  return read(index(b, h, r, c));
}

void Array::set(int64_t b, int64_t h, int64_t r, int64_t c, double value) {
  write(index(b, h, r, c), value);
}

void Array::fill(uint64_t seed, Level level) {
  Random random{seed};
  for (int64_t i = 0; i < count_; ++i) write(i, draw(random, level));
}

void Array::watch(double value) {
  for (int64_t i = 0; i < count_; ++i) write(i, value);
  before_.assign(block_->data(), block_->data() + block_->size());
}

bool Array::untouched() const {
  return before_.empty() || std::memcmp(before_.data(), block_->data(), before_.size()) == 0;
}

bool Array::padding_untouched() const {
  if (before_.empty()) return true;
  std::vector<bool> named(static_cast<size_t>(count_));
  for (int64_t b = 0; b < shape_.batch; ++b) {
    for (int64_t h = 0; h < shape_.head; ++h) {
      for (int64_t r = 0; r < shape_.row; ++r) {
        for (int64_t c = 0; c < shape_.column; ++c)
          named[static_cast<size_t>(index(b, h, r, c))] = true;
      }
    }
  }
  const size_t item = before_.size() / static_cast<size_t>(count_);
  for (size_t i = 0; i < named.size(); ++i) {
    if (!named[i] && std::memcmp(&before_[i * item], block_->data() + i * item, item) != 0)
      return false;
  }
  return true;
}

bool Array::finite() const {
  bool all = true;
  each([&](double x) { all = all && std::isfinite(x); });
  return all;
}

Array::Layout read_layout(Bytes& bytes) {
  return static_cast<Array::Layout>(bytes.range(0, 5));
}

Array::Layout written_layout(Bytes& bytes) {
  return static_cast<Array::Layout>(bytes.range(0, 2));
}

Array::Layout bias_layout(Bytes& bytes) {
  return static_cast<Array::Layout>(bytes.range(0, 7));
}

std::vector<int64_t> draw_offsets(Bytes& bytes, int64_t n, int64_t most) {
  std::vector<int64_t> offsets = {0};
  for (int64_t b = 0; b < n; ++b)
    offsets.push_back(offsets.back() + bytes.range(0, std::max<int64_t>(most - offsets.back(), 0)));
  return offsets;
}

}  // namespace attn::fuzz
