#include "timeseries/model/outputs.h"

#include "timeseries/model/train_run.h"

namespace timeseries {

namespace fs = std::filesystem;

std::vector<fs::path> files_of_run(const fs::path& run) {
  if (!fs::is_directory(run) && fs::exists(run)) return {run};
  std::vector<fs::path> files = files_of_training(run);
  files.push_back(run / "run.json");
  files.push_back(run / "report.html");
  return files;
}

}  // namespace timeseries
