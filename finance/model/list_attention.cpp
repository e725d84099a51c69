#include "finance/model/list_attention.h"

#include <ATen/ATen.h>

namespace finance {
namespace {

std::vector<double> numbers(const at::Tensor& t) {
  const at::Tensor d = t.to(at::kDouble).contiguous();
  const auto* data = d.const_data_ptr<double>();
  return {data, data + d.numel()};
}

}  // namespace

std::vector<ListAttention> list_attention(const TrainedRanker& model, const RankLists& lists,
                                          const std::vector<int64_t>& which, int64_t most) {
  std::vector<ListAttention> out;
  const Ranker& ranker = model.members.front();
  for (const int64_t l : which) {
    const auto at = static_cast<size_t>(l);
    const int64_t first = lists.offsets[at], rows = lists.offsets[at + 1] - first;
    if (rows < 2 || rows > most) continue;
    const RankSet set = encode(model.features, selected(lists, {l}));
    const at::Tensor all = ranker.attention(gather(set, std::vector<int64_t>{0}));
    if (!all.defined() || all.size(0) == 0) return out;
    const at::Tensor last = all[all.size(0) - 1];  // (H,n,n)
    const at::Tensor entropy = -(last * last.clamp_min(1e-30).log()).sum(-1).mean(0);
    out.push_back({lists.list_ids[at], first, rows, numbers(last.mean(0)), numbers(entropy)});
  }
  return out;
}

}  // namespace finance
