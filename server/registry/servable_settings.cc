#include "server/registry/servable_settings.h"

#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"

namespace sigserve {
namespace {

constexpr float kDefaultThreshold = 0.5F;

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("config.pbtxt: ", parts...));
}

template <typename T>
std::string Names(const std::vector<T>& tensors) {
  return absl::StrJoin(tensors, ", ", [](std::string* out, const T& tensor) {
    absl::StrAppend(out, "'", tensor.name, "'");
  });
}

template <typename T>
T* FindByName(const std::string& name, std::vector<T>* tensors) {
  for (T& tensor : *tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

// The declared shape merged into the model's, or nothing when they contradict each other.
std::optional<Shape> Merge(const Shape& model, const std::vector<int64_t>& dims, int skip) {
  if (model.rank() != static_cast<int>(dims.size()) + skip) return std::nullopt;
  Shape merged = model;
  for (int i = skip; i < model.rank(); ++i) {
    const int64_t declared = dims[static_cast<size_t>(i - skip)];
    if (declared < 0) continue;
    if (model[i] >= 0 && model[i] != declared) return std::nullopt;
    merged.set(i, declared);
  }
  return merged;
}

// `batch`: config's max_batch_size > 0, so its dims leave dimension 0 out; without max_batch_size
// in the config both ways of writing are understood.
template <typename T>
absl::Status MatchTensor(absl::string_view kind, const DeclaredTensor& declared,
                         const std::optional<int64_t>& max_batch_size, bool batchable,
                         std::vector<T>* tensors) {
  T* tensor = FindByName(declared.name, tensors);
  if (tensor == nullptr) {
    return Bad(kind, " '", declared.name, "' is not in the model, which has ", Names(*tensors));
  }
  if (!declared.data_type.empty() && Name(tensor->dtype) != DTypeNameOf(declared.data_type)) {
    return Bad(kind, " '", declared.name, "': data_type is ", declared.data_type,
               "; the model has ", Name(tensor->dtype));
  }
  if (declared.dims.empty() || tensor->any_rank) return absl::OkStatus();
  const bool batch_left_out = max_batch_size.value_or(0) > 0;
  std::optional<Shape> merged = Merge(tensor->shape, declared.dims, batch_left_out ? 1 : 0);
  if (!merged && !max_batch_size.has_value() && batchable) {
    merged = Merge(tensor->shape, declared.dims, 1);
  }
  if (!merged) {
    return Bad(kind, " '", declared.name, "': dims is [", absl::StrJoin(declared.dims, ","),
               batch_left_out ? "] with the batch dimension before it" : "]", "; the model has ",
               tensor->shape.ToString());
  }
  tensor->shape = *merged;
  return absl::OkStatus();
}

// -1 when the model does not say.
template <typename T>
int64_t LastDimension(const T& tensor) {
  if (tensor.any_rank) return -1;
  return tensor.shape.rank() == 0 ? 1 : tensor.shape[tensor.shape.rank() - 1];
}

absl::Status MatchInput(const InputOptions& options, ServableSettings* settings) {
  std::vector<InputSignature>& inputs = settings->signature.inputs;
  if (options.name.empty() && inputs.size() != 1) {
    return Bad("sigserve.input has no name, and the model has ", inputs.size(),
               " inputs: ", Names(inputs));
  }
  InputSignature* input = options.name.empty() ? inputs.data() : FindByName(options.name, &inputs);
  if (input == nullptr) {
    return Bad("sigserve.input '", options.name, "' is not in the model, which has ",
               Names(inputs));
  }
  const int64_t last = LastDimension(*input);
  const auto count = static_cast<int64_t>(options.column_names.size());
  if (count > 0 && last >= 0 && count != last) {
    return Bad("input '", input->name, "' has ", count, " column_names; its last dimension is ",
               last);
  }
  input->column_names = options.column_names;
  return absl::OkStatus();
}

absl::Status MatchOutput(const OutputOptions& options, ServableSettings* settings) {
  std::vector<OutputSignature>& outputs = settings->signature.outputs;
  size_t index = 0;
  if (options.name.empty()) {
    if (outputs.size() != 1) {
      return Bad("sigserve.output has no name, and the model has ", outputs.size(),
                 " outputs: ", Names(outputs));
    }
  } else {
    const OutputSignature* output = FindByName(options.name, &outputs);
    if (output == nullptr) {
      return Bad("sigserve.output '", options.name, "' is not in the model, which has ",
                 Names(outputs));
    }
    index = static_cast<size_t>(output - outputs.data());
  }
  const OutputSignature& output = outputs[index];
  const int64_t last = LastDimension(output);
  if (!options.labels.empty()) {
    if (last >= 0 && static_cast<int64_t>(options.labels.size()) != last) {
      return Bad("output '", output.name, "' has ", options.labels.size(),
                 " labels; its last dimension is ", last);
    }
    settings->labels[index] = options.labels;
  }
  if (!options.thresholds.empty()) {
    const auto count = static_cast<int64_t>(options.thresholds.size());
    if (count != 1 && last >= 0 && count != last) {
      return Bad("output '", output.name, "' has ", count, " thresholds; expected 1, or ", last,
                 " as in its last dimension");
    }
    if (output.link == Link::kNone) {
      return Bad(
          "MODEL_NOT_CLASSIFIER: output '", output.name,
          "' has thresholds, but the model does not end in a sigmoid or softmax there; if it "
          "gives logits, set sigserve.outputs_are_logits");
    }
    settings->thresholds[index] = options.thresholds;
  }
  return absl::OkStatus();
}

}  // namespace

std::string DTypeNameOf(const std::string& config_data_type) {
  static const auto* const names = new std::map<std::string, std::string>{{"TYPE_FP32", "FLOAT32"},
                                                                          {"TYPE_FP64", "FLOAT64"},
                                                                          {"TYPE_INT32", "INT32"},
                                                                          {"TYPE_INT64", "INT64"},
                                                                          {"TYPE_BOOL", "BOOL"}};
  const auto it = names->find(config_data_type);
  return it == names->end() ? "" : it->second;
}

absl::StatusOr<ServableSettings> MatchSettings(const ModelOptions& options,
                                               const Signature& signature) {
  ServableSettings settings;
  settings.signature = signature;
  settings.forbid_nan = options.forbid_nan;
  settings.max_batch_size = options.max_batch_size.value_or(0);
  if (settings.max_batch_size > 0 && !signature.batchable) {
    return Bad("MODEL_BATCH_DIM: max_batch_size is ", settings.max_batch_size,
               ", but dimension 0 of the model's inputs and outputs is no batch; set it to 0");
  }
  for (const DeclaredTensor& input : options.inputs) {
    SIGSERVE_RETURN_IF_ERROR(MatchTensor("input", input, options.max_batch_size,
                                         signature.batchable, &settings.signature.inputs));
  }
  for (const DeclaredTensor& output : options.outputs) {
    SIGSERVE_RETURN_IF_ERROR(MatchTensor("output", output, options.max_batch_size,
                                         signature.batchable, &settings.signature.outputs));
  }
  if (options.max_batch_size == 0) settings.signature.batchable = false;

  for (const OutputSignature& output : settings.signature.outputs) {
    for (const std::string& label : output.labels) {
      if (!IsValidUtf8(label)) {
        return Bad("output '", output.name, "' has the label '", EscapeInvalidUtf8(label),
                   "', which is not UTF-8");
      }
    }
    settings.labels.push_back(output.labels);
    settings.thresholds.push_back({kDefaultThreshold});
  }
  for (const InputOptions& input : options.input_options) {
    SIGSERVE_RETURN_IF_ERROR(MatchInput(input, &settings));
  }
  for (const OutputOptions& output : options.output_options) {
    SIGSERVE_RETURN_IF_ERROR(MatchOutput(output, &settings));
  }
  return settings;
}

}  // namespace sigserve
