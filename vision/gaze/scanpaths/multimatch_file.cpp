// One scanpath a file: start_x, start_y, duration (seconds), as multimatch-gaze takes them, and the
// events of REMoDNaV, of which the rows FIXA are fixations.
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/table_stream.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/table_values.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {
namespace {

constexpr const char* kX = "start_x";
constexpr const char* kY = "start_y";
constexpr const char* kDuration = "duration";
constexpr const char* kOnset = "onset";
constexpr const char* kLabel = "label";

/// IMAGE_sub-SUBJECT, as multimatch-gaze's sample names its files.
void name_by_file(const std::filesystem::path& path, Trial& trial) {
  if (path == "-") return;
  const std::string stem = path.stem().string();
  trial.id = stem;
  constexpr std::string_view kSubject = "_sub-";
  const size_t at = stem.find(kSubject);
  if (at == stem.npos) return;
  trial.image = stem.substr(0, at);
  const size_t begin = at + kSubject.size();
  trial.subject = stem.substr(begin, std::min(stem.find('_', begin), stem.size()) - begin);
}

void take(const attn::io::Table& piece, Trial& trial) {
  const TextTable texts(piece);
  const bool labelled = piece.has(kLabel), timed = piece.has(kOnset);
  for (int64_t row = 0; row < piece.rows(); ++row) {
    if (labelled && texts.text(row, kLabel) != "FIXA") continue;
    const Fixation f{texts.number(row, kX), texts.number(row, kY), texts.number(row, kDuration)};
    if (f.duration < 0)
      throw attn::Error(piece.locate(row, kDuration) +
                        ": expected a duration of 0 seconds or more, found " +
                        attn::io::quote_text(texts.text(row, kDuration)));
    trial.fixations.push_back(f);
    if (timed) trial.starts.push_back(texts.number(row, kOnset));
    for (const std::string& column : piece.columns())
      if (column != kX && column != kY && column != kDuration && column != kOnset &&
          column != kLabel)
        trial.fields[column].push_back(nlohmann::json(texts.text(row, column)).dump());
  }
}

std::string cell(double value) {
  return std::isfinite(value) ? attn::io::number_text(value) : "n/a";
}

}  // namespace

Scanpaths read_multimatch(attn::io::ByteStream bytes, const ReadOptions& options) {
  Trial trial;
  name_by_file(bytes.path(), trial);
  attn::io::TableStream table(std::move(bytes));
  for (const char* column : {kX, kY, kDuration}) table.require(column);
  trial.screen = known_screen({}, options.screen, table.name());
  while (const auto piece = table.next()) take(*piece, trial);
  return {.trials = {trial}, .images = {}};
}

void write_multimatch(const std::filesystem::path& path, const Trial& trial) {
  std::string text = std::string(kX) + "\t" + kY + "\t" + kDuration + "\n";
  for (const Fixation& f : trial.fixations)
    text += cell(f.x) + "\t" + cell(f.y) + "\t" + cell(f.duration) + "\n";
  attn::io::write_file(path, text);
}

}  // namespace gaze
