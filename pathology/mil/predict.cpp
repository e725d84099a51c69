#include "pathology/mil/predict.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/csv.h"
#include "libattn/io/text.h"

namespace pathology {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

at::Tensor prepared(const FittedModel& fitted, const at::Tensor& features) {
  return fitted.scaler.to(fitted.model.type()).apply(features.to(fitted.model.type()));
}

}  // namespace

BagPrediction predict_bag(const FittedModel& fitted, const BagSet& set, int64_t bag) {
  const at::NoGradGuard no_grad;
  const Bag& b = set.bags.at(static_cast<size_t>(bag));
  if (b.instances == 0)
    throw attn::Error("bag " + attn::io::quote_text(b.id) + " has no instances to predict from");
  const attn::ProbeLayer name("prediction");
  const MilOutput out = fitted.model.forward(prepared(fitted, set.features(bag)));
  if (!at::isfinite(out.logits).all().item<bool>())
    throw attn::Error("bag " + attn::io::quote_text(b.id) +
                      " cannot be predicted: the network's answer is not a finite number; its "
                      "features may be far larger than those the model was trained on");
  BagPrediction p;
  p.bag = bag;
  p.label = b.label;
  p.instances = b.instances;
  p.probability = log_probabilities(out.logits);
  for (double& v : p.probability) v = std::exp(v);
  p.predicted =
      std::max_element(p.probability.begin(), p.probability.end()) - p.probability.begin();
  p.entropy = has_attention(fitted.model.config().pooling) ? out.entropy : kNaN;
  p.normalised_entropy =
      b.instances > 1 ? p.entropy / std::log(static_cast<double>(b.instances)) : kNaN;
  return p;
}

std::vector<BagPrediction> predict_bags(const FittedModel& fitted, const BagSet& set,
                                        std::span<const int64_t> items, const attn::Hooks& hooks) {
  std::vector<BagPrediction> out;
  for (const int64_t i : items) {
    hooks.check();
    out.push_back(predict_bag(fitted, set, i));
    hooks.report("bags", static_cast<int64_t>(out.size()), static_cast<int64_t>(items.size()));
  }
  return out;
}

at::Tensor bag_attention(const FittedModel& fitted, const at::Tensor& features) {
  const at::NoGradGuard no_grad;
  const attn::ProbePause pause;  // the same pass as that of the bag's prediction
  const int64_t n = features.size(0);
  at::Tensor uniform = at::full({n}, 1.0 / static_cast<double>(n), at::kDouble);
  if (fitted.model.config().pooling == Pooling::mean) return uniform;
  const at::Tensor x = prepared(fitted, features);
  if (fitted.model.config().pooling != Pooling::max)
    return attention_weights(fitted.model.forward(x));
  const at::Tensor h = fitted.model.embed(x);
  const auto [top, winner] = h.max(0);
  const at::Tensor active = (top > 0).to(at::kDouble);
  if (active.sum().item<double>() == 0) return uniform;
  const at::Tensor wins = at::zeros({n}, at::kDouble).scatter_add_(0, winner, active);
  return wins / active.sum();
}

attn::train::Predictions metrics_input(const BagSet& set,
                                       const std::vector<BagPrediction>& predictions) {
  attn::train::Predictions out;
  out.classes = static_cast<int64_t>(set.classes.size());
  std::map<std::string, int64_t> patients;
  for (const BagPrediction& p : predictions) {
    if (p.label < 0) continue;
    out.add(p.probability, p.label);
    const std::string& patient = set.bags[static_cast<size_t>(p.bag)].patient;
    out.group.push_back(patients.emplace(patient, std::ssize(patients)).first->second);
  }
  return out;
}

void write_predictions(const std::filesystem::path& path, const BagSet& set,
                       const std::vector<std::string>& classes,
                       const std::vector<BagPrediction>& predictions,
                       const std::vector<std::string>& part) {
  std::vector<std::string> header{"bag", "label"};
  if (!part.empty()) header.emplace_back("part");
  header.emplace_back("predicted");
  for (const std::string& c : classes) header.push_back("prob_" + c);
  header.insert(header.end(),
                {"instances", "attention_entropy", "attention_entropy_normalised", "unreadable"});
  const auto cell = [](double v) {  // undefined values are empty fields
    return std::isfinite(v) ? attn::io::Cell(v) : attn::io::Cell(std::string());
  };
  std::vector<std::vector<attn::io::Cell>> rows;
  for (size_t i = 0; i < predictions.size(); ++i) {
    const BagPrediction& p = predictions[i];
    std::vector<attn::io::Cell> row{set.bags[static_cast<size_t>(p.bag)].id,
                                    p.label < 0 ? "" : classes[static_cast<size_t>(p.label)]};
    if (!part.empty()) row.emplace_back(part[i]);
    row.emplace_back(classes[static_cast<size_t>(p.predicted)]);
    for (const double v : p.probability) row.emplace_back(v);
    row.emplace_back(p.instances);
    row.push_back(cell(p.entropy));
    row.push_back(cell(p.normalised_entropy));
    row.emplace_back(set.bags[static_cast<size_t>(p.bag)].unreadable);
    rows.push_back(std::move(row));
  }
  attn::io::write_csv(path, header, rows);
}

}  // namespace pathology
