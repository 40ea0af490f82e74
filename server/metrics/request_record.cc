#include "server/metrics/request_record.h"

namespace sigserve {

absl::string_view Name(PredictMethod method) {
  switch (method) {
    case PredictMethod::kModelInfer:
      return "ModelInfer";
    case PredictMethod::kModelStreamInfer:
      return "ModelStreamInfer";
    case PredictMethod::kPredict:
      return "Predict";
    case PredictMethod::kPredictStream:
      return "PredictStream";
  }
  return "";
}

}  // namespace sigserve
