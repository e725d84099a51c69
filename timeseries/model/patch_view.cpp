#include "timeseries/model/patch_view.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "attn/error.h"
#include "libattn/io/csv.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "timeseries/model/forecast_parts.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

/// The place of `name` among names; the first where it is empty.
int64_t place_of(const std::string& name, const std::vector<std::string>& names, const char* what,
                 const SeriesSet& set) {
  if (name.empty()) return 0;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return found - names.begin();
  throw attn::UsageError(name_of(set) + ": has no " + what + " " + attn::io::quote_text(name) +
                         "; expected one of " + attn::io::list_names(names) +
                         attn::io::did_you_mean(name, names));
}

std::vector<std::string> ids_of(const SeriesSet& set) {
  std::vector<std::string> out;
  for (const Series& s : set.series) out.push_back(s.id);
  return out;
}

/// Windows side by side, the last ends with the series.
std::vector<Window> side_by_side(const SeriesSet& set, int64_t series, int64_t channel,
                                 int64_t lookback, int64_t windows) {
  const Series& s = set.series[static_cast<size_t>(series)];
  const int64_t most = s.rows / lookback;
  if (most < 1)
    throw attn::Error(name_of(set, s) + ": has " + std::to_string(s.rows) +
                      " rows, fewer than the look-back of " + std::to_string(lookback) +
                      "; give more rows");
  if (windows < 0)
    throw attn::UsageError("the number of windows must not be negative, found " +
                           std::to_string(windows));
  std::vector<Window> out;
  for (int64_t i = (windows == 0 ? most : std::min(windows, most)); i-- > 0;)
    out.push_back(
        {static_cast<int32_t>(series), static_cast<int32_t>(channel), s.rows - i * lookback});
  return out;
}

PatchView blank_view(const SeriesSet& set, const Window& w, int64_t lookback) {
  const Series& s = set.series[static_cast<size_t>(w.series)];
  PatchView view;
  view.series = w.series;
  view.channel = w.channel;
  view.first_row = w.origin - lookback;
  for (int64_t t = view.first_row; t < w.origin; ++t) {
    view.stamps.push_back(advance(s.start, set.frequency, t));
    view.values.push_back(
        s.values[static_cast<size_t>(t) * set.channels.size() + static_cast<size_t>(w.channel)]);
  }
  return view;
}

std::vector<EntropyThreshold> thresholds_of(const BoundaryOptions& o) {
  std::vector<EntropyThreshold> out;
  if (o.rule == CutRule::threshold || o.rule == CutRule::both)
    out.push_back({"threshold", o.threshold});
  return out;
}

std::string stamp_text(Instant instant, const SeriesSet& set) {
  return set.frequency.unit == Unit::index ? std::to_string(instant)
                                           : format_stamp(instant, set.stamps);
}

/// Number of values in each patch.
std::vector<int64_t> lengths_of(const PatchView& v) {
  std::vector<int64_t> out;
  for (size_t p = 0; p < v.begins.size(); ++p)
    out.push_back(
        (p + 1 < v.begins.size() ? v.begins[p + 1] : static_cast<int64_t>(v.values.size())) -
        v.begins[p]);
  return out;
}

double mean_of(const std::vector<double>& values, int64_t first, int64_t last) {
  double sum = 0;
  for (int64_t t = first; t < last; ++t) sum += values[static_cast<size_t>(t)];
  return sum / static_cast<double>(last - first);
}

}  // namespace

PatchViews view_patches(const ForecastModel& model, const SeriesSet& set,
                        const PatchViewOptions& options, const attn::Hooks& hooks) {
  require_same_columns(model, set);
  if (!model.patcher)
    throw attn::Error("the model is " + to_string(model.options.network) +
                      ", which cuts no patches; train one with --network entrope");
  const EntropyPatcher& patcher = *model.patcher;
  const int64_t lookback = model.lookback();
  const std::vector<Window> windows = side_by_side(
      set, place_of(options.series, ids_of(set), "series", set),
      place_of(options.channel, set.channels, "channel", set), lookback, options.windows);
  hooks.check();
  const WindowSource source(with_ahead(set, 1), scaler_of(model, set), {lookback, 1, 0, false});
  const at::Tensor values = source.gather(windows).values;
  if (at::isnan(values).all().item<bool>())
    throw attn::Error(
        name_of(set) + ": the last " +
        std::to_string(lookback * static_cast<int64_t>(windows.size())) + " values of channel " +
        attn::io::quote_text(set.channels[static_cast<size_t>(windows.front().channel)]) +
        " are all missing; give a series that ends with known values, or look at "
        "more --windows");
  const bool entropies = needs_entropy(patcher.boundaries().rule);
  at::Tensor entropy;
  if (entropies) entropy = patcher.entropy(values).contiguous();
  const PatchCuts cuts =
      entropies ? cut_entropies(patcher.boundaries(), entropy) : patcher.cut(values);
  const auto *offset = cuts.offsets.const_data_ptr<int64_t>(),
             *begin = cuts.begin.const_data_ptr<int64_t>();
  PatchViews out;
  for (size_t n = 0; n < windows.size(); ++n) {
    PatchView view = blank_view(set, windows[n], lookback);
    view.begins.assign(begin + offset[n], begin + offset[n + 1]);
    if (entropies) {
      const auto* h = entropy.const_data_ptr<float>() + static_cast<int64_t>(n) * lookback;
      view.entropy.assign(h, h + lookback);
    }
    out.windows.push_back(std::move(view));
  }
  out.mean_length = mean_patch_length(cuts);
  out.mean_entropy = entropies ? entropy.mean().item<double>() : NAN;
  out.thresholds = thresholds_of(patcher.boundaries());
  return out;
}

std::string patch_csv(const PatchViews& views, const SeriesSet& set) {
  std::vector<std::vector<attn::io::Cell>> rows;
  for (size_t n = 0; n < views.windows.size(); ++n) {
    const PatchView& v = views.windows[n];
    const std::vector<int64_t> lengths = lengths_of(v);
    for (size_t p = 0; p < v.begins.size(); ++p) {
      const int64_t begin = v.begins[p], end = begin + lengths[p];
      std::vector<attn::io::Cell>& row = rows.emplace_back();
      row.emplace_back(static_cast<int64_t>(n) + 1);
      row.emplace_back(static_cast<int64_t>(p) + 1);
      row.emplace_back(stamp_text(v.stamps[static_cast<size_t>(begin)], set));
      row.emplace_back(stamp_text(v.stamps[static_cast<size_t>(end - 1)], set));
      row.emplace_back(lengths[p]);
      if (v.entropy.empty()) continue;
      row.emplace_back(begin > 0 ? attn::io::number_text(v.entropy[static_cast<size_t>(begin - 1)])
                                 : std::string());
      row.emplace_back(mean_of(v.entropy, begin, end));
    }
  }
  std::vector<std::string> header{"window", "patch", "first", "last", "length"};
  if (!views.windows.empty() && !views.windows.front().entropy.empty()) {
    header.push_back("entropy_before");
    header.push_back("entropy_mean");
  }
  return attn::io::csv_text(header, rows);
}

}  // namespace timeseries
