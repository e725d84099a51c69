#include "libattn/ops/check.h"

#include <string>

#include "attn/error.h"

namespace attn::ops {

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "(";
  for (size_t i = 0; i < sizes.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(sizes[i]);
  }
  return text + ")";
}

std::string shape_text(const at::Tensor& tensor) {
  return shape_text(tensor.sizes());
}

void check_input(const char* op, const char* name, const at::Tensor& tensor, int64_t dim,
                 const char* layout) {
  const std::string where = std::string(op) + ": " + name;
  if (!tensor.defined()) throw Error(where + " is an undefined tensor; expected " + layout);
  if (!tensor.device().is_cpu()) {
    throw Error(where + " is on device " + tensor.device().str() +
                "; this build computes on the CPU only: pass tensor.cpu()");
  }
  if (tensor.layout() != at::kStrided) {
    throw Error(where + " is a sparse tensor; expected a dense one: pass tensor.to_dense()");
  }
  if (tensor.scalar_type() != at::kFloat && tensor.scalar_type() != at::kDouble) {
    throw Error(where + " has type " + c10::toString(tensor.scalar_type()) +
                "; expected Float or Double: convert it with tensor.to(at::kFloat)");
  }
  if (tensor.dim() != dim) {
    throw Error(where + " has shape " + shape_text(tensor) + "; expected " + layout);
  }
}

void check_same_type(const char* op, const char* name, const at::Tensor& tensor,
                     const char* reference_name, const at::Tensor& reference) {
  if (tensor.scalar_type() == reference.scalar_type()) return;
  throw Error(std::string(op) + ": " + name + " has type " + c10::toString(tensor.scalar_type()) +
              " and " + reference_name + " has " + c10::toString(reference.scalar_type()) +
              "; both must have the same type");
}

void check_sizes(const char* op, const char* name, const at::Tensor& tensor, at::IntArrayRef sizes,
                 const at::Tensor& reference) {
  if (tensor.defined() && tensor.sizes() == sizes &&
      tensor.scalar_type() == reference.scalar_type() && tensor.device() == reference.device() &&
      tensor.layout() == at::kStrided)
    return;
  const std::string where = std::string(op) + ": " + name;
  if (!tensor.defined()) throw Error(where + " is an undefined tensor");
  throw Error(where + " is " + c10::toString(tensor.scalar_type()) + " " + shape_text(tensor) +
              " on " + tensor.device().str() + "; expected " +
              c10::toString(reference.scalar_type()) + " " + shape_text(sizes) + " on " +
              reference.device().str());
}

void check_wanted(const char* op, const char* name, bool wanted,
                  const std::optional<at::Tensor>& tensor) {
  if (wanted && !(tensor && tensor->defined()))
    throw Error(std::string(op) + ": the gradient of " + name + " is wanted, and none was given");
}

void check_shapes_only(const char* op, at::TensorList tensors) {
  for (const at::Tensor& t : tensors) {
    if (t.defined() && !t.is_meta())
      throw Error(std::string(op) + ": a tensor of shape " + shape_text(t) + " is on " +
                  t.device().str() + " beside others on meta; expected one device");
  }
}

at::Tensor check_offsets(const char* op, const at::Tensor& offsets, int64_t total) {
  const std::string where = std::string(op) + ": offsets";
  const auto whole = [](at::ScalarType type) { return type == at::kLong || type == at::kInt; };
  if (!offsets.defined() || !offsets.device().is_cpu() || !whole(offsets.scalar_type()) ||
      offsets.dim() != 1 || offsets.size(0) < 1) {
    throw Error(where +
                " must be a one-dimensional tensor of int64 or int32 on the CPU with one entry "
                "more than there are sequences" +
                (offsets.defined()
                     ? "; found type " + std::string(c10::toString(offsets.scalar_type())) +
                           ", shape " + shape_text(offsets) + ", device " + offsets.device().str()
                     : std::string("; found an undefined tensor")));
  }
  at::Tensor packed = offsets.to(at::kLong).contiguous();
  const int64_t* at = packed.const_data_ptr<int64_t>();
  const int64_t bags = packed.size(0) - 1;
  if (at[0] != 0) throw Error(where + "[0] is " + std::to_string(at[0]) + "; expected 0");
  for (int64_t b = 0; b < bags; ++b) {
    if (at[b + 1] < at[b]) {
      throw Error(where + " fall from " + std::to_string(at[b]) + " to " +
                  std::to_string(at[b + 1]) + " at sequence " + std::to_string(b) +
                  "; they must never fall");
    }
  }
  if (at[bags] != total) {
    throw Error(where + " end at " + std::to_string(at[bags]) + " but there are " +
                std::to_string(total) + " rows; the last offset must be their number");
  }
  return packed;
}

}  // namespace attn::ops
