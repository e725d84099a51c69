#include "pathology/mil/bag_csv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table.h"
#include "libattn/io/text.h"

namespace pathology {
namespace {

const std::set<std::string, std::less<>> kPatientColumns{"case_id", "patient", "patient_id"};

/// Rows of each bag, bags in the order of their first row, with one label and patient each.
struct Grouped {
  std::vector<Bag> bags;
  std::vector<std::string> labels;
  std::vector<std::vector<int64_t>> rows;
};

Grouped group_rows(const attn::io::Table& table, const std::string& patient_column) {
  const std::vector<std::string> ids = table.strings("bag"), labels = table.strings("label");
  const std::vector<std::string> patients =
      patient_column.empty() ? ids : table.strings(patient_column);
  Grouped out;
  std::map<std::string, size_t> index;
  for (size_t r = 0; r < ids.size(); ++r) {
    const auto row = static_cast<int64_t>(r);
    if (ids[r].empty()) throw attn::Error(table.locate(row, "bag") + ": the bag has no name");
    if (labels[r].empty()) throw attn::Error(table.locate(row, "label") + ": the label is missing");
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
      throw attn::Error(table.locate(row, "label") + ": bag " + attn::io::quote_text(ids[r]) +
                        " has label " + attn::io::quote_text(labels[r]) + " here and " +
                        attn::io::quote_text(out.labels[b]) +
                        " in an earlier row; all rows of a bag must agree");
    } else if (!patient_column.empty() && !patients[r].empty() &&
               patients[r] != out.bags[b].patient) {
      throw attn::Error(
          table.locate(row, patient_column) + ": bag " + attn::io::quote_text(ids[r]) +
          " belongs to another patient in an earlier row; all rows of a bag must agree");
    }
    out.rows[b].push_back(row);
  }
  return out;
}

}  // namespace

BagSet read_bag_csv(const std::filesystem::path& path, const attn::Hooks& hooks) {
  const attn::io::Table table = attn::io::Table::read(path);
  for (const char* column : {"bag", "label"}) {
    if (table.has(column)) continue;
    throw attn::Error(path.string() + ": has no column '" + column +
                      "', expected bag,label,f0,f1,... with one row per instance, found " +
                      attn::io::list_names(table.columns()));
  }
  BagSet set;
  std::string patient_column;
  for (const std::string& name : table.columns()) {
    if (kPatientColumns.contains(name))
      patient_column = name;
    else if (name != "bag" && name != "label")
      set.feature_names.push_back(name);
  }
  if (table.rows() == 0) throw attn::Error(path.string() + ": holds a header but no rows");
  if (set.feature_names.empty())
    throw attn::Error(path.string() + ": has no feature column beside bag and label");

  Grouped grouped = group_rows(table, patient_column);
  std::vector<float> values = table.matrix(set.feature_names);
  set.dim = static_cast<int64_t>(set.feature_names.size());
  const at::Tensor all = at::from_blob(values.data(), {table.rows(), set.dim}, at::kFloat);
  set.classes = class_names(grouped.labels);
  attn::io::Digest digest;
  for (size_t b = 0; b < grouped.bags.size(); ++b) {
    Bag& bag = grouped.bags[b];
    const std::string& label = grouped.labels[b];
    bag.label = std::find(set.classes.begin(), set.classes.end(), label) - set.classes.begin();
    bag.instances = static_cast<int64_t>(grouped.rows[b].size());
    bag.features = all.index_select(0, at::tensor(grouped.rows[b], at::kLong));
    digest.update(bag.id + '\0' + label + '\0');
    digest.update(bag.features.const_data_ptr(), bag.features.nbytes());
  }
  set.bags = std::move(grouped.bags);
  set.digest = digest.hex();
  if (set.classes.size() == 1)
    hooks.warning(path.string() + ": all bags have the label " +
                  attn::io::quote_text(set.classes[0]) + "; training needs at least two classes");
  return set;
}

}  // namespace pathology
