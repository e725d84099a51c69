#include "libattn/ops/layout.h"

#include <ATen/ATen.h>

namespace attn::ops {

at::Tensor empty_as(const at::Tensor& like, const c10::SymInt& columns) {
  if (like.dim() == 3)
    return at::empty_symint({like.sym_size(0), like.sym_size(1), columns}, like.options());
  const c10::SymInt b = like.sym_size(0), h = like.sym_size(1), n = like.sym_size(2);
  if (!like.is_contiguous() && like.transpose(1, 2).is_contiguous())
    return at::empty_symint({b, n, h, columns}, like.options()).transpose(1, 2);
  return at::empty_symint({b, h, n, columns}, like.options());
}

at::Tensor contiguous_rows(const at::Tensor& t) {
  return !t.defined() || t.size(-1) <= 1 || t.stride(-1) == 1 ? t : t.contiguous();
}

at::Tensor empty_rows(const at::Tensor& like, const c10::SymInt& heads) {
  if (like.dim() == 3) return at::empty_symint({heads, like.sym_size(0)}, like.options());
  return at::empty_symint({like.sym_size(0), heads, like.sym_size(2)}, like.options());
}

at::Tensor or_empty(const at::Tensor& tensor, const at::Tensor& like) {
  return tensor.defined() ? tensor : at::empty({0}, like.options());
}

at::Tensor if_asked(bool asked, const at::Tensor& tensor) {
  return asked ? tensor : at::Tensor();
}

}  // namespace attn::ops
