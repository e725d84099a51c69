#include "timeseries/forecast/linear_base.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "libattn/nn/linear.h"
#include "libattn/nn/one_thread.h"
#include "libattn/train/parameters.h"
#include "timeseries/forecast/frame.h"
#include "timeseries/forecast/held_out.h"
#include "timeseries/window/plan.h"

namespace timeseries {
namespace {

constexpr int64_t kTrain = 65536, kValidation = 4096, kBatch = 896;
constexpr int kRounds = 8;
constexpr double kStill = 1e-3;  // of the weights of a map that rounds no longer change
/// lambda of each candidate; once with the age, once with its square.
constexpr double kLambdas[] = {1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 1, 3, 10, 100, 1e4};
constexpr int64_t kCandidates = 2 * static_cast<int64_t>(std::size(kLambdas)), kUnjudged = 5;

std::vector<Window> some_of(std::span<const Window> windows, int64_t most) {
  const auto count = static_cast<int64_t>(windows.size()), taken = std::min(count, most);
  std::vector<Window> out;
  for (int64_t i = 0; i < taken; ++i)
    out.push_back(windows[static_cast<size_t>(spread_window(i, count, taken))]);
  return out;
}

/// What season and covariates add: nothing, the covariates, both.
enum class Effects { none, known, all };

/// Sums, weighted by s^2, over all values of a channel row from which both are solved; with S = 1
/// for no season.
struct EffectSums {
  EffectSums(int64_t seasons, int64_t width)
      : weight(static_cast<size_t>(seasons)),
        z(weight.size()),
        k(weight.size() * static_cast<size_t>(width)),
        kk(static_cast<size_t>(width * width)),
        kz(static_cast<size_t>(width)) {}
  std::vector<double> weight, z, k;  // (S), (S), (S,F)
  std::vector<double> kk, kz;        // (F,F), (F)
};

/// Adds one value at `place` of its season, with its covariates.
void add_value(EffectSums& s, size_t place, double z, const double* k, double weight) {
  s.weight[place] += weight;
  s.z[place] += weight * z;
  const size_t width = s.kz.size();
  for (size_t i = 0; i < width; ++i) {
    const double weighted = weight * k[i];
    s.k[place * width + i] += weighted;
    s.kz[i] += weighted * z;
    for (size_t j = 0; j < width; ++j) s.kk[i * width + j] += weighted * k[j];
  }
}

at::Tensor fp64(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

/// One call of fit_linear_base.
class BaseFit {
 public:
  BaseFit(const Forecaster& forecaster, const WindowSource& source, std::span<const Window> train,
          std::span<const Window> validation, const attn::Hooks& hooks)
      : parameters_(forecaster.parameters()),
        frame_(forecaster.linear_base().frame),
        weight_(forecaster.linear_base().weight),
        lookback_(forecaster.lookback()),
        horizon_(forecaster.horizon()),
        source_(source),
        hooks_(hooks),
        train_(some_of(train, kTrain)),
        validation_(some_of(validation, kValidation)) {}

  void run() {
    Found best;
    for (const Effects effects : choices()) {
      put_effects(effects);
      Found found = solve();
      if (!best.map.defined() || found.error < best.error) best = std::move(found);
    }
    weight_.copy_(best.map.t());
    if (frame_.season > 0) parameters_.at("frame.season").copy_(best.season);
    if (frame_.known > 0) parameters_.at("frame.known").copy_(best.known);
  }

 private:
  /// A map (L,T), the effects it was solved with, and its validation error.
  struct Found {
    at::Tensor map, season, known;
    double error = 0;
  };
  /// Windows inside their frame, fp64: u carried on (N,L), what the map is to add to its last value
  /// (N,T) with NaN, and s (N,1).
  struct Rows {
    at::Tensor u, left, sd;
  };

  /// In the order in which one has to be better than those before it.
  std::vector<Effects> choices() const {
    std::vector<Effects> out;
    if (frame_.season > 0) out.push_back(Effects::all);
    if (frame_.known > 0) out.push_back(Effects::known);
    if (out.empty() || !validation_.empty()) out.push_back(Effects::none);
    if (validation_.empty()) out.resize(1);
    return out;
  }

  template <class Take>
  void for_batches(const std::vector<Window>& windows, const FrameOptions& frame,
                   const Take& take) const {
    for (size_t first = 0; first < windows.size(); first += kBatch) {
      hooks_.check();
      const size_t count = std::min(windows.size() - first, static_cast<size_t>(kBatch));
      const WindowBatch batch = source_.gather(std::span(windows).subspan(first, count));
      take(batch, enter_frame(batch, frame, parameters_, horizon_, weight_.scalar_type()));
    }
  }

  Rows rows_of(const WindowBatch& batch, const Framed& framed) const {
    Rows rows{framed.carried.to(at::kDouble), {}, framed.sd.to(at::kDouble)};
    rows.left = (batch.target.to(at::kDouble) - framed.mean) / rows.sd;
    if (framed.effect.defined()) rows.left = rows.left - framed.effect;
    rows.left = rows.left - rows.u.narrow(1, lookback_ - 1, 1);
    return rows;
  }

  // --- season and covariates

  void put_effects(Effects effects) {
    if (frame_.season > 0) parameters_.at("frame.season").zero_();
    if (frame_.known > 0) parameters_.at("frame.known").zero_();
    if (effects == Effects::none) return;
    const bool seasonal = effects == Effects::all;
    std::vector<EffectSums> sums;
    for (int64_t c = 0; c < frame_.channels; ++c)
      sums.emplace_back(seasonal ? frame_.season : 1, frame_.known);
    FrameOptions plain = frame_;
    plain.season = plain.known = 0;
    for_batches(train_, plain, [&](const WindowBatch& batch, const Framed& framed) {
      for (int64_t n = 0; n < framed.input.size(0); ++n) add_window(sums, batch, framed, n);
    });
    for (int64_t c = 0; c < frame_.channels; ++c)
      solve_effects(sums[static_cast<size_t>(c)], c, seasonal);
  }

  void add_window(std::vector<EffectSums>& sums, const WindowBatch& batch, const Framed& framed,
                  int64_t n) const {
    const int64_t row = frame_.channels == 1 ? 0 : batch.channel[n].item<int64_t>();
    EffectSums& own = sums[static_cast<size_t>(row)];
    const auto seasons = static_cast<int64_t>(own.weight.size());
    const int64_t phase = batch.phase[n].item<int64_t>();
    const double mean = framed.mean[n][0].item<double>(), sd = framed.sd[n][0].item<double>();
    const at::Tensor known = centred_known(batch, n);
    const double* k = known.defined() ? known.const_data_ptr<double>() : nullptr;
    const auto *x = batch.values.const_data_ptr<float>() + n * lookback_,
               *y = batch.target.const_data_ptr<float>() + n * horizon_;
    for (int64_t t = 0; t < lookback_ + horizon_; ++t) {
      const auto value = static_cast<double>(t < lookback_ ? x[t] : y[t - lookback_]);
      if (std::isnan(value)) continue;
      const int64_t place = ((phase + t - lookback_) % seasons + seasons) % seasons;
      add_value(own, static_cast<size_t>(place), (value - mean) / sd, k + t * frame_.known,
                sd * sd);
    }
  }

  /// (L+T,F): k less its mean over the look-back, as z is.
  at::Tensor centred_known(const WindowBatch& batch, int64_t n) const {
    if (frame_.known == 0) return {};
    const at::Tensor k = batch.known[n].to(at::kDouble);
    return (k - k.narrow(0, 0, lookback_).mean(0, true)).contiguous();
  }

  /// Covariates by what is left of both when each place's means are taken off (Frisch and Waugh
  /// 1933), then the places' means of what they leave.
  void solve_effects(const EffectSums& sums, int64_t channel, bool seasonal) {
    const attn::nn::OneThread one;
    const at::Tensor weight = fp64(sums.weight),
                     share = at::where(weight > 0, 1 / weight, at::zeros_like(weight));
    at::Tensor season = fp64(sums.z) * share;
    if (frame_.known > 0) {
      const int64_t f = frame_.known;
      const at::Tensor k = fp64(sums.k).view({-1, f}), mean = k * share.unsqueeze(1),
                       kk = fp64(sums.kk).view({f, f});
      at::Tensor a = kk - mean.t().mm(k);
      const at::Tensor b = fp64(sums.kz) - mean.t().mv(fp64(sums.z));
      a.diagonal().add_(kk.diagonal().mean() * 1e-6 + 1e-9);
      const at::Tensor beta = solved(a, b.unsqueeze(1)).squeeze(1);
      parameters_.at("frame.known").select(0, channel).copy_(beta);
      season = season - mean.mv(beta);
    }
    if (seasonal) parameters_.at("frame.season").select(0, channel).copy_(season);
  }

  static at::Tensor solved(const at::Tensor& positive, const at::Tensor& right) {
    return at::cholesky_solve(right, at::linalg_cholesky(positive));
  }

  // --- the map

  Found solve() {
    Found out;
    const at::Tensor last = last_value();
    out.map = last;  // what is missing counts as the last value at first
    const at::Tensor a = at::zeros({lookback_, lookback_}, at::kDouble);
    for (int round = 0; round < kRounds; ++round) {
      bool holes = false;
      at::Tensor b = at::zeros({lookback_, horizon_}, at::kDouble);
      for_batches(train_, frame_, [&](const WindowBatch& batch, const Framed& framed) {
        Rows rows = rows_of(batch, framed);
        const at::Tensor absent = rows.left.isnan();
        if (absent.any().item<bool>()) {
          holes = true;
          rows.left = at::where(absent, product(rows.u, out.map - last), rows.left);
        }
        const at::Tensor u = (rows.u * rows.sd).t(), left = (rows.left * rows.sd).t();
        if (round == 0) a.add_(attn::nn::linear(u, u));
        b.add_(attn::nn::linear(u, left));
      });
      const at::Tensor before = out.map;
      choose(a, b, last, out);
      if (!holes || (out.map - before).abs().max().item<double>() < kStill) break;
    }
    if (frame_.season > 0) out.season = parameters_.at("frame.season").detach().clone();
    if (frame_.known > 0) out.known = parameters_.at("frame.known").detach().clone();
    return out;
  }

  /// x (N,L) map (L,T).
  static at::Tensor product(const at::Tensor& x, const at::Tensor& map) {
    return attn::nn::linear(x, map.t().contiguous());
  }

  at::Tensor last_value() const {
    at::Tensor map = at::zeros({lookback_, horizon_}, at::kDouble);
    map.select(0, lookback_ - 1).fill_(1);
    return map;
  }

  /// Of all candidates at each step the one with the least error around it.
  void choose(const at::Tensor& a, const at::Tensor& b, const at::Tensor& last, Found& out) {
    const at::Tensor maps = candidates(a, b);
    at::Tensor chosen = at::full({horizon_}, kUnjudged, at::kLong);
    if (!validation_.empty()) {
      const auto [errors, known] = errors_of(maps);
      const auto windows = static_cast<int64_t>(validation_.size());
      chosen =
          at::where(near_sums(known, windows) > 0, near_sums(errors, windows).argmin(0), chosen);
      out.error = errors.gather(0, chosen.unsqueeze(0)).sum().item<double>();
    }
    const at::Tensor index = chosen.view({1, 1, horizon_}).expand({1, lookback_, horizon_});
    out.map = last + maps.gather(0, index).squeeze(0);
  }

  /// (K,L,T): what each adds to the last value.
  at::Tensor candidates(const at::Tensor& a, const at::Tensor& b) const {
    const at::Tensor age = at::arange(lookback_, 0, -1, at::kDouble);
    const double unit = a.diagonal().mean().item<double>();
    const attn::nn::OneThread one;
    at::Tensor maps = at::empty({kCandidates, lookback_, horizon_}, at::kDouble);
    int64_t k = 0;
    for (const at::Tensor& power : {age, age.square()}) {
      const at::Tensor p = power / power.mean();
      for (const double lambda : kLambdas) {
        at::Tensor regular = a.clone();
        regular.diagonal().add_(p * (lambda * unit) + 1e-9);
        maps[k++].copy_(solved(regular, b));
      }
    }
    return maps;
  }

  /// Squared errors of each candidate at each step (K,T), summed over the known targets of the
  /// validation windows, and how many these are (T).
  std::pair<at::Tensor, at::Tensor> errors_of(const at::Tensor& maps) const {
    at::Tensor errors = at::zeros({kCandidates, horizon_}, at::kDouble),
               known = at::zeros({horizon_}, at::kDouble);
    for_batches(validation_, frame_, [&](const WindowBatch& batch, const Framed& framed) {
      const Rows rows = rows_of(batch, framed);
      const at::Tensor there = rows.left.isnan().logical_not_().to(at::kDouble),
                       weight = there * rows.sd, left = rows.left.nan_to_num();
      known.add_(there.sum(0));
      for (int64_t k = 0; k < kCandidates; ++k)
        errors[k].add_(((product(rows.u, maps[k]) - left) * weight).square().sum(0));
    });
    return {errors, known};
  }

  const attn::train::Parameters& parameters_;
  const FrameOptions frame_;
  const at::Tensor weight_;
  const int64_t lookback_, horizon_;
  const WindowSource& source_;
  const attn::Hooks& hooks_;
  const std::vector<Window> train_, validation_;
};

/// One row, in place.
template <class T>
void impute_row(int64_t length, const T* missing, const T* weight, T* u) {
  const T* first = std::find(missing, missing + length, T(0));
  for (int64_t t = first - missing; t < length; ++t) {
    if (missing[t] == T(0)) continue;
    double sum = 0;
    for (int64_t s = 0; s < t; ++s)
      sum += static_cast<double>(weight[length - t + s]) * static_cast<double>(u[s]);
    u[t] = static_cast<T>(sum);
  }
}

}  // namespace

at::Tensor impute(const at::Tensor& u, const at::Tensor& missing, const at::Tensor& weight) {
  const int64_t rows = u.size(0), length = u.size(1);
  const at::Tensor out = u.detach().clone(at::MemoryFormat::Contiguous),
                   mask = missing.contiguous(),
                   step = weight.detach().select(0, 0).to(u.scalar_type()).contiguous();
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "impute", [&] {
    for (int64_t n = 0; n < rows; ++n)
      impute_row(length, mask.const_data_ptr<scalar_t>() + n * length,
                 step.const_data_ptr<scalar_t>(), out.mutable_data_ptr<scalar_t>() + n * length);
  });
  return at::where(mask > 0, out, u);
}

void fit_linear_base(const Forecaster& forecaster, const WindowSource& source,
                     std::span<const Window> train, std::span<const Window> validation,
                     const attn::Hooks& hooks) {
  if (!forecaster.linear_base().weight.defined() || train.empty()) return;
  const c10::NoGradGuard no_grad;
  BaseFit(forecaster, source, train, validation, hooks).run();
}

bool in_linear_base(std::string_view name) {
  return name == "linear.weight" || name.starts_with("frame.");
}

double linear_base_bytes(int64_t lookback, int64_t horizon) {
  const auto l = static_cast<double>(lookback), t = static_cast<double>(horizon);
  return ((kCandidates + 4) * l * t + 5 * l * l + 6 * kBatch * (l + t)) * sizeof(double);
}

}  // namespace timeseries
