#include "server/codec/prediction_codec.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/codec/log_probability.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

constexpr PayloadField kTensorPayloads[] = {{v1::Tensor::kDataFieldNumber, {}}};
constexpr PayloadField kPredictPayloads[] = {
    {v1::PredictRequest::kInputsFieldNumber, kTensorPayloads},
    {v1::PredictRequest::kMatrixFieldNumber, {}}};

absl::StatusOr<DType> DecodeDType(const v1::Tensor& tensor, const Signature& signature) {
  switch (tensor.dtype()) {
    case v1::DATA_TYPE_FLOAT32:
      return DType::kFloat32;
    case v1::DATA_TYPE_FLOAT64:
      return DType::kFloat64;
    case v1::DATA_TYPE_INT32:
      return DType::kInt32;
    case v1::DATA_TYPE_INT64:
      return DType::kInt64;
    case v1::DATA_TYPE_BOOL:
      return DType::kBool;
    case v1::DATA_TYPE_UNSPECIFIED: {
      const InputSignature* input = FindInput(signature, tensor.name());
      if (input != nullptr) return input->dtype;
      return absl::InvalidArgumentError(absl::StrCat(
          "the model has no input ", Quote(tensor.name()), "; its inputs are: ",
          absl::StrJoin(signature.inputs, ", ",
                        [](std::string* out, const InputSignature& i) { out->append(i.name); })));
    }
    default:
      return absl::InvalidArgumentError(absl::StrCat("input ", Quote(tensor.name()), ": dtype ",
                                                     static_cast<int>(tensor.dtype()),
                                                     " is no DataType"));
  }
}

/// Elements sent as int64 for an INT32 input.
absl::StatusOr<Tensor> Narrow(const v1::Tensor& tensor, const Shape& shape) {
  Tensor narrow(DType::kInt32, shape);
  const absl::Span<int32_t> to = narrow.mutable_values<int32_t>();
  for (int i = 0; i < tensor.int64_values_size(); ++i) {
    const int64_t value = tensor.int64_values(i);
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(absl::StrCat("input ", Quote(tensor.name()),
                                                     ": int64_values[", i, "] is ", value,
                                                     ", out of INT32's range"));
    }
    to[static_cast<size_t>(i)] = static_cast<int32_t>(value);
  }
  return narrow;
}

absl::StatusOr<TensorView> DecodeTensor(const v1::Tensor& tensor, const Signature& signature,
                                        const Payloads* payloads, DecodedInputs* inputs) {
  const std::string& name = tensor.name();
  const int given = (tensor.data().empty() ? 0 : 1) + (tensor.float_values().empty() ? 0 : 1) +
                    (tensor.int64_values().empty() ? 0 : 1);
  if (given > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quote(name),
                     " gives its contents twice: fill one of data, float_values, int64_values"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const DType dtype, DecodeDType(tensor, signature));
  SIGSERVE_ASSIGN_OR_RETURN(const Shape shape, DecodeShape(name, tensor.shape(), dtype));
  if (given == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", Quote(name), " has no contents: fill one of data, float_values, int64_values"));
  }
  if (!tensor.data().empty()) {
    return ViewOfBytes(name, dtype, Name(dtype), shape, BytesOf(tensor.data(), payloads));
  }
  if (!tensor.float_values().empty()) {
    if (dtype != DType::kFloat32) {
      return absl::InvalidArgumentError(absl::StrCat("input ", Quote(name), " is ", Name(dtype),
                                                     ", but float_values are FLOAT32"));
    }
    return ViewOfElements(name, dtype, shape, "float_values", tensor.float_values().data(),
                          tensor.float_values_size());
  }
  if (dtype != DType::kInt64 && dtype != DType::kInt32) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quote(name), " is ", Name(dtype),
                                                   ", but int64_values are INT64 or INT32"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      TensorView view, ViewOfElements(name, DType::kInt64, shape, "int64_values",
                                      tensor.int64_values().data(), tensor.int64_values_size()));
  if (dtype == DType::kInt64) return view;
  inputs->converted.reserve(signature.inputs.size());  // views into it must not move
  SIGSERVE_ASSIGN_OR_RETURN(Tensor narrow, Narrow(tensor, shape));
  inputs->converted.push_back(std::move(narrow));
  return inputs->converted.back().view();
}

absl::StatusOr<TensorView> DecodeMatrix(absl::string_view matrix, const Signature& signature) {
  if (signature.inputs.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("matrix is for a model with one input, this has ", signature.inputs.size(),
                     ": give `inputs` by name"));
  }
  const InputSignature& input = signature.inputs[0];
  const bool is_matrix = !input.any_rank && input.shape.rank() == 2 && input.shape[1] > 0;
  if (input.dtype != DType::kFloat32 || !is_matrix) {
    return absl::InvalidArgumentError(
        absl::StrCat("matrix is for a FLOAT32 input of shape [rows,columns], but input '",
                     input.name, "' is ", Name(input.dtype), " ",
                     input.any_rank ? "of any shape" : input.shape.ToString(), ": give `inputs`"));
  }
  const int64_t columns = input.shape[1];
  const int64_t row_bytes = columns * static_cast<int64_t>(sizeof(float));
  const int64_t bytes = static_cast<int64_t>(matrix.size());
  if (bytes % row_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("matrix has ", bytes, " bytes, expected a multiple of ", row_bytes,
                     " (rows of ", columns, " FLOAT32 columns for input '", input.name, "')"));
  }
  return TensorView(DType::kFloat32, Shape{bytes / row_bytes, columns}, matrix.data());
}

/// Name of the first requested extra that this output cannot provide; null if none.
const char* Lacking(const v1::PredictRequest& request, const OutputSignature& output) {
  if (!output.has_logits && request.return_logits()) return "logits";
  if (!output.has_logits && request.return_log_probabilities()) return "log-probabilities";
  if (output.link == Link::kNone && request.return_decisions()) return "decisions";
  return nullptr;
}

absl::string_view Describe(const OutputSignature& output) {
  switch (output.link) {
    case Link::kNone:
      return output.dtype == DType::kFloat32 || output.dtype == DType::kFloat64
                 ? "raw values: its graph ends in no sigmoid or softmax"
                 : "integers";
    case Link::kSigmoid:
      return "probabilities of a sigmoid";
    case Link::kSoftmax:
      return "probabilities of a softmax";
    case Link::kOther:
      return "probabilities that come from no logits of their own";
  }
  return "unknown";
}

absl::Status NotClassifier(const char* asked, const OutputSignature& output) {
  return absl::FailedPreconditionError(absl::StrCat("MODEL_NOT_CLASSIFIER: ", asked,
                                                    " asked of output '", output.name,
                                                    "', which holds ", Describe(output)));
}

template <typename T>
void AppendInts(const TensorView& view, v1::PredictOutput* out) {
  for (const T value : view.values<T>()) out->add_int64_values(static_cast<int64_t>(value));
}

void EncodeValues(const TensorView& view, v1::PredictOutput* out) {
  switch (view.dtype()) {
    case DType::kFloat32: {
      const auto values = view.values<float>();
      out->mutable_probabilities()->Add(values.begin(), values.end());
      return;
    }
    case DType::kFloat64:
      for (const double value : view.values<double>()) {
        out->add_probabilities(static_cast<float>(value));
      }
      return;
    case DType::kInt32:
      return AppendInts<int32_t>(view, out);
    case DType::kInt64:
      return AppendInts<int64_t>(view, out);
    case DType::kBool:
      return AppendInts<uint8_t>(view, out);
  }
}

void EncodeLogits(const OutputPlan& plan, const OutputSignature& signature, const TensorView& view,
                  v1::PredictOutput* out) {
  if (!view.present() || view.dtype() != DType::kFloat32) return;
  const auto logits = view.values<float>();
  if (plan.logits) out->mutable_logits()->Add(logits.begin(), logits.end());
  if (!plan.log_probabilities) return;
  auto* logs = out->mutable_log_probabilities();
  logs->Resize(static_cast<int>(logits.size()), 0.0F);
  const absl::Span<float> to(logs->mutable_data(), logits.size());
  if (signature.link == Link::kSoftmax) {
    const int rank = view.shape().rank();
    LogSoftmax(logits, rank == 0 ? 1 : static_cast<size_t>(view.shape()[rank - 1]), to);
  } else {
    LogSigmoid(logits, to);
  }
}

void EncodeDecisions(absl::Span<const float> thresholds, v1::PredictOutput* out) {
  const int count = out->probabilities_size();
  auto* decisions = out->mutable_decisions();
  decisions->Reserve(count);
  for (int i = 0; i < count; ++i) {
    const float threshold = thresholds[static_cast<size_t>(i) % thresholds.size()];
    decisions->Add(out->probabilities(i) >= threshold);
  }
}

}  // namespace

absl::Span<const PayloadField> PredictPayloads() { return kPredictPayloads; }

absl::StatusOr<ModelQuery> DecodeModelSpec(const v1::ModelSpec& spec) {
  if (spec.name().empty()) {
    return absl::InvalidArgumentError("model.name is empty: name the model to ask");
  }
  ModelQuery query;
  query.model = spec.name();
  query.label = spec.label();
  if (spec.choice_case() == v1::ModelSpec::kVersion) {
    if (spec.version() < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.version is ", spec.version(), ", expected 1 or above"));
    }
    query.version = spec.version();
  }
  return query;
}

absl::Status DecodePredictInputs(const v1::PredictRequest& request, const Signature& signature,
                                 DecodedInputs* inputs, const Payloads* payloads) {
  if (!request.matrix().empty()) {
    if (!request.inputs().empty()) {
      return absl::InvalidArgumentError("the request has both `inputs` and `matrix`: give one");
    }
    SIGSERVE_ASSIGN_OR_RETURN(TensorView view,
                              DecodeMatrix(BytesOf(request.matrix(), payloads), signature));
    inputs->tensors.push_back({"", std::move(view)});
    return absl::OkStatus();
  }
  if (request.inputs().empty()) {
    return absl::InvalidArgumentError(
        "the request has no rows: `inputs` and `matrix` are both empty");
  }
  const size_t count = static_cast<size_t>(request.inputs_size());
  if (count > signature.inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", count, " inputs, expected ", signature.inputs.size()));
  }
  inputs->tensors.reserve(count);
  for (const v1::Tensor& tensor : request.inputs()) {
    SIGSERVE_ASSIGN_OR_RETURN(TensorView view, DecodeTensor(tensor, signature, payloads, inputs));
    inputs->tensors.push_back({tensor.name(), std::move(view)});
  }
  return absl::OkStatus();
}

absl::StatusOr<OutputPlans> PlanOutputs(const v1::PredictRequest& request,
                                        const Signature& signature) {
  const absl::InlinedVector<absl::string_view, 4> names(request.outputs().begin(),
                                                        request.outputs().end());
  SIGSERVE_ASSIGN_OR_RETURN(const OutputIndices selected, SelectOutputs(signature, names));
  OutputPlans plan;
  absl::Status first_lack;
  bool one_has_all = false;
  for (const int i : selected) {
    const OutputSignature& output = signature.outputs[static_cast<size_t>(i)];
    const char* lacking = Lacking(request, output);
    if (lacking == nullptr) {
      one_has_all = true;
    } else if (first_lack.ok()) {
      first_lack = NotClassifier(lacking, output);
    }
    plan.push_back({i, request.return_logits() && output.has_logits,
                    request.return_log_probabilities() && output.has_logits,
                    request.return_decisions() && output.link != Link::kNone});
  }
  if (!first_lack.ok() && (!names.empty() || !one_has_all)) return first_lack;
  return plan;
}

void EncodePredictResponse(const v1::PredictRequest& request, const Servable& servable,
                           absl::Span<const OutputPlan> plan, const TaskOutputs& outputs,
                           const TaskTiming& timing, v1::PredictResponse* response) {
  response->set_model_name(servable.name());
  response->set_model_version(servable.version());
  for (const OutputPlan& wanted : plan) {
    const OutputSignature& signature =
        servable.signature().outputs[static_cast<size_t>(wanted.index)];
    const TensorView view = outputs.output(wanted.index);
    v1::PredictOutput* out = response->add_outputs();
    out->set_name(signature.name);
    out->set_is_probability(signature.link != Link::kNone);
    out->mutable_shape()->Add(view.shape().dims().begin(), view.shape().dims().end());
    EncodeValues(view, out);
    if (wanted.logits || wanted.log_probabilities) {
      EncodeLogits(wanted, signature, outputs.logits(wanted.index), out);
    }
    if (wanted.decisions) EncodeDecisions(servable.thresholds(wanted.index), out);
    if (!request.return_labels()) continue;
    for (const std::string& label : servable.labels(wanted.index)) out->add_labels(label);
  }
  if (request.return_timing()) {
    v1::Timing* to = response->mutable_timing();
    to->set_queued_us(absl::ToDoubleMicroseconds(timing.queued));
    to->set_computed_us(absl::ToDoubleMicroseconds(timing.computed));
    to->set_batch_rows(timing.batch_rows);
  }
}

}  // namespace sigserve
