#include "client/bench/workload.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/status_macros.h"
#include "inference/grpc_service.pb.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve::bench {
namespace {

using client::DataType;
using client::TensorSpec;

constexpr size_t kMessages = 256;
constexpr size_t kMessageBytes = size_t{64} << 20;  // of all of them
constexpr char kInferIdMark[] = "########";
constexpr size_t kInferIdBytes = sizeof(kInferIdMark) - 1;
// Varints from here to 2^35 have five bytes, so that ids can be written in place.
constexpr uint64_t kFirstId = uint64_t{1} << 28;
constexpr size_t kIdBytes = 5;
constexpr int kUnknown = 2;

const char* OipName(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat64:
      return "FP64";
    case DataType::kInt32:
      return "INT32";
    case DataType::kInt64:
      return "INT64";
    case DataType::kBool:
      return "BOOL";
    default:
      return "FP32";
  }
}

template <typename T, typename Next>
std::string Fill(int64_t count, const Next& next) {
  std::string bytes(static_cast<size_t>(count) * sizeof(T), '\0');
  for (int64_t i = 0; i < count; ++i) {
    const T value = static_cast<T>(next());
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

/// Standard normal features; ids and flags are 0 or 1, which every vocabulary has.
std::string RandomElements(DataType dtype, int64_t count, std::mt19937_64* random) {
  std::normal_distribution<float> normal;
  const auto real = [&] { return normal(*random); };
  const auto bit = [&] { return (*random)() & 1; };
  switch (dtype) {
    case DataType::kFloat64:
      return Fill<double>(count, real);
    case DataType::kInt32:
      return Fill<int32_t>(count, bit);
    case DataType::kInt64:
      return Fill<int64_t>(count, bit);
    case DataType::kBool:
      return Fill<uint8_t>(count, bit);
    default:
      return Fill<float>(count, real);
  }
}

absl::StatusOr<client::Tensor> RandomTensor(const client::ModelInfo& model, const TensorSpec& spec,
                                            int64_t rows, std::mt19937_64* random) {
  if (spec.any_rank) {
    return absl::InvalidArgumentError(
        absl::StrCat(model.name, ": input '", spec.name, "' has no rank, so no rows can be made"));
  }
  client::Tensor tensor{.name = spec.name, .dtype = spec.dtype, .shape = spec.shape};
  int64_t count = 1;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    int64_t& size = tensor.shape[d];
    if (size < 0) size = d == 0 ? rows : 1;
    if (d == 0 && size != rows) {
      return absl::InvalidArgumentError(absl::StrCat(model.name, ": input '", spec.name, "' takes ",
                                                     size, " rows at a time, not ", rows));
    }
    count *= size;
    if (count > static_cast<int64_t>(kMessageBytes)) {
      return absl::InvalidArgumentError(absl::StrCat(model.name, ": a request above 64 MiB"));
    }
  }
  tensor.data = RandomElements(spec.dtype, count, random);
  return tensor;
}

std::string PredictMessage(const client::ModelInfo& model, std::vector<client::Tensor> tensors) {
  v1::PredictRequest request;
  request.mutable_model()->set_name(model.name);
  for (client::Tensor& tensor : tensors) {
    v1::Tensor* input = request.add_inputs();
    input->set_name(tensor.name);
    input->set_dtype(static_cast<v1::DataType>(tensor.dtype));
    for (const int64_t size : tensor.shape) input->add_shape(size);
    input->set_data(std::move(tensor.data));
  }
  return request.SerializeAsString();
}

std::string InferMessage(const client::ModelInfo& model, std::vector<client::Tensor> tensors) {
  inference::ModelInferRequest request;
  request.set_model_name(model.name);
  request.set_id(kInferIdMark);
  for (client::Tensor& tensor : tensors) {
    auto* input = request.add_inputs();
    input->set_name(tensor.name);
    input->set_datatype(OipName(tensor.dtype));
    for (const int64_t size : tensor.shape) input->add_shape(size);
    request.add_raw_input_contents(std::move(tensor.data));
  }
  return request.SerializeAsString();
}

/// The request behind an id that SetId can write.
std::string WithPredictId(const std::string& request) {
  v1::PredictStreamRequest message;
  message.set_id(kFirstId);
  std::string bytes = message.SerializeAsString();
  // Field 2, length-delimited, appended by hand: the id must come first, at byte 1.
  bytes.push_back('\x12');
  for (size_t left = request.size();;) {
    const bool more = left >= 0x80;
    bytes.push_back(static_cast<char>((left & 0x7f) | (more ? 0x80 : 0)));
    if (!more) break;
    left >>= 7;
  }
  return bytes + request;
}

std::string InferPath(bool stream) {
  return absl::StrCat("/inference.GRPCInferenceService/",
                      stream ? "ModelStreamInfer" : "ModelInfer");
}
std::string PredictPath(bool stream) {
  return absl::StrCat("/sigserve.v1.PredictionService/", stream ? "PredictStream" : "Predict");
}

}  // namespace

absl::StatusOr<Workload> MakeWorkload(const std::vector<WeightedModel>& models,
                                      const WorkloadOptions& options) {
  const bool oip = options.api == Api::kOpenInference;
  Workload workload;
  workload.rows = options.rows;
  workload.path = oip ? InferPath(options.stream) : PredictPath(options.stream);
  if (options.stream) workload.matching = oip ? Matching::kInferId : Matching::kPredictId;
  std::mt19937_64 random(options.seed);
  std::vector<double> weights;
  weights.reserve(models.size());
  for (const WeightedModel& model : models) weights.push_back(model.weight);
  std::discrete_distribution<size_t> pick(weights.begin(), weights.end());
  size_t bytes = 0;
  for (size_t i = 0; i < kMessages && (bytes < kMessageBytes || i < models.size()); ++i) {
    // Every model at least once, the others by weight.
    const client::ModelInfo& model = models[i < models.size() ? i : pick(random)].info;
    std::vector<client::Tensor> tensors;
    for (const TensorSpec& spec : model.inputs) {
      CLIENT_ASSIGN_OR_RETURN(client::Tensor tensor,
                              RandomTensor(model, spec, options.rows, &random));
      tensors.push_back(std::move(tensor));
    }
    std::string message =
        oip ? InferMessage(model, std::move(tensors)) : PredictMessage(model, std::move(tensors));
    size_t id_at = 0;
    if (workload.matching == Matching::kPredictId) {
      message = WithPredictId(message);
      id_at = 1;
    } else if (workload.matching == Matching::kInferId) {
      id_at = message.find(kInferIdMark);
    }
    bytes += message.size();
    workload.id_at.push_back(id_at);
    workload.messages.push_back(std::move(message));
  }
  std::shuffle(workload.messages.begin(), workload.messages.end(), std::mt19937_64(options.seed));
  std::shuffle(workload.id_at.begin(), workload.id_at.end(), std::mt19937_64(options.seed));
  return workload;
}

void SetId(Matching matching, size_t at, uint32_t slot, std::string* message) {
  if (matching == Matching::kPredictId) {
    uint64_t id = kFirstId + slot;
    for (size_t i = 0; i < kIdBytes; ++i, id >>= 7) {
      (*message)[at + i] = static_cast<char>((id & 0x7f) | (i + 1 < kIdBytes ? 0x80 : 0));
    }
  } else if (matching == Matching::kInferId) {
    for (size_t i = kInferIdBytes; i > 0; --i, slot /= 10) {
      (*message)[at + i - 1] = static_cast<char>('0' + slot % 10);
    }
  }
}

namespace {

/// Walks over the fields of a Protobuf message. Never reads past its end.
class Fields {
 public:
  explicit Fields(absl::string_view bytes) : left_(bytes) {}

  /// False at the end, or where the bytes are no Protobuf.
  bool Next() {
    uint64_t tag = 0;
    if (left_.empty() || !Varint(&tag)) return false;
    number_ = tag >> 3;
    size_t size = 0;
    switch (tag & 7) {
      case 0:
        return Varint(&value_);
      case 1:
        size = 8;
        break;
      case 5:
        size = 4;
        break;
      case 2:
        if (!Varint(&value_) || value_ > left_.size()) return false;
        size = value_;
        break;
      default:
        return false;
    }
    if (size > left_.size()) return false;
    bytes_ = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }
  uint64_t number() const { return number_; }
  uint64_t value() const { return value_; }
  absl::string_view bytes() const { return bytes_; }

 private:
  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(left_[0]);
      left_.remove_prefix(1);
      *value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  absl::string_view left_;
  uint64_t number_ = 0;
  uint64_t value_ = 0;
  absl::string_view bytes_;
};

}  // namespace

absl::StatusOr<StreamAnswer> ReadStreamAnswer(Matching matching, absl::string_view message) {
  StreamAnswer answer;
  bool has_id = false;
  for (Fields fields(message); fields.Next();) {
    if (matching == Matching::kPredictId && fields.number() == 1) {
      has_id = fields.value() >= kFirstId;
      answer.slot = static_cast<uint32_t>(fields.value() - kFirstId);
    } else if (matching == Matching::kPredictId && fields.number() == 3) {
      answer.code = kUnknown;
      for (Fields error(fields.bytes()); error.Next();) {
        if (error.number() == 1) answer.code = static_cast<int>(error.value() & 0x1f);
      }
    } else if (matching == Matching::kInferId && fields.number() == 1) {
      if (!fields.bytes().empty()) answer.code = kUnknown;
    } else if (matching == Matching::kInferId && fields.number() == 2) {
      for (Fields response(fields.bytes()); response.Next();) {
        if (response.number() == 3) has_id = absl::SimpleAtoi(response.bytes(), &answer.slot);
      }
    }
  }
  if (!has_id) return absl::InternalError("an answer without the id of its request");
  return answer;
}

}  // namespace sigserve::bench
