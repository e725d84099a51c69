// Small bag sets made by the tests themselves.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "libattn/train/seed.h"
#include "pathology/mil/bag.h"

namespace pathology::test {

/// `bags` bags of 2 to 9 instances and `dim` features; a bag of class c holds an instance shifted
/// by 4 in column c. Two bags a patient when `paired`.
inline BagSet toy_set(int64_t bags, int64_t classes = 2, int64_t dim = 5, bool paired = false,
                      uint64_t seed = 1) {
  BagSet set;
  set.dim = dim;
  at::Generator generator = attn::train::make_generator(seed);
  for (int64_t c = 0; c < classes; ++c) set.classes.push_back("class" + std::to_string(c));
  for (int64_t i = 0; i < bags; ++i) {
    Bag bag;
    bag.id = "bag" + std::to_string(i);
    bag.patient = paired ? "patient" + std::to_string(i / 2) : bag.id;
    bag.label = (paired ? i / 2 : i) % classes;
    bag.instances = 2 + i % 8;
    bag.features = at::randn({bag.instances, dim}, generator, at::kFloat);
    bag.features[0][bag.label] += 4;
    set.bags.push_back(std::move(bag));
  }
  set.digest = "toy" + std::to_string(bags) + "-" + std::to_string(seed);
  return set;
}

}  // namespace pathology::test
