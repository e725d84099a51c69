#include "timeseries/patch/tokeniser.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the tokeniser";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check_values(const at::Tensor& values) {
  if (!values.defined() || values.dim() != 2 || !at::isFloatingType(values.scalar_type()))
    throw std::logic_error("the tokeniser takes windows (N,L) of fp32 or fp64");
}

/// s of one window.
template <class T>
double scale_of(const T* z, int64_t length, int64_t row) {
  double sum = 0;
  int64_t known = 0;
  for (int64_t t = 0; t < length; ++t) {
    if (std::isnan(z[t])) continue;
    sum += std::abs(static_cast<double>(z[t]));
    ++known;
  }
  if (!std::isfinite(sum))
    throw attn::Error("window " + std::to_string(row) +
                      " holds a value that is infinite; expected finite numbers, or NaN where one "
                      "is missing: mend the series");
  const double mean = known > 0 ? sum / static_cast<double>(known) : 0;
  return mean > 0 ? mean : 1;
}

}  // namespace

Tokeniser::Tokeniser(const TokeniserOptions& options) : options_(options) {
  if (options.vocabulary < kFirst + 2)
    throw attn::UsageError("the tokeniser's vocabulary is " + std::to_string(options.vocabulary) +
                           "; expected at least " + std::to_string(kFirst + 2) +
                           ", which leaves two bins beside the tokens that are no values");
  if (!std::isfinite(options.low) || !std::isfinite(options.high) || !(options.low < options.high))
    throw attn::UsageError("the tokeniser's range is " + std::to_string(options.low) + " to " +
                           std::to_string(options.high) + "; expected two numbers that ascend");
  const double width = (options.high - options.low) / static_cast<double>(bins() - 1);
  inverse_width_ = 1 / width;
  edges_.assign(static_cast<size_t>(bins() + 1), kInfinity);
  edges_[0] = -kInfinity;
  for (int64_t i = 1; i < bins(); ++i)
    edges_[static_cast<size_t>(i)] = options.low + (static_cast<double>(i) - 0.5) * width;
}

int64_t Tokeniser::token(double u) const {
  if (std::isnan(u)) return kPad;
  const double guess = (u - options_.low) * inverse_width_ + 0.5;
  auto i = static_cast<int64_t>(std::clamp(guess, 0.0, static_cast<double>(bins() - 1)));
  // Rounding may have put the guess beside the bin that the edges name.
  while (i > 0 && u < edges_[static_cast<size_t>(i)]) --i;
  while (i + 1 < bins() && u >= edges_[static_cast<size_t>(i + 1)]) ++i;
  return kFirst + i;
}

double Tokeniser::centre(int64_t id) const {
  if (id < kFirst || id >= options_.vocabulary) return std::numeric_limits<double>::quiet_NaN();
  const double share = static_cast<double>(id - kFirst) / static_cast<double>(bins() - 1);
  return options_.low + share * (options_.high - options_.low);
}

at::Tensor Tokeniser::scale(const at::Tensor& values) {
  check_values(values);
  const at::Tensor z = values.contiguous();
  const int64_t rows = z.size(0), length = z.size(1);
  at::Tensor out = at::empty({rows}, at::kDouble);
  auto* to = out.mutable_data_ptr<double>();
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "scale", [&] {
    const auto* from = z.const_data_ptr<scalar_t>();
    for (int64_t n = 0; n < rows; ++n) to[n] = scale_of(from + n * length, length, n);
  });
  return out;
}

at::Tensor Tokeniser::tokens(const at::Tensor& values, const at::Tensor& scale) const {
  check_values(values);
  const at::Tensor z = values.contiguous();
  const int64_t rows = z.size(0), length = z.size(1);
  const at::Tensor s =
      scale.defined() ? scale.to(at::kDouble).contiguous() : Tokeniser::scale(values);
  if (s.dim() != 1 || s.size(0) != rows)
    throw std::logic_error("the tokeniser takes one scale for each window");
  const auto* scales = s.const_data_ptr<double>();
  at::Tensor ids = at::empty({rows, length}, at::kLong);
  auto* to = ids.mutable_data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "tokens", [&] {
    const auto* from = z.const_data_ptr<scalar_t>();
    for (int64_t n = 0; n < rows; ++n) {
      if (!(scales[n] > 0) || !std::isfinite(scales[n]))
        throw attn::Error("the scale of window " + std::to_string(n) + " is " +
                          std::to_string(scales[n]) + "; expected a positive number");
      for (int64_t t = 0; t < length; ++t) *to++ = token(static_cast<double>(*from++) / scales[n]);
    }
  });
  return ids;
}

std::vector<double> scaled_values(const at::Tensor& values) {
  const at::Tensor s = Tokeniser::scale(values);
  const at::Tensor u = (values.to(at::kDouble) / s.unsqueeze(1)).contiguous();
  const auto* first = u.const_data_ptr<double>();
  std::vector<double> known;
  known.reserve(static_cast<size_t>(u.numel()));
  std::copy_if(first, first + u.numel(), std::back_inserter(known),
               [](double x) { return !std::isnan(x); });
  return known;
}

TokeniserOptions learn_range(std::vector<double> u, int64_t vocabulary, double share) {
  if (u.empty())
    throw attn::Error(
        "the training windows hold no known value to learn the tokeniser's range from; use a part "
        "of the series that has some");
  if (!(share >= 0 && share < 1))
    throw attn::UsageError("the share of the end bins is " + std::to_string(share) +
                           "; expected at least 0 and below 1");
  const size_t n = u.size();
  const auto outside = static_cast<size_t>(share / 2 * static_cast<double>(n));
  std::sort(u.begin(), u.end());
  // The inner edges of the end bins: `outside` values lie below the one, and at or above the other.
  double bottom = u[outside];
  double top = std::nextafter(u[n - 1 - outside], kInfinity);
  const double magnitude = std::max({1.0, std::abs(bottom), std::abs(top)});
  if (!(top - bottom > 1e-9 * magnitude)) bottom -= 0.5, top += 0.5;
  TokeniserOptions options;
  options.vocabulary = vocabulary;
  const auto inner = static_cast<double>(std::max<int64_t>(1, vocabulary - Tokeniser::kFirst - 2));
  // Half a bin and what rounding may take from an edge.
  const double half = 0.5 * (top - bottom) / inner, rounding = 4e-15 * magnitude;
  options.low = bottom - half - rounding;
  options.high = top + half + rounding;
  return options;
}

void to_json(nlohmann::json& j, const TokeniserOptions& o) {
  j = {{"vocabulary", o.vocabulary}, {"low", o.low}, {"high", o.high}};
}

void from_json(const nlohmann::json& j, TokeniserOptions& o) {
  o.vocabulary = attn::io::get<int64_t>(j, "vocabulary", kWhere);
  o.low = attn::io::get<double>(j, "low", kWhere);
  o.high = attn::io::get<double>(j, "high", kWhere);
}

}  // namespace timeseries
