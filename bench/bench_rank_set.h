// What bench-rank's cases are made of: drawn lists, the network and its training, and both as the
// peer takes them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "finance/rank/rank_train.h"
#include "finance/rank/ranker.h"

namespace attn::bench {

inline constexpr int64_t kFeatures = 18;

/// Lists of `least` ... `most` rows: normal features; profit of both signs and heavy tails, which
/// the first feature and the label tell something of.
finance::RankSet drawn_set(int64_t lists, int64_t least, int64_t most);
/// The first `count` lists.
finance::RankSet first_lists(const finance::RankSet& set, int64_t count);

/// The network `cross` at its default sizes.
finance::Ranker ranker_of();
/// How it is trained here, and so the peer: one epoch, 32 lists a step, AdamW alone.
finance::RankFitOptions rank_fit(finance::LossKind loss);
void train_epoch(const finance::Ranker& ranker, const finance::RankSet& set,
                 finance::LossKind loss);

/// Weights, lists and our scores for bench/peers/rank_network.py, which trains on the first
/// `train_lists`.
void write_rank_peer(const finance::Ranker& ranker, const finance::RankSet& set,
                     int64_t train_lists, const std::filesystem::path& path);

}  // namespace attn::bench
