// What a load run sends: ready-made request messages with random rows for one or several models,
// and how to tell which answer belongs to which. Built once; sending copies bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/types.h"

namespace sigserve::bench {

enum class Api { kSigserve, kOpenInference };

/// How the messages of a stream are matched with their answers.
enum class Matching {
  kOneCallEach,  // unary: the call itself
  kPredictId,    // PredictStreamRequest.id
  kInferId,      // ModelInferRequest.id
  kInOrder,      // first asked, first answered: an echo that knows no ids
};

struct Workload {
  std::string path = {};
  Matching matching = Matching::kOneCallEach;
  std::vector<std::string> messages = {};  // sent in turn
  std::vector<size_t> id_at = {};          // where a message holds its id; for kPredictId, kInferId
  int64_t rows = 1;                        // of each message
};

struct WeightedModel {
  client::ModelInfo info = {};
  double weight = 1;  // > 0; its share of the messages
};

struct WorkloadOptions {
  Api api = Api::kSigserve;
  bool stream = false;
  int64_t rows = 1;
  uint64_t seed = 1;
};

/// INVALID_ARGUMENT says why a model cannot be asked: an input of unknown rank, or a fixed batch
/// that is not `rows`.
absl::StatusOr<Workload> MakeWorkload(const std::vector<WeightedModel>& models,
                                      const WorkloadOptions& options);

/// Writes `slot` (below 10^8) over the message's id.
void SetId(Matching matching, size_t at, uint32_t slot, std::string* message);

struct StreamAnswer {
  uint32_t slot = 0;
  int code = 0;  // gRPC's; an OIP error has no code and counts as UNKNOWN
};
/// Reads an answer of a stream. INTERNAL if it is none.
absl::StatusOr<StreamAnswer> ReadStreamAnswer(Matching matching, absl::string_view message);

}  // namespace sigserve::bench
