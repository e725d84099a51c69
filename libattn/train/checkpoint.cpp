#include "libattn/train/checkpoint.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/safetensors.h"
#include "libattn/train/tensor_file.h"

namespace attn::train {
namespace {

constexpr const char* kKey = "attn_checkpoint";
constexpr int64_t kVersion = 1;

/// Doubles as a tensor, so that they come back bit for bit (JSON has no NaN).
at::Tensor pack(const std::vector<double>& values) {
  at::Tensor t = at::empty({static_cast<int64_t>(values.size())}, at::kDouble);
  if (!values.empty())
    std::memcpy(t.mutable_data_ptr(), values.data(), values.size() * sizeof(double));
  return t;
}

std::vector<double> unpack(const at::Tensor& t) {
  const at::Tensor c = t.to(at::kDouble).contiguous();
  return {c.const_data_ptr<double>(), c.const_data_ptr<double>() + c.numel()};
}

void add(NamedTensors& to, const std::string& prefix, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) to.emplace_back(prefix + name, tensor);
}

/// One row per finished epoch: lr, loss, score, then the columns.
at::Tensor pack_history(const std::vector<EpochRecord>& history) {
  std::vector<at::Tensor> rows;
  for (const EpochRecord& r : history) {
    std::vector<double> row{r.lr, r.loss, r.score};
    row.insert(row.end(), r.step_columns.begin(), r.step_columns.end());
    row.insert(row.end(), r.validation_columns.begin(), r.validation_columns.end());
    rows.push_back(pack(row));
  }
  return rows.empty() ? at::empty({0, 3}, at::kDouble) : at::stack(rows);
}

std::vector<EpochRecord> unpack_history(const at::Tensor& t, int64_t step_columns,
                                        const std::filesystem::path& path) {
  if (t.numel() == 0) return {};
  if (t.dim() != 2 || t.size(1) < 3 + step_columns)
    throw Error(path.string() + ": the history does not fit; the checkpoint is damaged, remove it");
  std::vector<EpochRecord> history;
  for (int64_t e = 0; e < t.size(0); ++e) {
    const std::vector<double> row = unpack(t[e]);
    const auto split = row.begin() + 3 + step_columns;
    EpochRecord r;
    r.epoch = e;
    r.lr = row[0];
    r.loss = row[1];
    r.score = row[2];
    r.step_columns.assign(row.begin() + 3, split);
    r.validation_columns.assign(split, row.end());
    history.push_back(std::move(r));
  }
  return history;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& c) {
  NamedTensors tensors;
  add(tensors, "parameter/", c.parameters);
  add(tensors, "optimiser/", c.optimiser);
  add(tensors, "best/", c.best);
  add(tensors, "buffer/", c.buffers);
  add(tensors, "best_buffer/", c.best_buffers);
  tensors.emplace_back("history", pack_history(c.history));
  tensors.emplace_back("running", pack(c.running));
  tensors.emplace_back("best_score", pack({c.best_score}));
  const nlohmann::json meta = {{"format_version", kVersion},
                               {"fingerprint", c.fingerprint},
                               {"iteration", c.iteration},
                               {"best_epoch", c.best_epoch},
                               {"running_items", c.running_items}};
  write_tensors(path, tensors, {{kKey, meta.dump()}});
}

std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const io::Safetensors file = io::Safetensors::open(path);
  file.verify();
  const std::string where = "the metadata of " + path.string();
  const nlohmann::json meta = io::parse_json(file.metadata(kKey), where);
  const auto version = io::get<int64_t>(meta, "format_version", where);
  if (version > kVersion) {
    throw NewerFormat(path.string() + ": has format version " + std::to_string(version) +
                      ", newer than the newest this program reads (" + std::to_string(kVersion) +
                      "); use a newer version of the program or remove the checkpoint");
  }
  Checkpoint c;
  c.fingerprint = io::get<std::string>(meta, "fingerprint", where);
  c.iteration = io::get<int64_t>(meta, "iteration", where);
  c.best_epoch = io::get<int64_t>(meta, "best_epoch", where);
  c.running_items = io::get<int64_t>(meta, "running_items", where);
  std::map<std::string, at::Tensor> single;
  const std::map<std::string, NamedTensors*> groups{{"parameter", &c.parameters},
                                                    {"optimiser", &c.optimiser},
                                                    {"best", &c.best},
                                                    {"buffer", &c.buffers},
                                                    {"best_buffer", &c.best_buffers}};
  for (auto& [name, tensor] : read_tensors(file)) {
    const size_t slash = name.find('/');
    const auto group = groups.find(name.substr(0, slash));
    if (slash != std::string::npos && group != groups.end())
      group->second->emplace_back(name.substr(slash + 1), tensor);
    else
      single[name] = tensor;
  }
  for (const char* name : {"history", "running", "best_score"}) {
    if (!single.contains(name)) {
      throw Error(path.string() + ": " + name +
                  " is missing; the checkpoint is damaged, remove it");
    }
  }
  c.running = unpack(single["running"]);
  const std::vector<double> best_score = unpack(single["best_score"]);
  if (c.running.empty() || best_score.size() != 1 || c.iteration < 0)
    throw Error(path.string() + ": contradicts itself; the checkpoint is damaged, remove it");
  c.best_score = best_score[0];
  const int64_t step_columns = static_cast<int64_t>(c.running.size()) - 1;
  c.history = unpack_history(single["history"], step_columns, path);
  return c;
}

}  // namespace attn::train
