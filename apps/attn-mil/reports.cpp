#include "apps/attn-mil/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <opencv2/core/mat.hpp>
#include <opencv2/imgcodecs.hpp>

#include "apps/attn-mil/localise.h"
#include "apps/attn-mil/model_args.h"
#include "attn/error.h"
#include "libattn/report/svg.h"
#include "pathology/mil/roc.h"
#include "pathology/slide/tissue.h"

namespace attn::app {
namespace {

using pathology::BagPrediction;
using pathology::BagSet;
using report::ChartOptions;
using report::format_interval;
using report::format_number;
using report::Report;
using report::ReportSection;
using report::ReportTable;
using report::Series;

constexpr const char* kMethod =
    "A bag (a slide) holds instances (its tiles), each a vector of numbers, and only the bag has a "
    "label. The model weighs the instances by attention, sums them up by these weights and "
    "classifies the sum (attention-based multiple-instance learning). The entropy of the weights "
    "tells how widely it looks: normalised, it is 0 where one instance has all the attention and 1 "
    "where all have the same. Attention entropy maximisation (AEM) adds to the training loss the "
    "negative entropy times a weight, so that attention does not collapse on a few instances; "
    "weight 0 is training without it.";

void add_method(Report& report, const pathology::TrainRunResult& run) {
  report.note("For research. Not for diagnosis.");
  if (pathology::has_attention(run.model.config.model.pooling)) report.paragraph(kMethod);
}

ChartOptions chart_options(const std::string& title, const std::string& x_label = {},
                           const std::string& y_label = {}) {
  ChartOptions options;
  options.title = title;
  options.x_label = x_label;
  options.y_label = y_label;
  return options;
}

std::string mean_sd_text(const attn::train::MeanSd& value) {
  if (!std::isfinite(value.sd)) return format_number(value.mean);
  return fmt::format("{} ± {}", format_number(value.mean), format_number(value.sd, 2));
}

// A picture file as JPEG, a tenth of its PNG: the page holds many.
std::string jpeg_of(const std::filesystem::path& file) {
  const cv::Mat picture = cv::imread(file.string());
  if (picture.empty())
    throw Error(file.string() + " cannot be read as a picture; delete it and run again");
  std::vector<uchar> bytes;
  cv::imencode(".jpg", picture, bytes, {cv::IMWRITE_JPEG_QUALITY, 88});
  return {bytes.begin(), bytes.end()};
}

Series roc_of(const std::string& name, const std::vector<BagPrediction>& predictions,
              size_t positive_class) {
  auto curve = pathology::roc_curve(predictions, positive_class);
  return {.name = name,
          .x = std::move(curve.false_positive_rate),
          .y = std::move(curve.true_positive_rate)};
}

// One curve for two classes (that of the second), else one for each class.
std::vector<Series> roc_curves(const std::string& name,
                               const std::vector<BagPrediction>& predictions, const BagSet& set) {
  if (set.classes.size() == 2) return {roc_of(name, predictions, 1)};
  std::vector<Series> curves;
  for (size_t c = 0; c < set.classes.size(); ++c)
    curves.push_back(roc_of(name + " " + set.classes[c], predictions, c));
  return curves;
}

std::string training_chart(const attn::train::TrainResult& training) {
  Series loss{.name = "training loss", .x = {}, .y = {}};
  Series validation{.name = "validation cross-entropy", .x = {}, .y = {}, .dashed = true};
  for (const auto& epoch : training.history) {
    loss.x.push_back(static_cast<double>(epoch.epoch + 1));
    loss.y.push_back(epoch.loss);
    validation.x.push_back(static_cast<double>(epoch.epoch + 1));
    validation.y.push_back(-epoch.score);
  }
  std::vector<Series> series{loss};
  if (std::any_of(validation.y.begin(), validation.y.end(),
                  [](double y) { return std::isfinite(y); }))
    series.push_back(validation);
  return line_chart(series, chart_options("Training", "epoch", "loss"));
}

std::string confusion_chart(const nlohmann::json& metrics, const BagSet& set,
                            const std::string& title) {
  const auto& rows = metrics.at("confusion");
  std::vector<std::vector<double>> values;
  for (const auto& row : rows) values.push_back(row.get<std::vector<double>>());
  return matrix_chart(set.classes, set.classes, values, chart_options(title, "predicted", "true"));
}

ReportTable metrics_of(const nlohmann::json& metrics) {
  ReportTable table{.columns = {"part", "bags", "AUC", "accuracy", "balanced accuracy", "F1",
                                "normalised entropy"},
                    .rows = {}};
  for (const char* part : {"train", "validation", "test"}) {
    if (!metrics.contains(part) || !metrics[part].is_object() || metrics[part].empty()) continue;
    const auto& of = metrics[part];
    std::vector<std::string> row{part, std::to_string(of.value("n", int64_t{0}))};
    for (const char* name : {"auc", "accuracy", "balanced_accuracy", "f1"}) {
      std::string cell = metric_text(of.value(name, nlohmann::json()));
      const auto intervals = of.value("intervals", nlohmann::json::object());
      if (cell != "-" && intervals.contains(name) && intervals[name].is_array() &&
          intervals[name][0].is_number())
        cell = format_interval(of[name].get<double>(), intervals[name][0].get<double>(),
                               intervals[name][1].get<double>());
      row.push_back(cell);
    }
    row.push_back(metric_text(of.value("entropy_normalised", nlohmann::json())));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "With 95 % bootstrap intervals. Entropy of the attention over a bag, divided by the "
      "logarithm of its number of tiles.";
  return table;
}

// A point for each slide, in order of entropy, one colour a true class.
std::string entropy_chart(const BagSet& set, const std::vector<BagPrediction>& predictions,
                          const std::string& title) {
  std::vector<const BagPrediction*> order;
  for (const auto& p : predictions)
    if (std::isfinite(p.normalised_entropy)) order.push_back(&p);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->normalised_entropy < b->normalised_entropy;
  });
  std::vector<Series> series;
  for (const auto& name : set.classes) series.push_back({.name = name, .x = {}, .y = {}});
  series.push_back({.name = "", .x = {}, .y = {}});
  for (size_t i = 0; i < order.size(); ++i) {
    auto& into =
        order[i]->label >= 0 ? series[static_cast<size_t>(order[i]->label)] : series.back();
    into.x.push_back(static_cast<double>(i + 1));
    into.y.push_back(order[i]->normalised_entropy);
  }
  ChartOptions options = chart_options(title, "slide, by entropy", "normalised attention entropy");
  options.y_range = std::pair{0.0, 1.0};
  return scatter_chart(series, options);
}

ReportTable prediction_table(const BagSet& set, const std::vector<BagPrediction>& predictions,
                             const std::vector<std::string>& part) {
  ReportTable table{.columns = {"slide", "part", "true", "predicted", "probability", "tiles",
                                "unreadable", "attention entropy", "normalised"},
                    .rows = {}};
  for (size_t i = 0; i < predictions.size(); ++i) {
    const auto& p = predictions[i];
    const auto& bag = set.bags[static_cast<size_t>(p.bag)];
    table.rows.push_back({bag.id, i < part.size() ? part[i] : "",
                          p.label >= 0 ? set.classes[static_cast<size_t>(p.label)] : "",
                          set.classes[static_cast<size_t>(p.predicted)],
                          format_number(p.probability[static_cast<size_t>(p.predicted)]),
                          std::to_string(p.instances),
                          bag.unreadable > 0 ? pathology::percent_text(bag.unreadable) : "-",
                          format_number(p.entropy), format_number(p.normalised_entropy)});
  }
  table.caption = "Unreadable: share of a slide's tiles that could not be decoded.";
  return table;
}

void add_settings(Report& report, const Context& context) {
  ReportSection inside;
  inside.preformatted(context.command);
  inside.preformatted(resolved(context.options).dump(2));
  inside.preformatted(context.version().dump(2));
  report.details("Settings and versions", inside);
}

void add_cv(Report& report, const std::vector<CvEntry>& cv, const BagSet& set) {
  if (cv.empty()) return;
  auto rows = cv_rows(cv);
  ReportTable table{.columns = rows.front(), .rows = {rows.begin() + 1, rows.end()}};
  table.caption =
      "Mean ± sd over the repeats; every slide is tested once in each repeat, by a model that has "
      "not seen its patient. Entropy is normalised and of test slides.";
  report.heading("Cross-validation").table(table);
  std::vector<Series> curves;
  ReportSection entropy;
  for (const auto& entry : cv) {
    const std::string name = entry.aem > 0 ? fmt::format("AEM {}", entry.aem) : "without AEM";
    for (auto& curve : roc_curves(name, entry.result.repeats.front().predictions, set)) {
      curve.dashed = entry.aem == 0;  // curves that lie on each other both stay in sight
      curves.push_back(std::move(curve));
    }
  }
  report.chart(roc_chart(curves, chart_options("ROC, test slides of the first repeat",
                                               "false positive rate", "true positive rate")));
  std::vector<ReportSection> side_by_side;
  for (const auto& entry : cv) {
    ReportSection part;
    part.chart(entropy_chart(set, entry.result.repeats.front().predictions,
                             entry.aem > 0 ? fmt::format("Attention entropy with AEM {}", entry.aem)
                                           : "Attention entropy without AEM"));
    side_by_side.push_back(std::move(part));
  }
  report.columns(side_by_side);
}

void add_model(Report& report, const pathology::TrainRunResult& run, const BagSet& set) {
  report.heading("The model").table(metrics_of(run.metrics));
  std::vector<ReportSection> charts(1);
  charts[0].chart(
      training_chart(run.training),
      fmt::format("The loss is the cross-entropy{}; the model kept is that of epoch {}, {}.",
                  run.model.config.aem.weight > 0 ? " less the weighted attention entropy" : "",
                  run.training.best_epoch + 1,
                  run.split.validation.empty()
                      ? "the last: there is no validation part to choose one by"
                      : "of the lowest validation cross-entropy"));
  for (const char* part : {"test", "validation"}) {
    if (!run.metrics.contains(part) || !run.metrics[part].is_object() ||
        !run.metrics[part].contains("confusion"))
      continue;
    charts.emplace_back().chart(
        confusion_chart(run.metrics[part], set, fmt::format("Confusion, {} bags", part)));
    break;
  }
  report.columns(charts);
}

}  // namespace

std::vector<std::vector<std::string>> cv_rows(const std::vector<CvEntry>& cv) {
  std::vector<std::vector<std::string>> rows{
      {"AEM weight", "AUC", "accuracy", "balanced accuracy", "F1", "attention entropy"}};
  for (const auto& entry : cv) {
    const auto& r = entry.result;
    rows.push_back({fmt::format("{}", entry.aem), mean_sd_text(r.auc), mean_sd_text(r.accuracy),
                    mean_sd_text(r.balanced_accuracy), mean_sd_text(r.f1),
                    mean_sd_text(r.entropy)});
  }
  return rows;
}

Report training_report(const pathology::TrainRunResult& run, const BagSet& set,
                       const Context& context) {
  Report report("attn-mil: training run",
                fmt::format("{} bags, classes {}", set.size(), fmt::join(set.classes, ", ")));
  add_method(report, run);
  add_model(report, run, set);
  std::vector<BagPrediction> test;
  for (size_t i = 0; i < run.predictions.size(); ++i)
    if (run.part[i] == "test") test.push_back(run.predictions[i]);
  if (!test.empty())
    report.chart(
        roc_chart(roc_curves("test", test, set),
                  chart_options("ROC, test bags", "false positive rate", "true positive rate")));
  report.chart(entropy_chart(set, run.predictions, "Attention entropy"));
  ReportSection table;
  table.table(prediction_table(set, run.predictions, run.part));
  report.details("Every bag", table);
  add_settings(report, context);
  return report;
}

Report chain_report(const std::vector<CvEntry>& cv, const pathology::TrainRunResult& run,
                    const BagSet& set, const SlidesOfReport& slides, const Context& context) {
  Report report("attn-mil: slides to diagnoses",
                fmt::format("{} slides, classes {}", set.size(), fmt::join(set.classes, ", ")));
  if (slides.simulated)
    report.note(
        "The slides are simulated, with foci drawn to be found: the figures show that the chain "
        "works, and say nothing of any disease.");
  add_method(report, run);
  add_cv(report, cv, set);
  add_model(report, run, set);
  if (!slides.pictures.empty()) {
    report.heading("Where the model looks");
    report.paragraph(
        "Colour is the percentile of a tile's attention among the tiles of its own slide: every "
        "slide has red tiles, and red says that the model looked there more than elsewhere in this "
        "slide, not that there is disease. Below each map, the tiles of highest attention: weight "
        "is the tile's share of the slide's attention (all weights of a slide add up to 1), x and "
        "y its upper left corner in pixels of the slide's finest level. Slides of the train and "
        "validation parts were seen in training; only those of a test part were not.");
    for (const auto& one : slides.pictures) {
      report.heading(one.slide, 3).paragraph(one.caption);
      report.picture(jpeg_of(one.overlay), "attention over " + one.slide)
          .picture(jpeg_of(one.top_tiles), "tiles of highest attention");
    }
  }
  ReportSection table;
  table.table(prediction_table(set, run.predictions, run.part));
  report.heading("Every slide")
      .details("Predictions of the final model and attention entropy of each slide", table);
  if (!slides.failures.empty()) {
    ReportTable failed{.columns = {"slide", "reason"}, .rows = {}};
    for (const auto& [slide, reason] : slides.failures) failed.rows.push_back({slide, reason});
    report.heading("Slides that failed").table(failed);
  }
  add_settings(report, context);
  return report;
}

std::string caption_of(const nlohmann::json& facts, const std::string& label,
                       const std::string& part) {
  const auto predicted = facts.at("predicted").get<std::string>();
  const auto unreadable = facts.at("unreadable").get<double>();
  return fmt::format(
      "{}True class {}, predicted {} (probability {:.2f}); {} tiles{}, normalised attention "
      "entropy {}.{}",
      part.empty() ? "" : "Of the " + part + " part. ", label, predicted,
      facts.at("probability").at(predicted).get<double>(), facts.at("tiles").get<int64_t>(),
      unreadable > 0 ? ", " + pathology::percent_text(unreadable) + " unreadable" : "",
      metric_text(facts.at("attention_entropy_normalised")), localisation_sentence(facts));
}

}  // namespace attn::app
