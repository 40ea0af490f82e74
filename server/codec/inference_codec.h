// The Open Inference Protocol's ModelInfer: request to checked views, outputs to response.
// Stateless; views point into the request's own bytes, which must stay. Errors are INVALID_ARGUMENT
// and name the input or output, except what we do not serve (shared memory, classification):
// UNIMPLEMENTED.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/grpc_service.pb.h"
#include "server/batching/task.h"
#include "server/codec/payloads.h"
#include "server/codec/wire_tensor.h"
#include "server/registry/servable.h"

namespace sigserve {

/// Where the tensors' bytes are in a ModelInferRequest.
absl::Span<const PayloadField> InferPayloads();

/// Raw contents, one entry per input, or typed contents in the field of the datatype. `payloads`:
/// what was cut out of the request; null = nothing.
absl::Status DecodeInferInputs(const inference::ModelInferRequest& request,
                               const Signature& signature, DecodedInputs* inputs,
                               const Payloads* payloads = nullptr);

/// The request's parameters that we act on; others are ignored, as the protocol allows.
struct InferParameters {
  /// `timeout`, in microseconds.
  absl::Duration timeout = absl::InfiniteDuration();
  /// `binary_data_output` = false: typed contents instead of raw ones.
  bool typed_output = false;
  /// `priority`: 1 is the first; 0 = not asked for.
  int priority = 0;
  /// `sigserve_timing` = true: queue_us, compute_us and batch_rows come back as parameters.
  bool timing = false;
};
absl::StatusOr<InferParameters> DecodeInferParameters(const inference::ModelInferRequest& request);

/// Indices of the outputs asked for, in that order.
absl::StatusOr<OutputIndices> DecodeInferOutputs(const inference::ModelInferRequest& request,
                                                 const Signature& signature);

void EncodeInferResponse(const inference::ModelInferRequest& request,
                         const InferParameters& parameters, const Servable& servable,
                         absl::Span<const int> selected, const TaskOutputs& outputs,
                         const TaskTiming& timing, inference::ModelInferResponse* response);

}  // namespace sigserve
