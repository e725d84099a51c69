// Runs a fuzz target without libFuzzer: inputs drawn from a seed and mutated.
//
//   fuzz-c-api [-seconds=S] [-seed=N]      random inputs for S seconds (10)
//   fuzz-c-api FILE ...                    these inputs
//
// An input that fails is left in fuzz-failure, in the working directory.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

const Input* running = nullptr;

/// Leaves the input that runs, then dies of the signal.
void keep_input(int signal) {
  std::signal(signal, SIG_DFL);
  if (running != nullptr) {
    if (std::FILE* file = std::fopen("fuzz-failure", "wb")) {
      std::fwrite(running->data(), 1, running->size(), file);
      std::fclose(file);
    }
  }
  std::raise(signal);
}

void run(const Input& input) {
  running = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  running = nullptr;
}

Input draw(std::mt19937_64& random) {
  Input input(random() % 160);
  for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
  return input;
}

void mutate(std::mt19937_64& random, Input& input) {
  const uint64_t times = 1 + random() % 4;
  for (uint64_t i = 0; i < times && !input.empty(); ++i) {
    uint8_t& byte = input[random() % input.size()];
    const uint64_t kind = random() % 4;
    if (kind == 0) byte = static_cast<uint8_t>(random());
    if (kind == 1) byte = static_cast<uint8_t>(byte + 1);
    if (kind == 2) byte ^= static_cast<uint8_t>(1 << random() % 8);
    if (kind == 3) input.resize(random() % (input.size() + 1));
  }
}

int run_files(int count, char** names) {
  for (int i = 0; i < count; ++i) {
    std::ifstream file(names[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "error: %s cannot be read\n", names[i]);
      return 1;
    }
    run(Input(std::istreambuf_iterator<char>(file), {}));
  }
  return 0;
}

int run_random(double seconds, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Input> kept(64);
  const auto start = std::chrono::steady_clock::now();
  uint64_t runs = 0;
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (; elapsed() < seconds; ++runs) {
    Input& input = kept[random() % kept.size()];
    if (random() % 3 == 0) {
      mutate(random, input);
    } else {
      input = draw(random);
    }
    run(input);
  }
  std::printf("%llu inputs in %.0f s, seed %llu\n", static_cast<unsigned long long>(runs),
              elapsed(), static_cast<unsigned long long>(seed));
  return runs > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 10;
  uint64_t seed = 1;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(signal, keep_input);
  if (argc > 1 && argv[1][0] != '-') return run_files(argc - 1, argv + 1);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("-seconds=", 0) == 0) {
      seconds = std::strtod(argv[i] + 9, nullptr);
    } else if (word.rfind("-seed=", 0) == 0) {
      seed = std::strtoull(argv[i] + 6, nullptr, 10);
    } else {
      std::fprintf(stderr, "error: unknown option %s\n", argv[i]);
      return 2;
    }
  }
  return run_random(seconds, seed);
}
