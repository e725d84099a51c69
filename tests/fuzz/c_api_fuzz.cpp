// Fuzz target of the C interface: bytes to one call, whose memory AddressSanitizer (or guard pages)
// and whose properties the target watches. tests/fuzz/driver.cpp runs it where libFuzzer is not.
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  attn::fuzz::Bytes bytes(data, size);
  const int kind = bytes.next() % 8;
  if (kind == 6) {
    attn::fuzz::fuzz_merge(bytes);
  } else if (kind == 7) {
    attn::fuzz::fuzz_pool(bytes);
  } else {
    attn::fuzz::fuzz_attention(bytes);
  }
  return 0;
}
