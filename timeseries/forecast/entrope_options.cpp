#include "timeseries/forecast/entrope_options.h"

#include <nlohmann/json.hpp>
#include <string>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/nn/swiglu.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the options of the forecaster";

std::string word(Residual residual) {
  switch (residual) {
    case Residual::doubled:
      return "doubled";
    case Residual::doubled_normed:
      return "doubled-normed";
    default:
      return "single";
  }
}

Residual residual_of(const std::string& word) {
  if (word == "single") return Residual::single;
  if (word == "doubled") return Residual::doubled;
  if (word == "doubled-normed") return Residual::doubled_normed;
  throw attn::Error(std::string(kWhere) +
                    ": key residual: expected single, doubled or doubled-normed, found " +
                    attn::io::quote_text(word));
}

TokenScope scope_of(const std::string& word) {
  if (word == "window") return TokenScope::window;
  if (word == "patch") return TokenScope::patch;
  throw attn::Error(std::string(kWhere) + ": key scope: expected window or patch, found " +
                    attn::io::quote_text(word));
}

void at_least(const char* what, int64_t found, int64_t least) {
  if (found < least)
    throw attn::UsageError(std::string(what) + " must be at least " + std::to_string(least) +
                           ", found " + std::to_string(found));
}

void share(const char* what, double found) {
  if (!(found >= 0 && found < 1))
    throw attn::UsageError(std::string(what) + " must be at least 0 and below 1, found " +
                           attn::io::number_text(found));
}

}  // namespace

EntropeOptions reference_entrope(int64_t lookback, int64_t horizon, int64_t channels,
                                 int64_t vocabulary) {
  EntropeOptions o;
  o.lookback = lookback;
  o.horizon = horizon;
  o.width = 8;
  o.heads = 2;
  o.encoder_layers = o.decoder_layers = 1;
  o.global_layers = 3;
  o.token_hidden = o.patch_hidden = attn::nn::swiglu_hidden(o.width, 256);
  o.vocabulary = vocabulary;
  o.values = false;
  o.normalised_tokens = true;
  o.scope = TokenScope::window;
  o.decoder_blocks = true;
  o.residual = Residual::doubled;
  o.patch_time = false;
  o.linear_path = o.naive_blend = false;
  o.head_width = 0;
  o.dropout = o.head_dropout = 0.1;
  o.frame.affine = true;
  o.frame.channels = channels;
  return o;
}

void to_json(nlohmann::json& j, const EntropeOptions& o) {
  j = {{"kind", "entrope"},
       {"lookback", o.lookback},
       {"horizon", o.horizon},
       {"width", o.width},
       {"heads", o.heads},
       {"encoder_layers", o.encoder_layers},
       {"global_layers", o.global_layers},
       {"decoder_layers", o.decoder_layers},
       {"token_hidden", o.token_hidden},
       {"patch_hidden", o.patch_hidden},
       {"vocabulary", o.vocabulary},
       {"values", o.values},
       {"normalised_tokens", o.normalised_tokens},
       {"past", o.past},
       {"scope", o.scope == TokenScope::patch ? "patch" : "window"},
       {"residual", word(o.residual)},
       {"patch_time", o.patch_time},
       {"decoder_blocks", o.decoder_blocks},
       {"linear_path", o.linear_path},
       {"naive_blend", o.naive_blend},
       {"season", o.season},
       {"head_width", o.head_width},
       {"dropout", o.dropout},
       {"head_dropout", o.head_dropout},
       {"frame", nlohmann::json(o.frame)}};
}

void from_json(const nlohmann::json& j, EntropeOptions& o) {
  const auto whole = [&](const char* key, int64_t& value) {
    value = attn::io::get_or<int64_t>(j, key, kWhere, value);
  };
  const auto flag = [&](const char* key, bool& value) {
    value = attn::io::get_or<bool>(j, key, kWhere, value);
  };
  whole("lookback", o.lookback);
  whole("horizon", o.horizon);
  whole("width", o.width);
  whole("heads", o.heads);
  whole("encoder_layers", o.encoder_layers);
  whole("global_layers", o.global_layers);
  whole("decoder_layers", o.decoder_layers);
  whole("token_hidden", o.token_hidden);
  whole("patch_hidden", o.patch_hidden);
  whole("vocabulary", o.vocabulary);
  flag("values", o.values);
  flag("normalised_tokens", o.normalised_tokens);
  whole("past", o.past);
  o.scope = scope_of(attn::io::get_or<std::string>(
      j, "scope", kWhere, o.scope == TokenScope::patch ? "patch" : "window"));
  o.residual = residual_of(attn::io::get_or<std::string>(j, "residual", kWhere, word(o.residual)));
  flag("patch_time", o.patch_time);
  flag("decoder_blocks", o.decoder_blocks);
  flag("linear_path", o.linear_path);
  flag("naive_blend", o.naive_blend);
  whole("season", o.season);
  whole("head_width", o.head_width);
  o.dropout = attn::io::get_or<double>(j, "dropout", kWhere, o.dropout);
  o.head_dropout = attn::io::get_or<double>(j, "head_dropout", kWhere, o.head_dropout);
  if (const nlohmann::json* frame = attn::io::find(j, "frame", kWhere)) from_json(*frame, o.frame);
}

void check(const EntropeOptions& o) {
  at_least("the look-back", o.lookback, 1);
  at_least("the horizon", o.horizon, 1);
  at_least("the width", o.width, 1);
  at_least("the number of heads", o.heads, 1);
  if (o.width % o.heads != 0 || (o.width / o.heads) % 2 != 0)
    throw attn::UsageError("the width, " + std::to_string(o.width) +
                           ", must be an even number for " + "each of the " +
                           std::to_string(o.heads) + " heads");
  at_least("the number of encoder layers", o.encoder_layers, 1);
  at_least("the number of global layers", o.global_layers, 0);
  at_least("the number of decoder layers", o.decoder_layers, 1);
  at_least("the hidden width of tokens", o.token_hidden, 1);
  at_least("the hidden width of patches", o.patch_hidden, 1);
  at_least("the vocabulary", o.vocabulary, 0);
  at_least("the number of past covariates", o.past, 0);
  at_least("the season", o.season, 1);
  at_least("the width of the head", o.head_width, 0);
  share("the dropout", o.dropout);
  share("the dropout of the head", o.head_dropout);
  if (!o.values && o.vocabulary == 0)
    throw attn::UsageError("an EntroPE forecaster needs real values, a vocabulary, or both");
  check(o.frame);
  if (o.linear_path && o.frame.affine)
    throw attn::UsageError("an affine frame is not taught beside a linear path; leave out one");
}

}  // namespace timeseries
