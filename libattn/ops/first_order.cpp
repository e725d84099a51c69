#include "libattn/ops/first_order.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <string>

#include "attn/error.h"

namespace attn::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

struct FirstOrder : public Function<FirstOrder> {
  // `inputs` are what the graph sees; `gradients`, a plain vector, is passed through.
  static tensor_list forward(AutogradContext* ctx, at::TensorList /*inputs*/,
                             const tensor_list& gradients, const std::string& op) {
    ctx->saved_data["op"] = op;
    return gradients;
  }
  static tensor_list backward(AutogradContext* ctx, const tensor_list&) {
    throw Error(ctx->saved_data["op"].toStringRef() +
                ": its gradient was differentiated again (double backward), which it does not "
                "support; write it out with matmul and softmax where second derivatives are "
                "needed");
  }
};

tensor_list defined_of(const tensor_list& tensors) {
  tensor_list defined;
  for (const at::Tensor& tensor : tensors) {
    if (tensor.defined()) defined.push_back(tensor);
  }
  return defined;
}

}  // namespace

void refuse_forward_mode(const char* op, at::TensorList inputs) {
  for (const at::Tensor& t : inputs) {
    if (t.defined() && t._fw_grad(/*level=*/0).defined())
      throw Error(std::string(op) +
                  ": an input is a dual tensor (forward-mode derivative), which it does not "
                  "support; use reverse mode, or write it out with matmul and softmax");
  }
}

tensor_list first_order(const char* op, const tensor_list& inputs,
                        const std::function<tensor_list()>& compute) {
  tensor_list gradients;
  {
    const c10::AutoGradMode off(false);
    gradients = compute();
  }
  if (!c10::GradMode::is_enabled()) return gradients;
  const tensor_list seen = defined_of(inputs);
  const tensor_list linked =
      FirstOrder::apply(at::TensorList(seen), defined_of(gradients), std::string(op));
  for (size_t i = 0, next = 0; i < gradients.size(); ++i) {
    if (gradients[i].defined()) gradients[i] = linked[next++];
  }
  return gradients;
}

}  // namespace attn::ops
