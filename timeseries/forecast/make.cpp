#include "timeseries/forecast/make.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "timeseries/forecast/dlinear.h"
#include "timeseries/forecast/patchtst.h"
#include "timeseries/forecast/seasonal_naive.h"

namespace timeseries {
namespace {

template <class Options>
Options read(const nlohmann::json& j) {
  Options options;
  from_json(j, options);
  return options;
}

}  // namespace

PatchCuts Forecaster::cut(const at::Tensor& /*values*/) const {
  throw std::logic_error("this forecaster cuts no windows");
}

ForecastParts Forecaster::parts(const WindowBatch& /*batch*/, const Pass& /*pass*/) const {
  throw std::logic_error("this forecaster's forecast is no sum");
}

std::unique_ptr<Forecaster> make_forecaster(const nlohmann::json& options, uint64_t seed,
                                            const Patching& patching) {
  const char* where = "the options of the forecaster";
  const auto kind = attn::io::get<std::string>(options, "kind", where);
  if (kind == "entrope")
    return std::make_unique<Entrope>(read<EntropeOptions>(options), seed, patching);
  if (kind == "patchtst") return std::make_unique<PatchTst>(read<PatchTstOptions>(options), seed);
  if (kind == "dlinear") return std::make_unique<DLinear>(read<DLinearOptions>(options), seed);
  if (kind == "seasonal-naive")
    return std::make_unique<SeasonalNaive>(read<SeasonalNaiveOptions>(options));
  throw attn::Error(std::string(where) +
                    ": key kind: expected entrope, patchtst, dlinear or seasonal-naive, found " +
                    attn::io::quote_text(kind));
}

attn::train::NamedTensors forecaster_tensors(const Forecaster& forecaster) {
  attn::train::NamedTensors out;
  for (const auto& [name, tensor] : forecaster.parameters().named())
    out.emplace_back("forecaster." + name, tensor.detach());
  for (const auto& [name, tensor] : forecaster.buffers())
    out.emplace_back("buffer." + name, tensor);
  return out;
}

std::unique_ptr<Forecaster> load_forecaster(const nlohmann::json& options,
                                            const attn::train::ModelFile& model,
                                            const std::filesystem::path& path,
                                            const Patching& patching) {
  std::unique_ptr<Forecaster> out = make_forecaster(options, 0, patching);
  const c10::NoGradGuard no_grad;
  for (const auto& [name, tensor] : forecaster_tensors(*out))
    tensor.copy_(attn::train::require_tensor(model, path, name, tensor.sizes().vec()));
  return out;
}

}  // namespace timeseries
