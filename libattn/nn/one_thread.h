// Products and decompositions whose digits do not depend on the number of threads.
#pragma once

namespace attn::nn {

/// While it lives, products and decompositions that the calling thread asks for are made by it
/// alone. Without it MKL cuts a sum into as many parts as LibTorch has threads, also where only one
/// of them works on it. Other libraries leave a product to the thread that asks for it within a
/// parallel loop.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace attn::nn
