// Threads of OpenMP that wait do not spin: beside other work, a barrier at which they do takes as
// long as the other work's turn on the core, a thousand times as long as the small kernels of a
// forecasting network.
//
// The OpenMP runtime takes its waiting policy from the environment before main() and before the
// constructors of the program. What comes earlier still is the program's own DT_PREINIT_ARRAY (ELF
// gABI, "Initialization and Termination Functions"), to which the GNU C library hands the
// environment. That has no room for one more variable: the policy stands in for the last one that
// no threading library reads until all libraries are loaded. A policy of the user's own stays.
namespace {

char g_policy[] = "OMP_WAIT_POLICY=passive";  // NOLINT: part of the environment
char** g_place = nullptr;                     // NOLINT: where it stands
char* g_hidden = nullptr;                     // NOLINT: what stood there

bool begins_with(const char* text, const char* prefix) {
  for (; *prefix != '\0'; ++text, ++prefix)
    if (*text != *prefix) return false;
  return true;
}

// Nothing of any library is usable yet, sanitizers included.
__attribute__((no_sanitize("address", "undefined", "thread"))) void set_policy(int /*argc*/,
                                                                               char** /*argv*/,
                                                                               char** environment) {
  if (environment == nullptr) return;
  char** last = nullptr;
  for (char** each = environment; *each != nullptr; ++each) {
    if (begins_with(*each, "OMP_WAIT_POLICY=") || begins_with(*each, "GOMP_SPINCOUNT=")) return;
    if (!begins_with(*each, "OMP_") && !begins_with(*each, "GOMP_") &&
        !begins_with(*each, "KMP_") && !begins_with(*each, "MKL_"))
      last = each;
  }
  if (last == nullptr) return;
  g_place = last;
  g_hidden = *last;
  *last = g_policy;
}

// After all libraries', before those of other files.
__attribute__((constructor(101))) void put_back() {
  if (g_place != nullptr) *g_place = g_hidden;
}

__attribute__((section(".preinit_array"), used)) void (*const kFirst)(int, char**,
                                                                      char**) = set_policy;

}  // namespace
