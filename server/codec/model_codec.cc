#include "server/codec/model_codec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/utf8.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

// Triton's word for an ONNX file, by which its clients know one.
constexpr char kPlatform[] = "onnxruntime_onnx";

v1::DataType EncodeDType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return v1::DATA_TYPE_FLOAT32;
    case DType::kFloat64:
      return v1::DATA_TYPE_FLOAT64;
    case DType::kInt32:
      return v1::DATA_TYPE_INT32;
    case DType::kInt64:
      return v1::DATA_TYPE_INT64;
    case DType::kBool:
      return v1::DATA_TYPE_BOOL;
  }
  return v1::DATA_TYPE_UNSPECIFIED;
}

inference::DataType ConfigType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return inference::TYPE_FP32;
    case DType::kFloat64:
      return inference::TYPE_FP64;
    case DType::kInt32:
      return inference::TYPE_INT32;
    case DType::kInt64:
      return inference::TYPE_INT64;
    case DType::kBool:
      return inference::TYPE_BOOL;
  }
  return inference::TYPE_INVALID;
}

/// What InputSignature and OutputSignature share.
template <typename From>
void EncodeSpec(const From& from, v1::TensorSpec* to) {
  to->set_name(from.name);
  to->set_dtype(EncodeDType(from.dtype));
  to->set_any_rank(from.any_rank);
  to->mutable_shape()->Add(from.shape.dims().begin(), from.shape.dims().end());
}

template <typename From>
void EncodeTensorMetadata(const From& from, inference::ModelMetadataResponse::TensorMetadata* to) {
  to->set_name(from.name);
  to->set_datatype(std::string(OipDatatype(from.dtype)));
  if (from.any_rank) {
    to->add_shape(-1);  // the protocol has no word for any rank
  } else {
    to->mutable_shape()->Add(from.shape.dims().begin(), from.shape.dims().end());
  }
}

template <typename From, typename To>
void EncodeConfigTensor(const From& from, bool batchable, To* to) {
  to->set_name(from.name);
  to->set_data_type(ConfigType(from.dtype));
  if (from.any_rank) {
    to->add_dims(-1);
    return;
  }
  for (int i = batchable ? 1 : 0; i < from.shape.rank(); ++i) to->add_dims(from.shape[i]);
}

}  // namespace

absl::string_view OipDatatype(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "FP32";
    case DType::kFloat64:
      return "FP64";
    case DType::kInt32:
      return "INT32";
    case DType::kInt64:
      return "INT64";
    case DType::kBool:
      return "BOOL";
  }
  return "";
}

void EncodeIgnored(const IgnoredEntry& entry, v1::ModelVersion* version) {
  version->set_name(EscapeInvalidUtf8(entry.name));
  version->set_reason(EscapeInvalidUtf8(entry.reason));
  version->set_state(v1::MODEL_STATE_IGNORED);
}

void EncodeVersion(const VersionStatus& status, v1::ModelVersion* version) {
  version->set_name(status.model);
  version->set_version(status.version);
  version->set_reason(status.reason);
  switch (status.state) {
    case VersionState::kLoading:
      return version->set_state(v1::MODEL_STATE_LOADING);
    case VersionState::kReady:
      return version->set_state(v1::MODEL_STATE_READY);
    case VersionState::kFailed:
      return version->set_state(v1::MODEL_STATE_FAILED);
  }
}

void EncodeModel(const Servable& servable, v1::GetModelResponse* response) {
  const Signature& signature = servable.signature();
  response->set_name(servable.name());
  response->set_version(servable.version());
  response->set_batchable(signature.batchable);
  response->set_max_batch_size(servable.max_batch_size());
  for (const InputSignature& input : signature.inputs) {
    v1::TensorSpec* spec = response->add_inputs();
    EncodeSpec(input, spec);
    for (const std::string& column : input.column_names) spec->add_column_names(column);
  }
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const OutputSignature& output = signature.outputs[i];
    v1::TensorSpec* spec = response->add_outputs();
    EncodeSpec(output, spec);
    spec->set_is_probability(output.link != Link::kNone);
    for (const std::string& label : servable.labels(static_cast<int>(i))) spec->add_labels(label);
    if (output.link == Link::kNone) continue;  // decides nothing
    const absl::Span<const float> thresholds = servable.thresholds(static_cast<int>(i));
    spec->mutable_thresholds()->Add(thresholds.begin(), thresholds.end());
  }
}

absl::StatusOr<ModelQuery> DecodeQuery(absl::string_view model, absl::string_view version) {
  if (model.empty()) return absl::InvalidArgumentError("the model's name is empty");
  ModelQuery query;
  query.model = model;
  if (version.empty()) return query;
  int64_t number = 0;
  if (!absl::SimpleAtoi(version, &number)) {
    query.label = version;
    return query;
  }
  if (number < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("failed to get model version from specified version string ", Quote(version),
                     " (an integer value greater than zero, or a label, is expected)"));
  }
  query.version = number;
  return query;
}

void EncodeMetadata(const Servable& servable, inference::ModelMetadataResponse* metadata) {
  metadata->set_name(servable.name());
  metadata->set_platform(kPlatform);
  for (const InputSignature& input : servable.signature().inputs) {
    EncodeTensorMetadata(input, metadata->add_inputs());
  }
  for (const OutputSignature& output : servable.signature().outputs) {
    EncodeTensorMetadata(output, metadata->add_outputs());
  }
}

void EncodeConfig(const Servable& servable, inference::ModelConfig* config) {
  const Signature& signature = servable.signature();
  config->set_name(servable.name());
  config->set_platform(kPlatform);
  config->set_backend("sigserve");
  config->set_default_model_filename(servable.model_filename());
  config->set_max_batch_size(static_cast<int32_t>(servable.max_batch_size()));
  for (const InputSignature& input : signature.inputs) {
    EncodeConfigTensor(input, signature.batchable, config->add_input());
  }
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const OutputSignature& output = signature.outputs[i];
    EncodeConfigTensor(output, signature.batchable, config->add_output());
    if (output.link == Link::kNone) continue;
    inference::SigserveOptions::Output* ours = config->mutable_sigserve()->add_output();
    ours->set_name(output.name);
    for (const std::string& label : servable.labels(static_cast<int>(i))) ours->add_labels(label);
    for (const float threshold : servable.thresholds(static_cast<int>(i))) {
      ours->add_thresholds(threshold);
    }
  }
}

void EncodeIndex(const VersionStatus& status,
                 inference::RepositoryIndexResponse::ModelIndex* index) {
  index->set_name(status.model);
  if (status.version > 0) index->set_version(absl::StrCat(status.version));
  index->set_reason(status.reason);
  switch (status.state) {
    case VersionState::kLoading:
      return index->set_state("LOADING");
    case VersionState::kReady:
      return index->set_state("READY");
    case VersionState::kFailed:
      return index->set_state("UNAVAILABLE");
  }
}

}  // namespace sigserve
