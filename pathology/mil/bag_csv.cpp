#include "pathology/mil/bag_csv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <map>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"
#include "pathology/slide/columns.h"

namespace pathology {
namespace {

/// What the columns hold besides features; label and patient may be empty.
struct Roles {
  std::string bag, label, patient;
};

Roles roles_of(const attn::io::Table& table, const BagCsvOptions& options) {
  const LabelOptions& c = options.columns;
  Roles roles{choose_column(table, c.id_column, std::array{"bag"}),
              choose_column(table, c.label_column, kLabelColumns),
              choose_column(table, c.patient_column, kPatientColumns)};
  const auto demand = [&](const std::string& column, const std::string& name) {
    if (column.empty())
      throw attn::Error(table.path().string() + ": has no column '" + name +
                        "', expected bag,label,f0,f1,... with one row per instance, found " +
                        attn::io::list_names(table.columns()));
  };
  demand(roles.bag, "bag");
  if (options.labelled) demand(roles.label, "label");
  return roles;
}

template <class Names>
bool is_one_of(const std::string& name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Why a column that has no role is no feature either: its name is a usual one of labels, bags or
/// patients, and it would give the answer away. Empty for a feature. `labelled`: the table is one
/// whose columns the caller may name.
std::string why_left_out(const std::string& name, const Roles& roles, bool labelled) {
  const auto taken = [&](const char* what, const std::string& column, const char* option) {
    std::string reason = column.empty() ? std::string("no ") + what + " are read"
                                        : std::string(what) + " are taken from column " +
                                              attn::io::quote_text(column);
    reason += ", and column " + attn::io::quote_text(name) + " is left out";
    return labelled ? reason + "; " + option + " names another" : reason;
  };
  if (is_one_of(name, kPatientColumns)) return taken("patients", roles.patient, "--patient-column");
  if (is_one_of(name, kLabelColumns)) return taken("labels", roles.label, "--label-column");
  if (is_one_of(name, kSlideColumns)) return taken("bags", roles.bag, "--id-column");
  return "";
}

/// The columns that are left, in file order.
std::vector<std::string> feature_columns(const attn::io::Table& table, const Roles& roles,
                                         bool labelled, const attn::Hooks& hooks) {
  std::vector<std::string> features;
  for (const std::string& name : table.columns()) {
    if (name == roles.bag || name == roles.label || name == roles.patient) continue;
    const std::string reason = why_left_out(name, roles, labelled);
    if (reason.empty())
      features.push_back(name);
    else
      hooks.warning(table.path().string() + ": " + reason);
  }
  if (features.empty())
    throw attn::Error(table.path().string() + ": has no feature column beside bag and label");
  return features;
}

/// Rows of each bag, bags in the order of their first row, with one label and patient each.
struct Grouped {
  std::vector<Bag> bags;
  std::vector<std::string> labels;
  std::vector<std::vector<int64_t>> rows;
};

Grouped group_rows(const attn::io::Table& table, const Roles& roles, bool labelled) {
  const std::vector<std::string> ids = trimmed_cells(table, roles.bag),
                                 patients = told_cells(table, roles.patient),
                                 labels = told_cells(table, labelled ? roles.label : "");
  Grouped out;
  std::map<std::string, size_t> index;
  for (size_t r = 0; r < ids.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    if (ids[r].empty()) throw attn::Error(table.locate(row, roles.bag) + ": the bag has no name");
    if (labelled && labels[r].empty())
      throw attn::Error(table.locate(row, roles.label) +
                        ": the label is missing; give one, or leave the bag's rows out");
    const auto [found, fresh] = index.emplace(ids[r], out.bags.size());
    const size_t b = found->second;
    if (fresh) {
      Bag bag;
      bag.id = ids[r];
      bag.patient = patients[r].empty() ? ids[r] : patients[r];
      out.bags.push_back(std::move(bag));
      out.labels.push_back(labels[r]);
      out.rows.emplace_back();
    } else if (labels[r] != out.labels[b]) {
      throw attn::Error(table.locate(row, roles.label) + ": bag " + attn::io::quote_text(ids[r]) +
                        " has label " + attn::io::quote_text(labels[r]) + " here and " +
                        attn::io::quote_text(out.labels[b]) +
                        " in an earlier row; all rows of a bag must agree");
    } else if (!patients[r].empty() && patients[r] != out.bags[b].patient) {
      throw attn::Error(
          table.locate(row, roles.patient) + ": bag " + attn::io::quote_text(ids[r]) +
          " belongs to another patient in an earlier row; all rows of a bag must agree");
    }
    out.rows[b].push_back(row);
  }
  return out;
}

}  // namespace

BagSet read_bag_csv(const std::filesystem::path& path, const BagCsvOptions& options,
                    const attn::Hooks& hooks) {
  const attn::io::Table table = attn::io::Table::read(path);
  const Roles roles = roles_of(table, options);
  if (table.rows() == 0) throw attn::Error(path.string() + ": holds a header but no rows");
  BagSet set;
  set.feature_names = feature_columns(table, roles, options.labelled, hooks);
  Grouped grouped = group_rows(table, roles, options.labelled);
  std::vector<float> values = table.matrix(set.feature_names);
  set.dim = static_cast<int64_t>(set.feature_names.size());
  const at::Tensor all = at::from_blob(values.data(), {table.rows(), set.dim}, at::kFloat);
  if (options.labelled) set.classes = class_names(grouped.labels);
  attn::io::Digest digest;
  for (size_t b = 0; b < grouped.bags.size(); ++b) {
    Bag& bag = grouped.bags[b];
    const std::string& label = grouped.labels[b];
    if (options.labelled)
      bag.label = std::find(set.classes.begin(), set.classes.end(), label) - set.classes.begin();
    bag.instances = static_cast<int64_t>(grouped.rows[b].size());
    bag.features = all.index_select(0, at::tensor(grouped.rows[b], at::kLong));
    digest_bag(digest, bag, label);
  }
  warn_of_equal_classes(set.classes, path.string(), hooks);
  set.bags = std::move(grouped.bags);
  set.digest = digest.hex();
  if (set.classes.size() == 1)
    hooks.warning(path.string() + ": all bags have the label " +
                  attn::io::quote_text(set.classes[0]) + "; training needs at least two classes");
  return set;
}

}  // namespace pathology
