// Fixation reports of EyeLink Data Viewer: a row a fixation. Times in milliseconds.
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/table_stream.h"
#include "libattn/io/table_write.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/table_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

using attn::Error;
using attn::io::Table;

constexpr const char* kSession = "RECORDING_SESSION_LABEL";
constexpr const char* kTrial = "TRIAL_INDEX";
constexpr const char* kX = "CURRENT_FIX_X";
constexpr const char* kY = "CURRENT_FIX_Y";
constexpr const char* kDuration = "CURRENT_FIX_DURATION";
constexpr const char* kStart = "CURRENT_FIX_START";
constexpr const char* kWidth = "SCREEN_WIDTH";
constexpr const char* kHeight = "SCREEN_HEIGHT";
constexpr const char* kEye = "EYE";
constexpr const char* kCorrect = "CORRECT";
constexpr std::array<const char*, 4> kTarget = {"TARGET_X0", "TARGET_Y0", "TARGET_X1", "TARGET_Y1"};

struct TextColumn {
  const char* name;
  std::string Trial::*of;
};
constexpr std::array<TextColumn, 4> kTexts = {{{"IMAGE", &Trial::image},
                                               {"TASK", &Trial::task},
                                               {"CONDITION", &Trial::condition},
                                               {"SPLIT", &Trial::split}}};

/// Columns with a meaning; those that this room adds have one in files that it wrote, which name
/// the screen.
std::set<std::string> meant_columns(bool own) {
  std::set<std::string> names = {kSession, kTrial, kX, kY, kDuration, kStart};
  if (!own) return names;
  names.insert({kWidth, kHeight, kEye, kCorrect});
  names.insert(kTarget.begin(), kTarget.end());
  for (const TextColumn& text : kTexts) names.insert(text.name);
  return names;
}

class ReportReader {
 public:
  ReportReader(attn::io::ByteStream bytes, const ReadOptions& options)
      : table_(std::move(bytes)), options_(options) {
    for (const char* column : {kTrial, kX, kY, kDuration}) table_.require(column);
    if (!options.image_column.empty()) table_.require(options.image_column);
    own_ = table_.has(kWidth) && table_.has(kHeight);
    const std::set<std::string> meant = meant_columns(own_);
    for (const std::string& column : table_.columns())
      if (!meant.contains(column)) others_.push_back(column);
  }

  Scanpaths read() {
    while (const std::optional<Table> piece = table_.next()) take(*piece);
    if (result_.trials.empty())
      throw Error(table_.name() + ": expected rows of fixations, found none");
    move_constant_fields();
    for (size_t i = 0; !options_.image_column.empty() && i < result_.trials.size(); ++i)
      name_image(result_.trials[i], i);
    return std::move(result_);
  }

 private:
  void take(const Table& piece) {
    const TextTable texts(piece);
    for (int64_t row = 0; row < piece.rows(); ++row) {
      Trial& trial = trial_of(texts, row);
      Fixation f{texts.number(row, kX), texts.number(row, kY), texts.number(row, kDuration) / 1000};
      if (f.duration < 0)
        throw Error(piece.locate(row, kDuration) + ": expected a duration of 0 or more, found " +
                    attn::io::quote_text(texts.text(row, kDuration)));
      trial.fixations.push_back(f);
      if (table_.has(kStart)) trial.starts.push_back(texts.number(row, kStart) / 1000);
      for (const std::string& column : others_)
        trial.fields[column].push_back(nlohmann::json(texts.text(row, column)).dump());
    }
  }

  /// The trial of a row, a new one where its names are not those of the row before.
  Trial& trial_of(const TextTable& texts, int64_t row) {
    const std::vector<std::string> names = {
        table_.has(kSession) ? texts.text(row, kSession) : std::string(), texts.text(row, kTrial),
        own_ && table_.has(kEye) ? texts.text(row, kEye) : std::string()};
    if (!result_.trials.empty() && names == last_) return result_.trials.back();
    const auto [found, fresh] = begins_.emplace(names, texts.table().line(row));
    if (!fresh)
      throw Error(texts.table().locate(row, kTrial) + ": trial " + attn::io::quote_text(names[1]) +
                  " stands there again, its other rows begin in row " +
                  std::to_string(found->second) + "; put the rows of a trial together");
    last_ = names;
    Trial trial;
    trial.subject = names[0];
    trial.id = names[1];
    trial.eye = names[2];
    if (own_) read_own(texts, row, trial);
    const std::optional<Screen> told =
        own_ ? std::optional(Screen{texts.number(row, kWidth), texts.number(row, kHeight)})
             : std::nullopt;
    trial.screen = known_screen(told, options_.screen, texts.table().locate(row));
    result_.trials.push_back(std::move(trial));
    return result_.trials.back();
  }

  void read_own(const TextTable& texts, int64_t row, Trial& trial) {
    for (const TextColumn& text : kTexts)
      if (table_.has(text.name)) trial.*text.of = texts.text(row, text.name);
    if (table_.has(kCorrect) && texts.text(row, kCorrect) != ".")
      trial.correct = texts.number(row, kCorrect) != 0;
    if (!table_.has(kTarget[0]) || texts.text(row, kTarget[0]) == ".") return;
    trial.target = Box{.x0 = texts.number(row, kTarget[0]),
                       .y0 = texts.number(row, kTarget[1]),
                       .x1 = texts.number(row, kTarget[2]),
                       .y1 = texts.number(row, kTarget[3])};
  }

  void move_constant_fields() {
    for (const std::string& column : others_) {
      bool constant = true;
      for (const Trial& trial : result_.trials)
        for (const std::string& value : trial.fields.at(column))
          constant = constant && value == trial.fields.at(column).front();
      if (!constant) continue;
      for (Trial& trial : result_.trials) {
        trial.extra[column] = trial.fields.at(column).front();
        trial.fields.erase(column);
      }
    }
  }

  void name_image(Trial& trial, size_t index) {
    const auto found = trial.extra.find(options_.image_column);
    if (found == trial.extra.end())
      throw Error(table_.name() + ": column " + attn::io::one_line(options_.image_column) +
                  ": expected one picture a trial, found several in a trial such as " +
                  trial_name(trial, index));
    trial.image = nlohmann::json::parse(found->second).get<std::string>();
  }

  attn::io::TableStream table_;
  const ReadOptions& options_;
  bool own_ = false;
  std::vector<std::string> others_;
  std::vector<std::string> last_;
  std::map<std::vector<std::string>, int64_t> begins_;
  Scanpaths result_;
};

std::string number_cell(double value) {
  return std::isfinite(value) ? attn::io::number_text(value) : ".";
}

/// A JSON text as a cell: strings as they are.
std::string cell_of(const std::string& json_text) {
  const nlohmann::json value = attn::io::parse_json(json_text, "a further field");
  return value.is_string() ? value.get<std::string>() : json_text;
}

/// What names each trial in its subject: the ids, or numbers where those do not.
std::vector<std::string> trial_ids(const std::vector<Trial>& trials) {
  std::set<std::vector<std::string>> seen;
  bool good = true;
  std::vector<std::string> ids, numbers;
  for (const Trial& trial : trials) {
    ids.push_back(trial.id);
    numbers.push_back(std::to_string(numbers.size() + 1));
    good = good && !trial.id.empty() && seen.insert({trial.subject, trial.id, trial.eye}).second;
  }
  return good ? ids : numbers;
}

/// Columns of text, filled fixation by fixation.
class ReportColumns {
 public:
  explicit ReportColumns(const std::vector<Trial>& trials) : trials_(trials) {}

  /// `value(trial, its index, fixation's index)` for each row.
  template <class Value>
  void add(const std::string& name, const Value& value) {
    if (!names_.insert(name).second)
      throw attn::UsageError("a fixation report would have two columns " +
                             attn::io::quote_text(name) + "; name one of the fields otherwise");
    std::vector<std::string> cells;
    for (size_t t = 0; t < trials_.size(); ++t)
      for (size_t i = 0; i < trials_[t].fixations.size(); ++i)
        cells.push_back(value(trials_[t], t, i));
    columns_.push_back({name, std::move(cells)});
  }
  /// Only where `has(trial)` is true of one at least.
  template <class Has, class Value>
  void add_if(const Has& has, const std::string& name, const Value& value) {
    for (const Trial& trial : trials_)
      if (has(trial)) return add(name, value);
  }
  const std::vector<attn::io::Column>& columns() const { return columns_; }

 private:
  const std::vector<Trial>& trials_;
  std::set<std::string> names_;
  std::vector<attn::io::Column> columns_;
};

void add_own(ReportColumns& columns) {
  columns.add(kWidth, [](const Trial& t, size_t, size_t) { return number_cell(t.screen.width); });
  columns.add(kHeight, [](const Trial& t, size_t, size_t) { return number_cell(t.screen.height); });
  for (const TextColumn& text : kTexts)
    columns.add_if([&](const Trial& t) { return !(t.*text.of).empty(); }, text.name,
                   [&](const Trial& t, size_t, size_t) { return t.*text.of; });
  columns.add_if([](const Trial& t) { return !t.eye.empty(); }, kEye,
                 [](const Trial& t, size_t, size_t) { return t.eye; });
  columns.add_if([](const Trial& t) { return t.correct.has_value(); }, kCorrect,
                 [](const Trial& t, size_t, size_t) {
                   return std::string(!t.correct ? "." : *t.correct ? "1" : "0");
                 });
  constexpr std::array<double Box::*, 4> kSides = {&Box::x0, &Box::y0, &Box::x1, &Box::y1};
  for (size_t side = 0; side < kSides.size(); ++side)
    columns.add_if([](const Trial& t) { return t.target.has_value(); }, kTarget[side],
                   [&](const Trial& t, size_t, size_t) {
                     return t.target ? number_cell((*t.target).*kSides[side]) : ".";
                   });
}

void add_others(const std::vector<Trial>& trials, ReportColumns& columns) {
  std::set<std::string> extra, fields;
  for (const Trial& trial : trials) {
    for (const auto& [name, unused] : trial.extra) extra.insert(name);
    for (const auto& [name, unused] : trial.fields) fields.insert(name);
  }
  for (const std::string& name : extra)
    columns.add(name, [&](const Trial& t, size_t, size_t) {
      const auto found = t.extra.find(name);
      return found == t.extra.end() ? "" : cell_of(found->second);
    });
  for (const std::string& name : fields)
    columns.add(name, [&](const Trial& t, size_t, size_t i) {
      const auto found = t.fields.find(name);
      return found == t.fields.end() ? "" : cell_of(found->second.at(i));
    });
}

}  // namespace

Scanpaths read_report(attn::io::ByteStream bytes, const ReadOptions& options) {
  return ReportReader(std::move(bytes), options).read();
}

void write_report(const std::filesystem::path& path, const Scanpaths& scanpaths) {
  const std::vector<std::string> ids = trial_ids(scanpaths.trials);
  ReportColumns columns(scanpaths.trials);
  columns.add(kSession, [](const Trial& t, size_t, size_t) { return t.subject; });
  columns.add(kTrial, [&](const Trial&, size_t t, size_t) { return ids[t]; });
  columns.add(kX, [](const Trial& t, size_t, size_t i) { return number_cell(t.fixations[i].x); });
  columns.add(kY, [](const Trial& t, size_t, size_t i) { return number_cell(t.fixations[i].y); });
  columns.add(kDuration, [](const Trial& t, size_t, size_t i) {
    return number_cell(milliseconds(t.fixations[i].duration));
  });
  columns.add_if([](const Trial& t) { return !t.starts.empty(); }, kStart,
                 [](const Trial& t, size_t, size_t i) {
                   return number_cell(t.starts.empty() ? kNaN : milliseconds(t.starts[i]));
                 });
  add_own(columns);
  add_others(scanpaths.trials, columns);
  attn::io::write_table(path, columns.columns());
}

}  // namespace gaze
