#include "pathology/mil/splits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "attn/error.h"
#include "libattn/io/csv.h"
#include "libattn/io/digest.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"
#include "libattn/train/seed.h"

namespace pathology {
namespace {

constexpr std::array<const char*, 3> kPartNames{"train", "validation", "test"};

/// A patient's bags and class.
struct Patient {
  std::vector<int64_t> bags;
  int64_t label = 0;
};

/// Patients of `items`, in the order of their first bag; class: the most frequent, of equals the
/// highest, of their bags'.
std::vector<Patient> patients_of(const BagSet& set, const std::vector<int64_t>& items) {
  std::vector<Patient> out;
  std::map<std::string, size_t> index;
  for (const int64_t i : items) {
    const auto [found, fresh] = index.emplace(set.bags[static_cast<size_t>(i)].patient, out.size());
    if (fresh) out.emplace_back();
    out[found->second].bags.push_back(i);
  }
  for (Patient& p : out) {
    std::map<int64_t, int64_t> count;
    for (const int64_t i : p.bags) ++count[set.bags[static_cast<size_t>(i)].label];
    int64_t most = 0;
    for (const auto& [label, n] : count)
      if (n >= most) most = n, p.label = label;
  }
  return out;
}

/// Patient indices per class (one group when not stratified), each shuffled.
std::vector<std::vector<size_t>> shuffled_groups(const std::vector<Patient>& patients,
                                                 bool stratified, uint64_t seed) {
  std::map<int64_t, std::vector<size_t>> by_class;
  for (size_t p = 0; p < patients.size(); ++p)
    by_class[stratified ? patients[p].label : 0].push_back(p);
  std::vector<std::vector<size_t>> out;
  for (const auto& [label, members] : by_class) {
    std::vector<size_t> group;
    const uint64_t own = attn::train::derive_seed(seed, "split", static_cast<uint64_t>(label));
    for (const int64_t i : attn::train::permutation(static_cast<int64_t>(members.size()), own))
      group.push_back(members[static_cast<size_t>(i)]);
    out.push_back(std::move(group));
  }
  return out;
}

/// How many of n patients go to validation and test; training keeps at least one, then test, then
/// validation get theirs.
std::pair<int64_t, int64_t> part_sizes(int64_t n, double validation, double test) {
  int64_t v = std::lround(validation * static_cast<double>(n));
  int64_t t = std::lround(test * static_cast<double>(n));
  if (test > 0 && t == 0 && n >= 2) t = 1;
  if (validation > 0 && v == 0 && n >= (test > 0 ? 3 : 2)) v = 1;
  while (v + t >= n && v + t > 0) --(v >= t ? v : t);
  return {v, t};
}

/// "40 patients of 34 classes".
std::string patients_text(const BagSet& set, size_t patients) {
  return std::to_string(patients) + (patients == 1 ? " patient of " : " patients of ") +
         std::to_string(set.classes.size()) + (set.classes.size() == 1 ? " class" : " classes");
}

Split cut(const BagSet& set, const std::vector<int64_t>& items, const SplitOptions& options) {
  const std::vector<Patient> patients = patients_of(set, items);
  Split split;
  for (const auto& group : shuffled_groups(patients, options.stratified, options.seed)) {
    const auto [v, t] =
        part_sizes(static_cast<int64_t>(group.size()), options.validation, options.test);
    for (size_t i = 0; i < group.size(); ++i) {
      const auto place = static_cast<int64_t>(i);
      std::vector<int64_t>& part = place < t       ? split.test
                                   : place < t + v ? split.validation
                                                   : split.train;
      const auto& bags = patients[group[i]].bags;
      part.insert(part.end(), bags.begin(), bags.end());
    }
  }
  for (auto* part : {&split.train, &split.validation, &split.test})
    std::sort(part->begin(), part->end());
  if ((options.validation > 0 && split.validation.empty()) ||
      (options.test > 0 && split.test.empty())) {
    throw attn::Error(
        "too few patients to set some of a class apart for every part of the split: there are " +
        patients_text(set, patients.size()) + "; add data, set " +
        (options.test > 0 ? "--validation or --test" : "--validation") +
        " to 0, or where these are not the classes meant, name the column of labels by "
        "--label-column");
  }
  return split;
}

}  // namespace

std::vector<int64_t> all_bags(const BagSet& set) {
  std::vector<int64_t> items(set.bags.size());
  for (size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int64_t>(i);
  return items;
}

void require_two_classes(const BagSet& set, const std::vector<int64_t>& items) {
  for (const int64_t i : items)
    if (set.bags[static_cast<size_t>(i)].label != set.bags[static_cast<size_t>(items[0])].label)
      return;
  if (items.empty()) throw attn::Error("the training part holds no bags");
  throw attn::Error(
      "all " + std::to_string(items.size()) + " training bags have the label " +
      attn::io::quote_text(
          set.classes[static_cast<size_t>(set.bags[static_cast<size_t>(items[0])].label)]) +
      "; training needs at least two classes");
}

Split split_bags(const BagSet& set, const SplitOptions& options) {
  if (!(options.validation >= 0 && options.test >= 0 && options.validation + options.test < 1)) {
    throw attn::UsageError(
        "the fractions of validation and test must not be negative and must leave something to "
        "train "
        "on");
  }
  Split split = cut(set, all_bags(set), options);
  require_two_classes(set, split.train);
  return split;
}

std::vector<Split> k_folds(const BagSet& set, int64_t folds, bool stratified, uint64_t seed) {
  const std::vector<Patient> patients = patients_of(set, all_bags(set));
  const auto n = static_cast<int64_t>(patients.size());
  if (folds < 2) throw attn::UsageError("cross-validation needs at least 2 folds");
  if (folds > n) {
    throw attn::Error("too few patients for " + std::to_string(folds) + " folds: there are " +
                      patients_text(set, patients.size()) + "; ask for fewer by --folds");
  }
  std::vector<size_t> order;
  for (const auto& group : shuffled_groups(patients, stratified, seed))
    order.insert(order.end(), group.begin(), group.end());
  std::vector<Split> out(static_cast<size_t>(folds));
  for (int64_t i = 0; i < n; ++i) {
    // Stratified: classes lie one after the other and are dealt out in turn. Else: even cuts of the
    // shuffled order.
    const int64_t fold = stratified ? i % folds : i * folds / n;
    for (int64_t f = 0; f < folds; ++f) {
      Split& split = out[static_cast<size_t>(f)];
      std::vector<int64_t>& part = f == fold ? split.test : split.train;
      const auto& bags = patients[order[static_cast<size_t>(i)]].bags;
      part.insert(part.end(), bags.begin(), bags.end());
    }
  }
  for (Split& split : out) {
    std::sort(split.train.begin(), split.train.end());
    std::sort(split.test.begin(), split.test.end());
  }
  return out;
}

Split with_validation(const BagSet& set, const Split& split, double fraction, uint64_t seed) {
  SplitOptions options;
  options.validation = fraction;
  options.test = 0;
  options.seed = seed;
  Split out = cut(set, split.train, options);
  out.test = split.test;
  return out;
}

PartOfBag parts_of(const BagSet& set, const Split& split) {
  PartOfBag parts;
  const auto mark = [&](const std::vector<int64_t>& items, const char* name) {
    for (const int64_t i : items) parts[set.bags[static_cast<size_t>(i)].id] = name;
  };
  mark(split.train, kPartNames[0]);
  mark(split.validation, kPartNames[1]);
  mark(split.test, kPartNames[2]);
  return parts;
}

std::string digest_of(const PartOfBag& parts) {
  attn::io::Digest digest;
  for (const auto& [bag, part] : parts) {
    digest.update(bag);
    digest.update(std::string(1, '\0'));
    digest.update(part);
    digest.update(std::string(1, '\0'));
  }
  return digest.hex();
}

std::string patient_key(const std::string& set_digest, const std::string& patient) {
  return attn::io::digest(set_digest + '\0' + patient);
}

bool tells_patients(const BagSet& set) {
  return std::any_of(set.bags.begin(), set.bags.end(),
                     [](const Bag& bag) { return bag.patient != bag.id; });
}

void write_splits(const std::filesystem::path& path, const BagSet& set, const Split& split) {
  const PartOfBag parts = parts_of(set, split);
  const bool told = tells_patients(set);
  std::vector<std::vector<attn::io::Cell>> rows;
  for (const Bag& bag : set.bags)
    if (const auto part = parts.find(bag.id); part != parts.end())
      rows.push_back(
          {bag.id, part->second, told ? patient_key(set.digest, bag.patient) : std::string()});
  attn::io::write_csv(path, {"bag", "part", "patient"}, rows);
}

namespace {

std::vector<std::string> part_column(const attn::io::Table& table) {
  std::vector<std::string> parts = table.strings("part");
  for (size_t r = 0; r < parts.size(); ++r)
    if (std::find(kPartNames.begin(), kPartNames.end(), parts[r]) == kPartNames.end())
      throw attn::Error(table.locate(static_cast<int64_t>(r), "part") +
                        ": expected train, validation or test, found " +
                        attn::io::quote_text(parts[r]));
  return parts;
}

}  // namespace

std::string worse_part(const std::string& a, const std::string& b) {
  const auto place = [](const std::string& part) {
    return std::find(kPartNames.begin(), kPartNames.end(), part) - kPartNames.begin();
  };
  return place(b) < place(a) ? b : a;
}

std::map<std::string, std::string> read_patient_parts(const std::filesystem::path& path) {
  const attn::io::Table table = attn::io::Table::read(path);
  std::map<std::string, std::string> out;
  if (!table.has("patient")) return out;
  const std::vector<std::string> patients = table.strings("patient"), parts = part_column(table);
  for (size_t r = 0; r < patients.size(); ++r)
    if (!patients[r].empty()) out[patients[r]] = worse_part(out[patients[r]], parts[r]);
  return out;
}

PartOfBag read_parts(const std::filesystem::path& path) {
  const attn::io::Table table = attn::io::Table::read(path);
  const std::vector<std::string> ids = table.strings("bag"), parts = part_column(table);
  PartOfBag out;
  for (size_t r = 0; r < ids.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    if (!out.emplace(ids[r], parts[r]).second)
      throw attn::Error(table.locate(row, "bag") + ": " + attn::io::quote_text(ids[r]) +
                        " stands here twice");
  }
  return out;
}

namespace {

/// The bags of `set` that have a part, as indices. Throws Error where a patient is in two.
Split indices_of(const PartOfBag& parts, const BagSet& set, const std::string& where) {
  Split split;
  std::map<std::string, const Bag*> first_of_patient;
  for (size_t i = 0; i < set.bags.size(); ++i) {
    const Bag& bag = set.bags[i];
    const auto part = parts.find(bag.id);
    if (part == parts.end()) continue;
    const Bag& first = *first_of_patient.emplace(bag.patient, &bag).first->second;
    if (parts.at(first.id) != part->second)
      throw attn::Error(where + ": the patient of bags " + attn::io::quote_text(first.id) +
                        " and " + attn::io::quote_text(bag.id) + " is in two parts, " +
                        parts.at(first.id) + " and " + part->second +
                        "; put all bags of a patient into one");
    auto& into = part->second == kPartNames[0]   ? split.train
                 : part->second == kPartNames[1] ? split.validation
                                                 : split.test;
    into.push_back(static_cast<int64_t>(i));
  }
  return split;
}

/// Bags of the split that the set lacks, sorted.
std::vector<std::string> absent_bags(const PartOfBag& parts, const BagSet& set) {
  std::set<std::string> known;
  for (const Bag& bag : set.bags) known.insert(bag.id);
  std::vector<std::string> absent;
  for (const auto& [bag, part] : parts)
    if (!known.contains(bag)) absent.push_back(bag);
  return absent;
}

}  // namespace

Split read_splits(const std::filesystem::path& path, const BagSet& set) {
  const PartOfBag parts = read_parts(path);
  if (const auto absent = absent_bags(parts, set); !absent.empty())
    throw attn::Error(path.string() + ": bag " + attn::io::quote_text(absent.front()) +
                      " is not among the bags; use the bags the split was made of");
  for (const Bag& bag : set.bags)
    if (!parts.contains(bag.id))
      throw attn::Error(path.string() + ": lacks bag " + attn::io::quote_text(bag.id) +
                        "; the split must name every bag");
  return indices_of(parts, set, path.string());
}

Split match_parts(const PartOfBag& parts, const BagSet& set, const std::string& where,
                  const attn::Hooks& hooks) {
  const std::vector<std::string> absent = absent_bags(parts, set);
  if (!absent.empty())
    hooks.warning(where + ": " + std::to_string(absent.size()) +
                  " of its bags are gone, and are not looked at: " + attn::io::list_names(absent));
  return indices_of(parts, set, where);
}

}  // namespace pathology
