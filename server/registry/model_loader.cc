#include "server/registry/model_loader.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/formats/load_model.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/graph/graph.h"
#include "model/runtime/checked_compile.h"
#include "model/runtime/executable.h"
#include "model/runtime/preparation.h"

namespace sigserve {

absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text,
                                                     absl::string_view file) {
  text = WithoutByteOrderMark(text);
  SIGSERVE_RETURN_IF_ERROR(CheckUtf8File(text, file));
  absl::ConsumeSuffix(&text, "\n");
  absl::ConsumeSuffix(&text, "\r");
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat("'", file, "' has no labels"));
  std::vector<std::string> labels;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", file, "': line ", labels.size() + 1, " is empty; expected a label"));
    }
    labels.emplace_back(line);
  }
  return labels;
}

absl::StatusOr<ModelOptions> ModelLoader::LoadOptions(const ModelEntry& entry) const {
  if (!entry.has_config) return ModelOptions{};
  const std::string directory = repository_->ModelDirectory(entry.name);
  SIGSERVE_ASSIGN_OR_RETURN(
      const std::string text,
      files_->ReadFile(absl::StrCat(directory, "/", Repository::kConfigFile), kMaxConfigBytes));
  SIGSERVE_ASSIGN_OR_RETURN(ModelOptions options, ParseModelConfig(text, entry.name));
  options.source_hash = absl::HashOf(text);
  for (OutputOptions& output : options.output_options) {
    if (output.label_filename.empty()) continue;
    const std::string path = absl::StrCat(directory, "/", output.label_filename);
    SIGSERVE_ASSIGN_OR_RETURN(const std::string labels, files_->ReadFile(path, kMaxLabelBytes));
    SIGSERVE_ASSIGN_OR_RETURN(output.labels, ParseLabels(labels, path));
    options.source_hash = absl::HashOf(options.source_hash, labels);
  }
  return options;
}

absl::StatusOr<std::string> ModelLoader::Fingerprint(absl::string_view model, int64_t version,
                                                     const ModelOptions& options) const {
  const std::string directory = repository_->VersionDirectory(model, version);
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, files_->List(directory));
  std::string fingerprint = absl::StrCat(options.source_hash);
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory || entry.name.empty() || entry.name[0] == '.') continue;
    const absl::StatusOr<FileStamp> file = files_->Stat(absl::StrCat(directory, "/", entry.name));
    if (absl::IsNotFound(file.status())) continue;  // a link to nothing
    if (!file.ok()) return file.status();
    absl::StrAppend(&fingerprint, "\n", entry.name, " ", file->bytes, " ", file->modified_ns, " ",
                    file->changed_ns, " ", file->inode);
  }
  return fingerprint;
}

absl::StatusOr<uint64_t> ModelLoader::HashContents(absl::string_view model, int64_t version) const {
  const std::string directory = repository_->VersionDirectory(model, version);
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, files_->List(directory));
  uint64_t hash = 0;
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_regular_file || entry.name[0] == '.') continue;
    SIGSERVE_ASSIGN_OR_RETURN(
        const std::string contents,
        files_->ReadFile(absl::StrCat(directory, "/", entry.name), kMaxModelBytes));
    hash = absl::HashOf(hash, entry.name, contents);
  }
  return hash;
}

absl::StatusOr<std::vector<Tensor>> ModelLoader::ReadSample(const std::string& directory,
                                                            const Graph& graph) const {
  const std::string path = absl::StrCat(directory, "/", kSampleFile);
  const absl::StatusOr<std::string> bytes = files_->ReadFile(path, kMaxSampleBytes);
  if (absl::IsNotFound(bytes.status())) return std::vector<Tensor>();
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<NamedTensors> sample = ReadSafetensors(*bytes, Numbers::kAny);
  if (!sample.ok()) return Annotate(sample.status(), path);
  std::vector<Tensor> inputs;
  for (const GraphInput& input : graph.inputs()) {
    const std::string& name = graph.value(input.value).name;
    const auto found = std::find_if(sample->begin(), sample->end(),
                                    [&](const auto& tensor) { return tensor.first == name; });
    if (found == sample->end()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": no tensor for input '", name, "'"));
    }
    inputs.push_back(std::move(found->second));
  }
  return inputs;
}

absl::StatusOr<std::shared_ptr<const Executable>> ModelLoader::Compile(
    const std::string& directory, const Graph& graph, const NumericsOptions& options) const {
  Numerics numerics;
  numerics.fast_math = options.fast_math;
  if (!options.bf16) return Executable::Compile(graph, numerics);
  numerics.precision = Precision::kBf16;
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<Tensor> sample, ReadSample(directory, graph));
  const absl::StatusOr<CheckedExecutable> checked =
      CompileChecked(graph, numerics, sample, options.max_probability_change);
  if (!checked.ok()) {
    return Annotate(checked.status(), absl::StrCat("with sigserve.precision BF16 (bounded by "
                                                   "sigserve.max_probability_change)"));
  }
  SIGSERVE_LOG(kInfo, directory, ": bfloat16 changes outputs by up to ", checked->change, " on ",
               sample.empty() ? "random rows" : kSampleFile, "; at most ",
               options.max_probability_change, " is allowed; computed by ", checked->bf16_unit);
  if (checked->bf16_is_slow) {
    SIGSERVE_LOG(kWarning, directory, ": bfloat16 is very slow on this CPU: it has no FMA");
  }
  return checked->executable;
}

namespace {

/// torch.onnx.export fixes the batch size at that of its example, mostly 1, unless told otherwise.
void WarnOfFixedBatch(absl::string_view model, int64_t version, const Signature& signature) {
  for (const InputSignature& input : signature.inputs) {
    if (input.any_rank || input.shape.rank() < 2 || input.shape[0] != 1) continue;
    SIGSERVE_LOG(kWarning, "model '", model, "' version ", version, ": input '", input.name,
                 "' has the shape ", input.shape.ToString(),
                 ": each request can have only 1 row; export the model with dynamic_axes to serve "
                 "batches");
    return;
  }
}

}  // namespace

absl::StatusOr<ServableHandle> ModelLoader::LoadVersion(absl::string_view model, int64_t version,
                                                        const ModelOptions& options) const {
  const std::string path =
      absl::StrCat(repository_->VersionDirectory(model, version), "/", options.model_filename);
  try {
    const std::string directory = repository_->VersionDirectory(model, version);
    absl::StatusOr<Graph> graph = LoadModel(files_, directory, options.model_filename);
    if (!graph.ok()) return graph.status();
    if (options.outputs_are_logits) graph = WithProbabilities(*graph);
    if (!graph.ok()) return Annotate(graph.status(), path);
    absl::StatusOr<std::shared_ptr<const Executable>> executable =
        Compile(directory, *graph, options.numerics);
    if (!executable.ok()) return Annotate(executable.status(), path);
    WarnOfFixedBatch(model, version, (*executable)->signature());
    return Servable::Create(std::string(model), version, options, *std::move(executable));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": not enough memory to load it"));
  } catch (const std::exception& e) {  // a library's: one file must not take the server down
    return absl::InternalError(absl::StrCat(path, ": ", e.what()));
  }
}

}  // namespace sigserve
