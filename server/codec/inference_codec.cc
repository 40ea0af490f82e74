#include "server/codec/inference_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/codec/model_codec.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using InputTensor = ModelInferRequest::InferInputTensor;
using OutputTensor = ModelInferResponse::InferOutputTensor;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

constexpr PayloadField kInferPayloads[] = {{ModelInferRequest::kRawInputContentsFieldNumber, {}}};

absl::StatusOr<DType> DecodeDatatype(const InputTensor& tensor, const Signature& signature) {
  for (const DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64, DType::kBool}) {
    if (tensor.datatype() == OipDatatype(dtype)) return dtype;
  }
  const InputSignature* input = FindInput(signature, tensor.name());
  return absl::InvalidArgumentError(absl::StrCat(
      "input ", Quote(tensor.name()), " has datatype ", Quote(tensor.datatype()), ", expected ",
      input == nullptr ? "FP32, FP64, INT32, INT64 or BOOL" : OipDatatype(input->dtype)));
}

/// One field of the typed contents.
struct Field {
  const char* name;
  int64_t size;
  const void* data;
  int dtype;  // the DType it holds, or -1 for one that no model here takes
};

absl::StatusOr<TensorView> ViewOfContents(const InputTensor& tensor, DType dtype,
                                          const Shape& shape) {
  const InferTensorContents& c = tensor.contents();
  const auto field = [](const char* name, const auto& values, int holds) {
    return Field{name, static_cast<int64_t>(values.size()), values.data(), holds};
  };
  const std::array<Field, 8> fields = {
      field("bool_contents", c.bool_contents(), static_cast<int>(DType::kBool)),
      field("int_contents", c.int_contents(), static_cast<int>(DType::kInt32)),
      field("int64_contents", c.int64_contents(), static_cast<int>(DType::kInt64)),
      field("uint_contents", c.uint_contents(), -1),
      field("uint64_contents", c.uint64_contents(), -1),
      field("fp32_contents", c.fp32_contents(), static_cast<int>(DType::kFloat32)),
      field("fp64_contents", c.fp64_contents(), static_cast<int>(DType::kFloat64)),
      Field{"bytes_contents", c.bytes_contents_size(), nullptr, -1}};
  const Field* match = nullptr;
  for (const Field& f : fields) {
    if (f.dtype == static_cast<int>(dtype)) match = &f;
  }
  for (const Field& f : fields) {
    if (f.size > 0 && &f != match) {
      return absl::InvalidArgumentError(absl::StrCat("input ", Quote(tensor.name()), " is ",
                                                     OipDatatype(dtype), " but fills ", f.name,
                                                     ", expected ", match->name));
    }
  }
  return ViewOfElements(tensor.name(), dtype, shape, match->name, match->data, match->size);
}

absl::Status RefuseParameter(absl::string_view what, absl::string_view name,
                             const Parameters& parameters) {
  if (parameters.contains("shared_memory_region")) {
    return absl::UnimplementedError(absl::StrCat(
        what, " ", Quote(name), " is in shared memory, which is not served: send its contents"));
  }
  const auto classification = parameters.find("classification");
  if (classification != parameters.end() && classification->second.int64_param() != 0) {
    return absl::UnimplementedError(
        absl::StrCat(what, " ", Quote(name), ": the classification extension is not served"));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> BoolParameter(const ModelInferRequest& request, const char* name,
                                   bool otherwise) {
  const auto found = request.parameters().find(name);
  if (found == request.parameters().end()) return otherwise;
  if (found->second.parameter_choice_case() != InferParameter::kBoolParam) {
    return absl::InvalidArgumentError(absl::StrCat("parameter '", name, "' is not a bool_param"));
  }
  return found->second.bool_param();
}

/// A number that is not negative, in int64_param or uint64_param; 0 is Triton's word for not given.
absl::StatusOr<int64_t> CountParameter(const ModelInferRequest& request, const char* name,
                                       const char* what) {
  const auto found = request.parameters().find(name);
  if (found == request.parameters().end()) return 0;
  const InferParameter& value = found->second;
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (value.parameter_choice_case() == InferParameter::kInt64Param && value.int64_param() >= 0) {
    return value.int64_param();
  }
  if (value.parameter_choice_case() == InferParameter::kUint64Param &&
      value.uint64_param() <= kMax) {
    return static_cast<int64_t>(value.uint64_param());
  }
  return absl::InvalidArgumentError(
      absl::StrCat("parameter '", name, "' is not ", what, " in int64_param or uint64_param"));
}

template <typename T, typename Repeated>
void AddAll(const TensorView& view, Repeated* to) {
  const absl::Span<const T> values = view.values<T>();
  to->Add(values.begin(), values.end());
}

void EncodeTyped(const TensorView& view, InferTensorContents* contents) {
  switch (view.dtype()) {
    case DType::kFloat32:
      return AddAll<float>(view, contents->mutable_fp32_contents());
    case DType::kFloat64:
      return AddAll<double>(view, contents->mutable_fp64_contents());
    case DType::kInt32:
      return AddAll<int32_t>(view, contents->mutable_int_contents());
    case DType::kInt64:
      return AddAll<int64_t>(view, contents->mutable_int64_contents());
    case DType::kBool:
      return AddAll<uint8_t>(view, contents->mutable_bool_contents());
  }
}

}  // namespace

absl::Span<const PayloadField> InferPayloads() { return kInferPayloads; }

absl::Status DecodeInferInputs(const ModelInferRequest& request, const Signature& signature,
                               DecodedInputs* inputs, const Payloads* payloads) {
  const int count = request.inputs_size();
  if (count == 0) return absl::InvalidArgumentError("the request has no inputs");
  if (static_cast<size_t>(count) > signature.inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", signature.inputs.size(),
                                                   " inputs but got ", count, " inputs for model ",
                                                   Quote(request.model_name())));
  }
  const int raws = request.raw_input_contents_size();
  inputs->tensors.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const InputTensor& tensor = request.inputs(i);
    SIGSERVE_RETURN_IF_ERROR(RefuseParameter("input", tensor.name(), tensor.parameters()));
    if (raws > 0 && tensor.has_contents()) {
      return absl::InvalidArgumentError(
          absl::StrCat("contents field must not be specified when using raw_input_contents: input ",
                       Quote(tensor.name()), " has both"));
    }
    if (raws > 0 && raws != count) {
      return absl::InvalidArgumentError(absl::StrCat(
          "got ", raws, " raw_input_contents, expected one for each of the ", count, " inputs"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(const DType dtype, DecodeDatatype(tensor, signature));
    SIGSERVE_ASSIGN_OR_RETURN(
        const Shape shape,
        DecodeShape(tensor.name(),
                    {tensor.shape().data(), static_cast<size_t>(tensor.shape_size())}, dtype));
    absl::StatusOr<TensorView> view =
        raws > 0 ? ViewOfBytes(tensor.name(), dtype, OipDatatype(dtype), shape,
                               BytesOf(request.raw_input_contents(i), payloads))
                 : ViewOfContents(tensor, dtype, shape);
    if (!view.ok()) return view.status();
    inputs->tensors.push_back({tensor.name(), *std::move(view)});
  }
  return absl::OkStatus();
}

absl::StatusOr<InferParameters> DecodeInferParameters(const ModelInferRequest& request) {
  InferParameters parameters;
  if (request.parameters().empty()) return parameters;
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t timeout,
                            CountParameter(request, "timeout", "a count of microseconds"));
  if (timeout > 0) parameters.timeout = absl::Microseconds(timeout);
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t priority,
                            CountParameter(request, "priority", "a priority"));
  constexpr int64_t kLast = std::numeric_limits<int>::max();
  parameters.priority = static_cast<int>(std::min(priority, kLast));
  SIGSERVE_ASSIGN_OR_RETURN(const bool binary, BoolParameter(request, "binary_data_output", true));
  parameters.typed_output = !binary;
  SIGSERVE_ASSIGN_OR_RETURN(parameters.timing, BoolParameter(request, "sigserve_timing", false));
  return parameters;
}

absl::StatusOr<OutputIndices> DecodeInferOutputs(const ModelInferRequest& request,
                                                 const Signature& signature) {
  absl::InlinedVector<absl::string_view, 4> names;
  for (const auto& output : request.outputs()) {
    SIGSERVE_RETURN_IF_ERROR(RefuseParameter("output", output.name(), output.parameters()));
    names.push_back(output.name());
  }
  return SelectOutputs(signature, names);
}

void EncodeInferResponse(const ModelInferRequest& request, const InferParameters& parameters,
                         const Servable& servable, absl::Span<const int> selected,
                         const TaskOutputs& outputs, const TaskTiming& timing,
                         ModelInferResponse* response) {
  response->set_model_name(servable.name());
  response->set_model_version(absl::StrCat(servable.version()));
  response->set_id(request.id());
  for (const int i : selected) {
    const TensorView view = outputs.output(i);
    OutputTensor* out = response->add_outputs();
    out->set_name(servable.signature().outputs[static_cast<size_t>(i)].name);
    out->set_datatype(std::string(OipDatatype(view.dtype())));
    out->mutable_shape()->Add(view.shape().dims().begin(), view.shape().dims().end());
    if (parameters.typed_output) {
      EncodeTyped(view, out->mutable_contents());
    } else {
      response->add_raw_output_contents(
          view.data(), static_cast<size_t>(view.elements()) * SizeOf(view.dtype()));
    }
  }
  // Each request has one answer. Clients that ask for this flag count answers by it.
  const auto asks_for_final = request.parameters().find("triton_enable_empty_final_response");
  if (asks_for_final != request.parameters().end() && asks_for_final->second.bool_param()) {
    (*response->mutable_parameters())["triton_final_response"].set_bool_param(true);
  }
  if (parameters.timing) {
    auto& map = *response->mutable_parameters();
    map["queue_us"].set_double_param(absl::ToDoubleMicroseconds(timing.queued));
    map["compute_us"].set_double_param(absl::ToDoubleMicroseconds(timing.computed));
    map["batch_rows"].set_int64_param(timing.batch_rows);
  }
}

}  // namespace sigserve
