#include "pathology/chain/labels.h"

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/csv.h"
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
      throw attn::Error(csv.string() + " gives slide " + attn::io::quote_text(slide.id) +
                        " another patient than the manifest's column case_id; correct one of them");
    patient = *slide.case_id;
  }
}

}  // namespace

LabelTable labels_of(const std::vector<SlideItem>& slides, const std::filesystem::path& csv,
                     const LabelOptions& options) {
  if (!csv.empty()) {
    LabelTable table = read_labels(csv, options);
    const auto rows = label_rows(table, csv);
    if (std::none_of(slides.begin(), slides.end(), [&](const SlideItem& slide) {
          return rows.contains(without_slide_extension(slide.id));
        }))
      throw attn::Error(csv.string() + " has no label for any of the " +
                        std::to_string(slides.size()) + " slides; its first id is '" +
                        table.ids.front() + "', the first slide is '" + slides.front().id + "'");
    add_patients(table, rows, slides, csv);
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

void write_labels(const std::filesystem::path& path, const LabelTable& labels,
                  const std::vector<SlideItem>& slides) {
  const auto rows = label_rows(labels, path);
  std::vector<std::vector<attn::io::Cell>> out;
  for (const SlideItem& slide : slides) {
    const auto row = rows.find(without_slide_extension(slide.id));
    if (row == rows.end()) continue;
    const std::string& patient = labels.patients[row->second];
    out.push_back({slide.id, labels.labels[row->second], patient.empty() ? slide.id : patient});
  }
  attn::io::write_csv(path, {"slide_id", "label", "case_id"}, out);
}

}  // namespace pathology
