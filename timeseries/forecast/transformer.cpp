#include "timeseries/forecast/transformer.h"

#include <ATen/ATen.h>

#include <vector>

#include "attn/attention.h"
#include "attn/probe.h"
#include "libattn/nn/dropout.h"
#include "libattn/nn/linear.h"
#include "libattn/nn/rms_norm.h"
#include "libattn/nn/rotary.h"
#include "libattn/nn/swiglu.h"
#include "libattn/train/seed.h"

namespace timeseries {
namespace {

using attn::train::Init;
using attn::train::Parameters;

at::Tensor attend(const at::Tensor& x, const Packing& packing, const LayerOptions& o,
                  const Parameters& parameters, const std::string& prefix) {
  const attn::ProbeLayer name(part_name(prefix));
  const int64_t tokens = x.size(0), head = o.width / o.heads;
  const at::Tensor all = attn::nn::linear(x, parameters.at(prefix + "qkv"));  // (T,3d)
  // Split, not narrowed: the gradient is then put together instead of added up from zeros.
  const std::vector<at::Tensor> parts = all.split_with_sizes({2 * o.width, o.width}, 1);
  const std::vector<at::Tensor> turned =
      attn::nn::rotary(parts[0].unflatten(1, {2 * o.heads, head}), packing.positions)
          .split(o.heads, 1);
  attn::AttentionOptions options;
  options.causal = packing.causal ? attn::Causal::bottom_right : attn::Causal::none;
  options.q_offsets = options.k_offsets = packing.offsets;
  const at::Tensor out =
      attn::attention(turned[0], turned[1], parts[1].unflatten(1, {o.heads, head}), options).out;
  return attn::nn::linear(out.reshape({tokens, o.width}), parameters.at(prefix + "out"));
}

}  // namespace

std::string_view part_name(std::string_view prefix) {
  return prefix.substr(0, prefix.size() - 1);
}

at::Tensor Draws::drop(const at::Tensor& x, double share) {
  if (!training_ || share == 0) return x;
  return attn::nn::dropout(x, share, attn::train::derive_seed(seed_, "dropout", calls_++));
}

void add_layer(std::vector<attn::train::ParameterSpec>& specs, const std::string& prefix,
               const LayerOptions& o) {
  const int64_t d = o.width;
  specs.push_back({prefix + "norm1", {d}, Init::ones()});
  specs.push_back({prefix + "qkv", {3 * d, d}, Init::linear(d)});
  specs.push_back({prefix + "out", {d, d}, Init::linear(d)});
  specs.push_back({prefix + "norm2", {d}, Init::ones()});
  specs.push_back({prefix + "w1", {o.hidden, d}, Init::linear(d)});
  specs.push_back({prefix + "w3", {o.hidden, d}, Init::linear(d)});
  specs.push_back({prefix + "w2", {d, o.hidden}, Init::linear(o.hidden)});
}

at::Tensor layer_forward(at::Tensor h, const Packing& packing, const LayerOptions& o,
                         const Parameters& parameters, const std::string& prefix, double share,
                         Draws& draws) {
  const auto normed = [&](const char* name) {
    return attn::nn::rms_norm(h, parameters.at(prefix + name));
  };
  h = h + draws.drop(attend(normed("norm1"), packing, o, parameters, prefix), share);
  const at::Tensor wide =
      attn::nn::swiglu(normed("norm2"), parameters.at(prefix + "w1"), parameters.at(prefix + "w3"),
                       parameters.at(prefix + "w2"));
  return h + draws.drop(wide, share);
}

}  // namespace timeseries
