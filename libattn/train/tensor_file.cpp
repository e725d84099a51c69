#include "libattn/train/tensor_file.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <span>
#include <vector>

#include "attn/error.h"

namespace attn::train {
namespace {

io::Dtype dtype_of(const at::Tensor& t, const std::string& name) {
  switch (t.scalar_type()) {
    case at::kDouble:
      return io::Dtype::f64;
    case at::kFloat:
      return io::Dtype::f32;
    case at::kHalf:
      return io::Dtype::f16;
    case at::kBFloat16:
      return io::Dtype::bf16;
    case at::kLong:
      return io::Dtype::i64;
    case at::kInt:
      return io::Dtype::i32;
    case at::kByte:
      return io::Dtype::u8;
    case at::kBool:
      return io::Dtype::boolean;
    default:
      throw Error("tensor " + name + " has a type that safetensors files do not hold");
  }
}

at::ScalarType type_of(io::Dtype dtype) {
  switch (dtype) {
    case io::Dtype::f64:
      return at::kDouble;
    case io::Dtype::f32:
      return at::kFloat;
    case io::Dtype::f16:
      return at::kHalf;
    case io::Dtype::bf16:
      return at::kBFloat16;
    case io::Dtype::i64:
      return at::kLong;
    case io::Dtype::i32:
      return at::kInt;
    case io::Dtype::i16:
      return at::kShort;
    case io::Dtype::i8:
      return at::kChar;
    case io::Dtype::u8:
      return at::kByte;
    case io::Dtype::boolean:
      return at::kBool;
  }
  throw Error("unknown safetensors type");
}

}  // namespace

void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> kept;  // contiguous CPU copies live until the file is written
  std::vector<io::TensorBytes> entries;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().cpu().contiguous());
    const at::Tensor& t = kept.back();
    entries.push_back({name,
                       dtype_of(t, name),
                       t.sizes().vec(),
                       {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}});
  }
  io::write_safetensors(path, entries, metadata);
}

NamedTensors read_tensors(const io::Safetensors& file) {
  NamedTensors out;
  for (const auto& entry : file.entries()) {
    at::Tensor t = at::empty(entry.shape, at::TensorOptions().dtype(type_of(entry.dtype)));
    file.read(entry, {static_cast<std::byte*>(t.mutable_data_ptr()), t.nbytes()});
    out.emplace_back(entry.name, std::move(t));
  }
  return out;
}

}  // namespace attn::train
