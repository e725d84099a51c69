#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/simd.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "attn/core.h"
#include "attn/error.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {
const char* compiled_target() {
  return hwy::TargetName(HWY_TARGET);
}
}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(compiled_target);

std::string simd_target() {
  return HWY_DYNAMIC_DISPATCH(compiled_target)();
}

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets())
    names.emplace_back(hwy::TargetName(target));
  return names;
}

void force_simd_target(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);
  int64_t chosen = 0;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) chosen = target;
  }
  if (!name.empty() && chosen == 0) {
    throw Error("SIMD target " + name +
                " is not among those compiled in that this machine can run");
  }
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace attn::core
#endif  // HWY_ONCE
