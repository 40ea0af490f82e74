#include "model/formats/load_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/architecture.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/formats/torch_state_dict/torch_state_dict.h"

namespace sigserve {
namespace {

constexpr absl::string_view kWeightsFiles[] = {"weights.safetensors", "weights.pth", "weights.pt"};

absl::StatusOr<NamedTensors> ReadWeights(FileSystem* files, const std::string& path) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string bytes, files->ReadFile(path, kMaxModelBytes));
  auto weights =
      absl::EndsWith(path, ".safetensors") ? ReadSafetensors(bytes) : ReadTorchStateDict(bytes);
  if (!weights.ok()) return Annotate(weights.status(), path);
  return weights;
}

absl::StatusOr<Graph> ReadOnnxFile(FileSystem* files, const std::string& directory,
                                   const std::string& path) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string bytes, files->ReadFile(path, kMaxModelBytes));
  auto graph = ReadOnnx(bytes, files, directory);
  if (!graph.ok()) return Annotate(graph.status(), path);
  return graph;
}

}  // namespace

absl::StatusOr<Graph> LoadModel(FileSystem* files, const std::string& version_directory,
                                const std::string& model_filename) {
  const std::string model = absl::StrCat(version_directory, "/", model_filename);
  const std::string architecture = absl::StrCat(version_directory, "/", kArchitectureFile);
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries,
                            files->List(version_directory));
  const auto has = [&](absl::string_view name) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const DirectoryEntry& entry) { return entry.name == name; });
  };
  // Whoever names the architecture as the model file means the same.
  if (has(model_filename) && model_filename != kArchitectureFile) {
    return ReadOnnxFile(files, version_directory, model);
  }
  if (!has(kArchitectureFile)) {
    return absl::NotFoundError(
        absl::StrCat(model, ": not found, nor is there a ", kArchitectureFile));
  }
  std::vector<absl::string_view> weights_files;
  for (const absl::string_view name : kWeightsFiles) {
    if (has(name)) weights_files.push_back(name);
  }
  if (weights_files.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        architecture, ": needs one file of weights beside it (", absl::StrJoin(kWeightsFiles, ", "),
        "), has ", weights_files.empty() ? "none" : absl::StrJoin(weights_files, " and ")));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::string text,
                            files->ReadFile(architecture, kMaxArchitectureBytes));
  SIGSERVE_ASSIGN_OR_RETURN(
      NamedTensors weights,
      ReadWeights(files, absl::StrCat(version_directory, "/", weights_files[0])));
  auto graph = BuildFromArchitecture(text, std::move(weights));
  if (!graph.ok()) return Annotate(graph.status(), architecture);
  return graph;
}

}  // namespace sigserve
