// sigserve.v1's Predict: request to checked views and a plan for the answer, outputs to response.
// Stateless; views point into the request's own bytes, which must stay until the response is
// encoded. All errors but one are INVALID_ARGUMENT and name the input or output; the other is
// FAILED_PRECONDITION, with the token MODEL_NOT_CLASSIFIER.
#pragma once

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "server/batching/task.h"
#include "server/codec/payloads.h"
#include "server/codec/wire_tensor.h"
#include "server/registry/model_registry.h"
#include "server/registry/servable.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve {

/// Where the tensors' bytes are in a PredictRequest.
absl::Span<const PayloadField> PredictPayloads();
/// A PredictStreamRequest around its PredictRequest.
inline constexpr Envelope kPredictStreamEnvelope = {v1::PredictStreamRequest::kIdFieldNumber,
                                                    v1::PredictStreamRequest::kRequestFieldNumber};

/// Views of the spec's name and label. INVALID_ARGUMENT for an empty name and a version below 1.
absl::StatusOr<ModelQuery> DecodeModelSpec(const v1::ModelSpec& spec);

/// Named tensors or the matrix; see prediction.proto. Float data, int64 values of an INT64 input
/// and `matrix` are not copied. `payloads`: what was cut out of the request; null = nothing.
absl::Status DecodePredictInputs(const v1::PredictRequest& request, const Signature& signature,
                                 DecodedInputs* inputs, const Payloads* payloads = nullptr);

/// One output to answer with, and the extras to send with its values.
struct OutputPlan {
  int index = 0;  // in the signature
  bool logits = false;
  bool log_probabilities = false;
  bool decisions = false;
};
using OutputPlans = absl::InlinedVector<OutputPlan, 4>;

/// The requested outputs. MODEL_NOT_CLASSIFIER if the request wants logits, log-probabilities or
/// decisions and an output that it names has none; without names, only if no output has any (a
/// class id next to the probabilities is then sent without extras).
absl::StatusOr<OutputPlans> PlanOutputs(const v1::PredictRequest& request,
                                        const Signature& signature);

void EncodePredictResponse(const v1::PredictRequest& request, const Servable& servable,
                           absl::Span<const OutputPlan> plan, const TaskOutputs& outputs,
                           const TaskTiming& timing, v1::PredictResponse* response);

}  // namespace sigserve
