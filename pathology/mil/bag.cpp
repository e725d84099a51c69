#include "pathology/mil/bag.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"
#include "pathology/mil/bag_csv.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/slide/columns.h"
#include "pathology/slide/find_slides.h"

namespace pathology {
namespace {

[[noreturn]] void no_column(const attn::io::Table& table, const char* expected) {
  throw attn::Error(table.path().string() + ": expected a column " + expected + ", found " +
                    attn::io::list_names(table.columns()));
}

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && std::isfinite(value) ? std::optional(value)
                                                                     : std::nullopt;
}

}  // namespace

namespace {

struct PatientsOfClasses {
  size_t patients = 0;
  std::vector<std::set<std::string>> in_class;  // by class
};

PatientsOfClasses patients_of_classes(const BagSet& set) {
  PatientsOfClasses out{.in_class = std::vector<std::set<std::string>>(set.classes.size())};
  std::set<std::string> all;
  for (const Bag& bag : set.bags) {
    all.insert(bag.patient);
    if (bag.label >= 0) out.in_class[static_cast<size_t>(bag.label)].insert(bag.patient);
  }
  out.patients = all.size();
  return out;
}

}  // namespace

at::Tensor BagSet::features(int64_t i) const {
  const Bag& bag = bags.at(static_cast<size_t>(i));
  if (bag.features.defined()) return bag.features;
  at::Tensor x = read_feature_file(bag.path).bag.features;
  if (x.size(0) != bag.instances || x.size(1) != dim) {
    throw attn::Error(bag.path.string() +
                      ": changed while it was in use; expected features of shape " +
                      attn::io::shape_text(std::vector<int64_t>{bag.instances, dim}) + ", found " +
                      attn::io::shape_text(x.sizes().vec()));
  }
  return x;
}

void digest_bag(attn::io::Digest& digest, const Bag& bag, const std::string& label) {
  digest.update(bag.id + '\0' + label + '\0');
  if (bag.patient != bag.id) digest.update(bag.patient + '\0');
  digest.update(bag.features.const_data_ptr(), bag.features.nbytes());
}

LabelTable read_labels(const std::filesystem::path& csv, const LabelOptions& options) {
  const attn::io::Table table = attn::io::Table::read(csv);
  const std::string id = choose_column(table, options.id_column, kSlideColumns);
  const std::string label = choose_column(table, options.label_column, kLabelColumns);
  const std::string patient = choose_column(table, options.patient_column, kPatientColumns);
  if (id.empty()) no_column(table, "slide_id (or slide, bag, filename)");
  if (label.empty()) no_column(table, "label");
  if (table.rows() == 0) throw attn::Error(csv.string() + ": holds a header but no rows");
  const std::vector<std::string> ids = trimmed_cells(table, id), labels = told_cells(table, label),
                                 patients = told_cells(table, patient);
  LabelTable out;
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (ids[i].empty()) throw attn::Error(table.locate(row, id) + ": the slide has no name");
    const auto [found, fresh] = seen.emplace(ids[i], out.ids.size());
    if (!fresh) {
      if (labels[i] == out.labels[found->second] && patients[i] == out.patients[found->second])
        continue;
      throw attn::Error(
          table.locate(row, id) + ": " + attn::io::quote_text(ids[i]) +
          " stands here a second time with another label or patient; keep one row a slide");
    }
    out.ids.push_back(ids[i]);
    out.labels.push_back(labels[i]);
    out.patients.push_back(patients[i]);
  }
  return out;
}

std::map<std::string, size_t> label_rows(const LabelTable& table,
                                         const std::filesystem::path& csv) {
  std::map<std::string, size_t> rows;
  for (size_t i = 0; i < table.ids.size(); ++i) {
    const std::string name = std::filesystem::path(table.ids[i]).filename().string();
    const auto [found, fresh] = rows.emplace(without_slide_extension(name), i);
    if (!fresh && (table.labels[found->second] != table.labels[i] ||
                   table.patients[found->second] != table.patients[i])) {
      throw attn::Error(csv.string() + ": " + attn::io::quote_text(table.ids[found->second]) +
                        " and " + attn::io::quote_text(table.ids[i]) +
                        " name the same slide with different labels or patients");
    }
  }
  return rows;
}

std::vector<std::string> class_names(const std::vector<std::string>& labels) {
  std::vector<std::string> names = labels;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto numeric = [](const std::string& s) { return as_number(s).has_value(); };
  if (std::all_of(names.begin(), names.end(), numeric)) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return *as_number(a) < *as_number(b);
    });
  }
  return names;
}

void warn_of_equal_classes(const std::vector<std::string>& classes, const std::string& where,
                           const attn::Hooks& hooks) {
  std::map<double, std::string> numbers;
  for (const std::string& name : classes) {
    const std::optional<double> value = as_number(name);
    if (!value) continue;
    const auto [first, fresh] = numbers.emplace(*value, name);
    if (!fresh)
      hooks.warning(where + ": the labels " + attn::io::quote_text(first->second) + " and " +
                    attn::io::quote_text(name) +
                    " are the same number and two classes; write them alike if they are one");
  }
}

std::string classes_text(const BagSet& set) {
  std::vector<std::string> counts;
  for (size_t c = 0; c < set.classes.size(); ++c) {
    const auto bags = std::count_if(set.bags.begin(), set.bags.end(), [&](const Bag& bag) {
      return bag.label == static_cast<int64_t>(c);
    });
    counts.push_back(set.classes[c] + " " + std::to_string(bags));
  }
  const size_t patients = patients_of_classes(set).patients;
  return std::to_string(set.size()) + " bags of " + std::to_string(patients) +
         (patients == 1 ? " patient: " : " patients: ") + attn::io::list_names(counts);
}

void warn_of_single_patients(const BagSet& set, const attn::Hooks& hooks) {
  std::vector<std::string> single;
  const PatientsOfClasses of = patients_of_classes(set);
  for (size_t c = 0; c < set.classes.size(); ++c)
    if (of.in_class[c].size() == 1) single.push_back(set.classes[c]);
  if (single.empty()) return;
  hooks.warning(std::to_string(single.size()) + " of the " + std::to_string(set.classes.size()) +
                " classes " + (single.size() == 1 ? "has" : "have") +
                " a single patient, who cannot be both trained on and tested: " +
                attn::io::list_names(single) +
                "; --label-column names the column of labels if it is another");
}

BagSet load_bags(const std::filesystem::path& bags, const std::filesystem::path& labels,
                 const LabelOptions& options, const attn::Hooks& hooks) {
  BagSet set;
  if (std::filesystem::is_directory(bags)) {
    if (labels.empty()) {
      throw attn::UsageError(
          bags.string() +
          ": is a folder of feature files, so a table of labels is needed; name it "
          "with --labels FILE.csv");
    }
    BagFolderOptions folder;
    folder.labels = options;
    set = read_bag_folder(bags, labels, folder, hooks);
  } else {
    if (!labels.empty()) {
      throw attn::UsageError(bags.string() +
                             ": is a table of bags, which carries its labels; --labels goes with a "
                             "folder of feature files");
    }
    set = read_bag_csv(bags, {.columns = options}, hooks);
  }
  const auto absolute = [](const std::filesystem::path& p) {
    return p.empty() ? std::string() : std::filesystem::absolute(p).lexically_normal().string();
  };
  set.source = {{"bags", absolute(bags)},
                {"labels", absolute(labels)},
                {"id_column", options.id_column},
                {"label_column", options.label_column},
                {"patient_column", options.patient_column}};
  return set;
}

BagSet load_source(const nlohmann::json& source, const attn::Hooks& hooks) {
  const char* where = "the model's record of its bags";
  const auto text = [&](const char* key) { return attn::io::get<std::string>(source, key, where); };
  const LabelOptions options{text("id_column"), text("label_column"), text("patient_column")};
  return load_bags(text("bags"), text("labels"), options, hooks);
}

}  // namespace pathology
