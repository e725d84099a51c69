#include "pathology/chain/outputs.h"

#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/mil/mil_run.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

void add(std::vector<fs::path>& to, const std::vector<fs::path>& files) {
  to.insert(to.end(), files.begin(), files.end());
}

}  // namespace

std::vector<fs::path> files_of_slides(const std::vector<fs::path>& inputs,
                                      const std::vector<SlideItem>& slides) {
  std::vector<fs::path> files;
  for (const fs::path& input : inputs)
    if (!fs::is_directory(input)) files.push_back(input);
  for (const SlideItem& slide : slides) files.push_back(slide.path);
  return files;
}

std::vector<fs::path> files_of_bags(const fs::path& bags, const fs::path& labels) {
  std::vector<fs::path> files{labels};
  if (fs::is_directory(bags))
    add(files, feature_files(bags));
  else
    files.push_back(bags);
  return files;
}

std::vector<fs::path> own_files_of_run(const fs::path& run) {
  std::vector<fs::path> files = files_of_training(run);
  add(files, {run / "run.json", run / "report.html", run / "checkpoint.safetensors"});
  return files;
}

std::vector<fs::path> files_of_run(const fs::path& run) {
  if (!fs::is_directory(run) && fs::exists(run)) return {run};
  std::vector<fs::path> files = own_files_of_run(run);
  files.push_back(run / kChainLabels);
  try {
    const std::string where = (run / "source.json").string();
    if (!fs::exists(where)) return files;
    const nlohmann::json source = attn::io::read_json(where);
    add(files, files_of_bags(attn::io::get_or<std::string>(source, "bags", where, ""),
                             attn::io::get_or<std::string>(source, "labels", where, "")));
  } catch (const attn::Error&) {
    return files;  // who needs it will say what is wrong
  }
  return files;
}

}  // namespace pathology
