#include "pathology/chain/labels.h"

#include <algorithm>
#include <set>

#include "attn/error.h"
#include "libattn/io/csv.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace pathology {

namespace {

/// The manifest's patients, where the table tells none.
void add_patients(LabelTable& table, const std::map<std::string, size_t>& rows,
                  const std::vector<SlideItem>& slides, const std::filesystem::path& csv) {
  for (const SlideItem& slide : slides) {
    const auto row = rows.find(without_slide_extension(slide.id));
    if (row == rows.end() || !slide.case_id) continue;
    std::string& patient = table.patients[row->second];
    if (!patient.empty() && patient != *slide.case_id)
      throw attn::Error(
          csv.string() + " gives slide " + attn::io::quote_text(slide.id) +
          " another patient than the manifest's column of patients; correct one of them");
    patient = *slide.case_id;
  }
}

/// Labelled slides of the table that are not here would be missed in silence.
void warn_of_absent(const LabelTable& table, const std::map<std::string, size_t>& rows,
                    const std::vector<SlideItem>& slides, const std::filesystem::path& csv,
                    const attn::Hooks& hooks) {
  std::set<std::string> here;
  for (const SlideItem& slide : slides) here.insert(without_slide_extension(slide.id));
  std::vector<std::string> absent;
  for (const auto& [id, row] : rows)
    if (!table.labels[row].empty() && !here.contains(id)) absent.push_back(id);
  if (!absent.empty())
    hooks.warning(std::to_string(absent.size()) +
                  (absent.size() == 1 ? " labelled slide of " : " labelled slides of ") +
                  csv.string() +
                  " left out, not being among the slides: " + attn::io::list_names(absent));
}

}  // namespace

LabelTable labels_of(const std::vector<SlideItem>& slides, const std::filesystem::path& csv,
                     const LabelOptions& options, const attn::Hooks& hooks) {
  if (!csv.empty()) {
    LabelTable table = read_labels(csv, options);
    const auto rows = label_rows(table, csv);
    if (std::none_of(slides.begin(), slides.end(), [&](const SlideItem& slide) {
          const auto row = rows.find(without_slide_extension(slide.id));
          return row != rows.end() && !table.labels[row->second].empty();
        }))
      throw attn::Error(csv.string() + " has no label for any of the " +
                        std::to_string(slides.size()) + " slides; its first id is '" +
                        table.ids.front() + "', the first slide is '" + slides.front().id + "'");
    add_patients(table, rows, slides, csv);
    warn_of_absent(table, rows, slides, csv, hooks);
    return table;
  }
  LabelTable table;
  for (const SlideItem& slide : slides) {
    if (!slide.label || slide.label->empty()) continue;
    table.ids.push_back(slide.id);
    table.labels.push_back(*slide.label);
    table.patients.push_back(slide.case_id.value_or(""));
  }
  if (table.ids.empty())
    throw attn::UsageError("no labels: give --labels FILE.csv, or a manifest with a column label");
  return table;
}

BagSet planned_bags(const LabelTable& labels, const std::vector<SlideItem>& slides,
                    const std::filesystem::path& csv) {
  const auto rows = label_rows(labels, csv);
  std::map<std::string, size_t> by_file;  // the order of feature files
  std::vector<std::string> told;
  for (const SlideItem& slide : slides) {
    const auto row = rows.find(without_slide_extension(slide.id));
    if (row == rows.end() || labels.labels[row->second].empty()) continue;
    by_file[slide.id + ".h5"] = row->second;
    told.push_back(labels.labels[row->second]);
  }
  BagSet set;
  set.classes = class_names(told);
  for (const auto& [file, row] : by_file) {
    Bag bag;
    bag.id = std::filesystem::path(file).stem().string();
    bag.patient = labels.patients[row].empty() ? bag.id : labels.patients[row];
    bag.label =
        std::find(set.classes.begin(), set.classes.end(), labels.labels[row]) - set.classes.begin();
    set.bags.push_back(std::move(bag));
  }
  return set;
}

void write_labels(const std::filesystem::path& path, const LabelTable& labels,
                  const std::vector<SlideItem>& slides) {
  const auto rows = label_rows(labels, path);
  std::vector<std::vector<attn::io::Cell>> out;
  for (const SlideItem& slide : slides) {
    const auto row = rows.find(without_slide_extension(slide.id));
    if (row == rows.end() || labels.labels[row->second].empty()) continue;
    const std::string& patient = labels.patients[row->second];
    out.push_back({slide.id, labels.labels[row->second], patient.empty() ? slide.id : patient});
  }
  attn::io::write_csv(path, {"slide_id", "label", "case_id"}, out);
}

}  // namespace pathology
