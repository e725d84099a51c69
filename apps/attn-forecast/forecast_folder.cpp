// The verb forecast over a folder: each file by itself, with what is finished left alone.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/attn-forecast/forecast_args.h"
#include "apps/attn-forecast/levels.h"
#include "apps/common/batch.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "timeseries/model/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

// "a.csv.gz" is the table a.
std::string stem_of(const fs::path& file) {
  const fs::path name = file.filename();
  return (name.extension() == ".gz" ? name.stem() : name).stem().string();
}

bool is_table(const fs::path& file) {
  const fs::path end = (file.extension() == ".gz" ? file.stem() : file).extension();
  return end == ".csv" || end == ".tsv" || end == ".tab" || end == ".parquet" || end == ".pq";
}

std::vector<fs::path> tables_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_table(entry.path()) &&
        !entry.path().filename().string().starts_with('.'))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty())
    throw Error(folder.string() +
                " holds no table of series (.csv, .tsv, .parquet, or .gz of one)");
  return files;
}

// What a forecast was made of and with, kept beside it: ".NAME.csv.made".
fs::path record_of(const fs::path& output) {
  return output.parent_path() / fmt::format(".{}.made", output.filename().string());
}

class Folder {
 public:
  Folder(const ForecastArgs& args, const timeseries::ForecastModel& model, const Context& context)
      : args_(args),
        model_(model),
        context_(context),
        files_(tables_in(args.series.data)),
        options_(resolved(context.options)) {
    for (const char* key :
         {"json", "quiet", "verbose", "threads", "attention-report", "out", "data", "run"})
      options_.erase(key);
    model_digest_ = io::file_digest(timeseries::model_path_of(args.run));
    for (const auto& file : files_)
      outputs_.push_back(*args.out / (stem_of(file) + "." + args.format));
  }

  Batch batch() {
    Batch out;
    out.noun = "file";
    out.folder = *args_.out;
    for (size_t i = 0; i < files_.size(); ++i)
      out.items.push_back({files_[i].filename().string(), outputs_[i], {record_of(outputs_[i])}});
    out.current = [this](size_t i) { return current(i); };
    out.work = [this](size_t i) { work(i); };
    return out;
  }

  const std::vector<fs::path>& files() const { return files_; }
  const std::vector<fs::path>& outputs() const { return outputs_; }

 private:
  nlohmann::json made_of(size_t i) const {
    return {{"input", io::file_digest(files_[i])}, {"model", model_digest_}, {"options", options_}};
  }

  bool current(size_t i) const {
    if (!fs::exists(record_of(outputs_[i]))) return false;  // killed between the two
    auto record = io::read_json(record_of(outputs_[i]));
    const auto output = record.value("output", "");
    record.erase("output");
    return record == made_of(i) && output == io::file_digest(outputs_[i]);
  }

  void work(size_t i) const {
    ForecastArgs one = args_;
    one.series.data = files_[i];
    const auto forecast = forecast_file(one, model_, context_);
    const auto& failures = forecast.result.failures;
    if (forecast.result.series.empty() && !failures.empty()) throw Error(failures.front().sentence);
    timeseries::write_forecast(outputs_[i], timeseries::forecast_table(forecast.result),
                               forecast.set);
    if (!failures.empty())
      throw Error(fmt::format("{} of {} could not be forecast: {}", failures.size(),
                              counted(std::ssize(forecast.set.series), "series", "series"),
                              failures.front().sentence));
    auto record = made_of(i);
    record["output"] = io::file_digest(outputs_[i]);
    io::write_json(record_of(outputs_[i]), record);
  }

  const ForecastArgs& args_;
  const timeseries::ForecastModel& model_;
  const Context& context_;
  std::vector<fs::path> files_, outputs_;
  nlohmann::json options_;
  std::string model_digest_;
};

}  // namespace

Forecast forecast_file(const ForecastArgs& args, const timeseries::ForecastModel& model,
                       const Context& context) {
  Forecast out;
  out.set = args.series.read_for(model);
  timeseries::PredictOptions options;
  options.horizon = args.horizon.value_or(0);
  options.levels = levels_for(model, args.levels);
  out.result = timeseries::predict(model, out.set, options, context.hooks);
  return out;
}

int forecast_folder(const ForecastArgs& args, const timeseries::ForecastModel& model,
                    const Context& context) {
  if (!args.out)
    throw UsageError("--out is missing: --data " + args.series.data.string() +
                     " is a folder, so the forecasts need one, too");
  if (args.plot)
    throw UsageError("--plot draws the forecast of one file, and --data " +
                     args.series.data.string() + " is a folder; use the verb plot on each");
  Folder folder(args, model, context);
  timeseries::refuse_overwriting(folder.outputs(), folder.files());
  const auto result = run_batch(folder.batch(), context);
  if (context.common.json)
    print_json(to_json(result));
  else if (!context.common.dry_run)
    print(fmt::format("{} done, {} were finished: {}\n", result.done, result.skipped,
                      args.out->string()));
  return result.exit_code();
}

}  // namespace attn::app
